package backup

import _ "embed"

//go:embed text.yaml
var text []byte

// Words is the verb's catalogue, under the prefix "backup".
func Words() []byte { return text }

package logs

import _ "embed"

//go:embed text.yaml
var text []byte

// Words is the verb's catalogue, under the prefix "logs".
func Words() []byte { return text }

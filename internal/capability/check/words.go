package check

import _ "embed"

//go:embed text.yaml
var text []byte

// Words is the verb's catalogue, under the prefix "check".
func Words() []byte { return text }

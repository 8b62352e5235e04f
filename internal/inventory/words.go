package inventory

import _ "embed"

//go:embed text.yaml
var text []byte

// Words is the catalogue of assertions, under the prefix "assertion".
func Words() []byte { return text }

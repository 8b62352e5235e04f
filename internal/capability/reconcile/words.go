package reconcile

import _ "embed"

//go:embed text.yaml
var text []byte

// Words is the verb's catalogue, under the prefix "reconcile".
func Words() []byte { return text }

package initialize

import _ "embed"

//go:embed text.yaml
var text []byte

// Words is the catalogue of what is written into the file and said about it,
// under the prefix "init".
func Words() []byte { return text }

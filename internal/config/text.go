package config

import _ "embed"

//go:embed text.yaml
var words []byte

// Text is the catalogue of this package and of quantity, secret and the loader's
// problems, to be added under the prefix "config".
func Text() []byte { return words }

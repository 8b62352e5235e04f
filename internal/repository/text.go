package repository

import _ "embed"

//go:embed text.yaml
var words []byte

// Text is the package's catalogue; its prefix is "repository".
func Text() []byte { return words }

package cli

import (
	_ "embed"

	"upkeep/internal/catalogue"
)

//go:embed text.yaml
var text []byte

// Words is the catalogue of the command line itself.
func Words() catalogue.Source { return catalogue.Source{Prefix: "cli", Text: text} }

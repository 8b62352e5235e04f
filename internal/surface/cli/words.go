package cli

import _ "embed"

//go:embed text.yaml
var text []byte

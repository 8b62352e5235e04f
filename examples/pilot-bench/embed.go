// Package pilotbench holds the declaration of a benchmark's results store, as an example. A
// test runs it; upkeep itself never imports it.
package pilotbench

import _ "embed"

// Declaration is upkeep.yaml as it is deployed.
//
//go:embed upkeep.yaml
var Declaration []byte

// Package cotstudio holds the example system: a small application over five stores,
// and its declaration. The lab starts it; upkeep itself never imports it.
package cotstudio

import "embed"

// Files is this directory as it is deployed.
//
//go:embed app frontend nginx docker-compose.yml upkeep.yaml
//go:embed app/__init__.py app/workers/__init__.py
var Files embed.FS

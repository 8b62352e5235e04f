package control

import (
	"upkeep/internal/config"
	"upkeep/internal/diag"
	"upkeep/internal/service"
)

// Load reads the declaration that is meant: the named one, else upkeep.yaml here,
// else $UPKEEP_CONFIG. This version works on one system at a time.
func Load(files []string, kinds *service.Registry, getenv func(string) string) (*config.Config, diag.List) {
	configs, problems := config.Load(config.Find(files, getenv), kinds)
	if len(configs) > 1 {
		problems.Addf("", "this version works on one system at a time, but %d were named", len(configs))
	}
	if len(problems) > 0 || len(configs) == 0 {
		return nil, problems
	}
	return configs[0], nil
}

// Schema returns the JSON schema of upkeep.yaml for editors.
func Schema(kinds *service.Registry) ([]byte, error) { return config.Schema(kinds) }

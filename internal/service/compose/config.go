package compose

import (
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"upkeep/internal/diag"
	"upkeep/internal/quantity"
	"upkeep/internal/service"
)

// Config declares one compose project.
type Config struct {
	// Files are in the order of docker compose -f. A compose.upkeep.yml behind them is
	// upkeep's own and need not exist: maintain writes log limits into it.
	Files    []string `yaml:"files"`
	Project  string   `yaml:"project"`  // empty = as compose names it: by the files, COMPOSE_PROJECT_NAME or the directory
	EnvFile  string   `yaml:"env_file"` // values of ${…}; empty = .env beside the first file
	Profiles []string `yaml:"profiles"` // of services that are enabled by a profile
	Host     string   `yaml:"host"`     // of the engine: unix:///PATH or tcp://HOST:PORT
	// Services says what differs from "running, and never restarted by the engine".
	Services map[string]Expected `yaml:"services"`
}

// Expected is what a service should be like.
type Expected struct {
	Expect   string `yaml:"expect"`   // running, exited (a job that ends with 0) or absent; empty = running
	Restarts int    `yaml:"restarts"` // by the engine between two checks that are nothing to tell
	// RestartAfter makes a restart due in maintain when a container has run for
	// longer; 0 = never.
	RestartAfter quantity.Duration `yaml:"restart_after"`
}

// What Expect may say.
const (
	running = "running"
	exited  = "exited"
	absent  = "absent"
)

// Defaults is what compose and the engine have as defaults.
func (c *Config) Defaults() {
	c.Host = "unix:///var/run/docker.sock"
}

// Validate reports every problem at once, by path.
func (c *Config) Validate() (p diag.List) {
	if len(c.Files) == 0 {
		p.Addf("files", "must name at least one compose file")
	}
	if len(c.Files) > 0 && slices.ContainsFunc(c.Files[:len(c.Files)-1], isOverride) || len(c.Files) == 1 && isOverride(c.Files[0]) {
		p.Addf("files", "must have compose.upkeep.yml as the last, behind the project's own files")
	}
	if !hostUnderstood(c.Host) {
		p.Addf("host", "must be unix:///PATH or tcp://HOST:PORT")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		c.Services[name].validate("services."+name, &p)
	}
	return p
}

func hostUnderstood(host string) bool {
	u, err := url.Parse(host)
	if err != nil || u.User != nil {
		return false
	}
	return u.Scheme == "unix" && u.Host == "" && u.Path != "" || u.Scheme == "tcp" && u.Port() != "" && u.Path == ""
}

func (e Expected) validate(path string, p *diag.List) {
	if !slices.Contains([]string{"", running, exited, absent}, e.Expect) {
		p.Addf(path+".expect", "must be running, exited or absent, is %s", fmt.Sprintf("%q", e.Expect))
	}
	if e.Restarts < 0 {
		p.Addf(path+".restarts", "must not be negative, is %d", e.Restarts)
	}
	if e.RestartAfter < 0 {
		p.Addf(path+".restart_after", "must not be negative, is %s", e.RestartAfter)
	}
}

// Reach is the engine, and the project's own directory: maintain writes log limits into a
// file of upkeep's own there.
func (c *Config) Reach() service.Reach {
	reach := service.Reach{Reads: c.Files}
	if path, ok := strings.CutPrefix(c.Host, "unix://"); ok {
		reach.Socket = path
	}
	if len(c.Files) > 0 {
		reach.Writes = []string{filepath.Dir(c.Files[0])}
	}
	return reach
}

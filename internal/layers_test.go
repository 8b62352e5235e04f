package internal_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// layer names packages by a prefix of their path below upkeep/internal and says
// which others they may import, by the same kind of prefix. The first match
// counts. docs/architecture.md explains the table.
type layer struct {
	packages string
	may      []string
}

var leaves = []string{"diag", "secret", "command", "database", "catalogue", "quantity", "consistency", "glob", "proportion", "logs/", "tables", "calendar", "nearest"}

func with(more ...string) []string { return append(slices.Clone(leaves), more...) }

var layers = []layer{
	{"diag", nil},
	{"quantity", nil},
	{"glob", []string{"diag"}},
	{"secret", nil},
	{"command", nil},
	{"database", nil},
	{"catalogue", nil},
	{"consistency", nil},
	{"proportion", nil},
	{"nearest", nil},
	{"calendar", []string{"diag", "quantity"}}, // when something is due
	{"baseline", nil},                          // what a series' own past makes likely
	{"logs/", []string{"logs/"}},
	{"tables", []string{"tables"}},
	{"service/all", []string{""}},
	{"service/servicetest", with("service$")},
	{"service$", []string{"diag", "secret"}},
	{"sandbox", []string{"service$", "command"}},
	{"service/pilotbench", with("service$", "service/dataset")}, // a dataset whose declaration is built in
	{"service/", with("service$", "sandbox")},                   // a kind: never another kind, never a verb
	{"config", with("service$")},
	{"inventory", with("service$", "sandbox", "config")},
	{"journal", with("service$")},
	{"repository", with("service$")},
	{"workflow", with("service$")},
	{"schedule", with("service$", "config")},
	{"monitor/", with("service$", "baseline", "monitor/")},
	{"notify", with("service$", "config")},
	{"capability/", with("service$", "inventory", "repository", "journal", "config")},
	{"engine", with("service$", "inventory", "journal", "workflow")},
	{"control", with("service$", "config", "inventory", "journal", "repository", "workflow", "engine", "capability/", "monitor/alertfile", "monitor/series", "notify")},
	// The process around the clock: what is due, samples, rules, alerts, mail, and the page that main hands in.
	{"serve", with("service$", "config", "inventory", "journal", "repository", "engine", "capability/", "control", "schedule", "monitor/", "notify", "baseline")},
	{"surface/web", with("service$", "control", "engine", "journal", "repository", "capability/report", "serve", "schedule", "monitor/")},
	// Surfaces ask control; the others are value types and the page that all show.
	{"surface/", with("service$", "config", "control", "serve", "engine", "journal", "repository", "capability/report")},
}

func TestLayersHold(t *testing.T) {
	for _, p := range packages(t) {
		name, ok := strings.CutPrefix(p.ImportPath, "upkeep/internal/")
		if !ok {
			continue
		}
		l, known := find(name)
		if !known {
			t.Errorf("%s is in no layer: add it to this table and to docs/architecture.md", name)
			continue
		}
		for _, imported := range p.Imports {
			other, internal := strings.CutPrefix(imported, "upkeep/internal/")
			if internal && !slices.ContainsFunc(l.may, func(prefix string) bool { return matches(prefix, other) }) {
				t.Errorf("%s may not import %s", name, other)
			}
		}
	}
}

func find(name string) (layer, bool) {
	i := slices.IndexFunc(layers, func(l layer) bool { return matches(l.packages, name) })
	if i < 0 {
		return layer{}, false
	}
	return layers[i], true
}

// matches compares a package with a prefix; $ ends it.
func matches(prefix, name string) bool {
	if exact, ok := strings.CutSuffix(prefix, "$"); ok {
		return name == exact
	}
	return strings.HasPrefix(name, prefix)
}

type listed struct {
	ImportPath string
	Imports    []string
}

// packages asks the go command, without test files.
func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "upkeep/...").Output()
	if err != nil {
		t.Fatalf("list packages: %v", err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("read the list of packages: %v", err)
		}
		all = append(all, p)
	}
}

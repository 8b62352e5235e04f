package all_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/prometheus/promql/parser"

	"upkeep/internal/control"
	"upkeep/internal/service"
	"upkeep/internal/service/all"
)

// everywhere are labels that every sample has.
func everywhere() []string { return []string{"__name__", "instance", "job", "system", "target"} }

func TestRulesAndPanelsAskOnlyForWhatIsCollected(t *testing.T) {
	own := control.SelfMetrics()
	whole := slices.Clone(own) // the overview and upkeep's own rules are about every kind
	for _, kind := range all.Kinds().Kinds() {
		whole = append(whole, kind.Metrics()...)
	}
	for name, dir := range places(t) {
		known := whole
		if kind, is := all.Kinds().Lookup(name); is {
			known = append(kind.Metrics(), own...)
		}
		for _, query := range queries(t, dir) {
			asks(t, name, query, known)
		}
	}
}

// queries are those of a place's rules and panels, with what Grafana puts in.
func queries(t *testing.T, dir string) (all []string) {
	t.Helper()
	var file rules
	var panels []struct {
		Query string `yaml:"query"`
	}
	for name, into := range map[string]any{"rules.yaml": &file, "panels.yaml": &panels} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		must(t, yaml.Unmarshal(text, into))
	}
	for _, group := range file.Groups {
		for _, r := range group.Rules {
			all = append(all, r.Expr)
		}
	}
	for _, p := range panels {
		all = append(all, strings.ReplaceAll(p.Query, "$__rate_interval", "1m"))
	}
	return all
}

func asks(t *testing.T, name, query string, known []service.Metric) {
	t.Helper()
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		t.Errorf("%s: %s: %v", name, query, err)
		return
	}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		v, is := node.(*parser.VectorSelector)
		if !is {
			return nil
		}
		i := slices.IndexFunc(known, func(m service.Metric) bool { return m.Name == v.Name })
		if i < 0 {
			t.Errorf("%s: nobody collects %s", name, v.Name)
			return nil
		}
		for _, m := range v.LabelMatchers {
			if !slices.Contains(append(known[i].Labels, everywhere()...), m.Name) {
				t.Errorf("%s: %s has no label %s", name, v.Name, m.Name)
			}
		}
		return nil
	})
}

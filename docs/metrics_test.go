package docs_test

import (
	"fmt"
	"strings"
	"testing"

	"upkeep/internal/control"
	"upkeep/internal/service"
	"upkeep/internal/service/all"
)

func TestMetricsPage(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Metrics\n\n" + made + `
What is sampled of each kind, under the names of the stock exporters, so that public dashboards and rules work. Every
sample also has the labels ` + "`job`" + ` (the kind), ` + "`instance`" + ` and ` + "`target`" + ` (the service's name in ` + "`upkeep.yaml`" + `) and ` + "`system`" + `. Every target
has ` + "`up`" + `, ` + "`scrape_duration_seconds`" + ` and ` + "`scrape_samples_scraped`" + `, as if it had been scraped. ● is there whenever the
component answers; the others depend on its version, its settings and what it holds.
`)
	for _, kind := range all.Kinds().Kinds() {
		metricTable(&b, kind.Name(), kind.Metrics())
	}
	metricTable(&b, "every target, and upkeep itself", control.SelfMetrics())
	page(t, "metrics.md", b.String())
}

func metricTable(b *strings.Builder, name string, metrics []service.Metric) {
	fmt.Fprintf(b, "\n## %s\n\n| metric | type | unit | labels | | meaning |\n|---|---|---|---|---|---|\n", name)
	for _, m := range metrics {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s | %s |\n", m.Name, m.Type, m.Unit(), cell(strings.Join(m.Labels, ", ")),
			map[bool]string{true: "●"}[m.Always], cell(m.Help))
	}
}

func TestMetricsHaveATypeAndAHelp(t *testing.T) {
	for _, kind := range all.Kinds().Kinds() {
		if len(kind.Metrics()) == 0 && kind.Offers("collect") {
			t.Errorf("%s says of no metric that it collects it", kind.Name())
		}
		for _, m := range kind.Metrics() {
			switch m.Type {
			case "counter", "gauge", "histogram", "summary", "untyped":
			default:
				t.Errorf("%s: %s is of type %q", kind.Name(), m.Name, m.Type)
			}
			if m.Help == "" {
				t.Errorf("%s: %s has no help", kind.Name(), m.Name)
			}
		}
	}
}

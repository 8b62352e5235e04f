package servicetest

import (
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"

	"upkeep/internal/service"
)

// learn writes what was collected into metrics.tsv of the kind whose test runs.
var learn = flag.Bool("update-metrics", false, "add what is collected to metrics.tsv")

// Catalogued compares one round of samples with the kind's catalogue of metrics: nothing is
// emitted that is not in it, and what is always there was emitted.
func Catalogued(t *testing.T, known []service.Metric, families []*dto.MetricFamily) {
	t.Helper()
	catalogue := map[string]service.Metric{}
	for _, m := range known {
		catalogue[m.Name] = m
	}
	seen := map[string]bool{}
	for _, f := range families {
		m := metricOf(f)
		seen[m.Name] = true
		old, there := catalogue[m.Name]
		if *learn {
			catalogue[m.Name] = joined(old, m, there)
			continue
		}
		switch unknown := slices.DeleteFunc(slices.Clone(m.Labels), func(l string) bool { return slices.Contains(old.Labels, l) }); {
		case !there:
			t.Errorf("metrics.tsv does not have %s", m.Name)
		case old.Type != m.Type || len(unknown) > 0:
			t.Errorf("%s is a %s with labels %v, in metrics.tsv a %s with labels %v", m.Name, m.Type, m.Labels, old.Type, old.Labels)
		}
	}
	for _, m := range known {
		if m.Always && !seen[m.Name] {
			t.Errorf("%s is always there by metrics.tsv, and was not emitted", m.Name)
		}
	}
	if *learn {
		keep(t, catalogue)
	}
}

func keep(t *testing.T, catalogue map[string]service.Metric) {
	t.Helper()
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(catalogue)) {
		b.WriteString(catalogue[name].Line())
	}
	if err := os.WriteFile("metrics.tsv", []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func joined(old, m service.Metric, there bool) service.Metric {
	if !there {
		m.Always = true
		return m
	}
	m.Always = old.Always
	m.Labels = append(m.Labels, old.Labels...)
	slices.Sort(m.Labels)
	m.Labels = slices.Compact(m.Labels)
	return m
}

func metricOf(f *dto.MetricFamily) service.Metric {
	m := service.Metric{Name: f.GetName(), Type: strings.ToLower(f.GetType().String()), Help: f.GetHelp()}
	for _, sample := range f.Metric {
		for _, l := range sample.Label {
			m.Labels = append(m.Labels, l.GetName())
		}
	}
	slices.Sort(m.Labels)
	m.Labels = slices.Compact(m.Labels)
	return m
}

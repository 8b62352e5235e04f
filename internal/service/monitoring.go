package service

import (
	"io/fs"
	"strings"
)

// Metric is one family of samples that a kind collects. Its name says its unit.
type Metric struct {
	Name   string
	Type   string   // counter, gauge, histogram, summary, untyped
	Labels []string // beside those that every sample has: job, instance, system, target
	Always bool     // in every round of a component that answers; others depend on its version, settings and content
	Help   string   // as the stock exporter says it
}

// Unit is the base unit that the name ends with, or nothing for plain numbers.
func (m Metric) Unit() string {
	name := strings.TrimSuffix(m.Name, "_total")
	for _, unit := range []string{"seconds", "bytes", "ratio", "percent", "celsius", "volts", "hertz"} {
		if strings.HasSuffix(name, "_"+unit) {
			return unit
		}
	}
	return ""
}

// Monitored gives a kind what its samples are watched with: files may hold metrics.tsv (see
// ParseMetrics), rules.yaml, alert rules as Prometheus reads them, and panels.yaml, its dashboard.
// What is missing there is empty.
func (k Kind) Monitored(files fs.FS) Kind {
	k.monitoring = files
	return k
}

// Metrics are the families of samples that instances may emit, by name. What a declaration adds
// itself is not among them: see DeclaredMetrics.
func (k Kind) Metrics() []Metric { return ParseMetrics(k.monitored("metrics.tsv")) }

// Rules are the alert rules that come with the kind, as a file of Prometheus, or nothing.
func (k Kind) Rules() []byte { return k.monitored("rules.yaml") }

// Panels are the kind's dashboard (capability/dashboard says how it is laid out), or nothing.
func (k Kind) Panels() []byte { return k.monitored("panels.yaml") }

func (k Kind) monitored(name string) []byte {
	if k.monitoring == nil {
		return nil
	}
	text, err := fs.ReadFile(k.monitoring, name)
	if err != nil {
		return nil // the files are part of the program: one that is not there was never written
	}
	return text
}

// ParseMetrics reads a line per metric: name, type, labels divided by commas, always or
// sometimes, help, divided by tabs. Lines that begin with # are remarks.
func ParseMetrics(text []byte) []Metric {
	var all []Metric
	for line := range strings.Lines(string(text)) {
		cells := strings.SplitN(strings.TrimRight(line, "\n"), "\t", 5)
		if strings.HasPrefix(line, "#") || len(cells) < 5 {
			continue
		}
		m := Metric{Name: cells[0], Type: cells[1], Always: cells[3] == "always", Help: cells[4]}
		if cells[2] != "" {
			m.Labels = strings.Split(cells[2], ",")
		}
		all = append(all, m)
	}
	return all
}

// Line is the metric as ParseMetrics reads it.
func (m Metric) Line() string {
	shown := "sometimes"
	if m.Always {
		shown = "always"
	}
	help := strings.Join(strings.Fields(m.Help), " ")
	return strings.Join([]string{m.Name, m.Type, strings.Join(m.Labels, ","), shown, help}, "\t") + "\n"
}

// DeclaredMetrics are what a configuration made by NewConfig adds to the metrics of its kind:
// nothing, unless it has such a method.
func DeclaredMetrics(config any) []Metric {
	if c, ok := config.(interface{ DeclaredMetrics() []Metric }); ok {
		return c.DeclaredMetrics()
	}
	return nil
}

package control

import (
	"maps"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"

	"upkeep/internal/service"
)

// gauges are samples of upkeep itself, by name and labels.
type gauges map[string]*dto.MetricFamily

// system is kept beside the families under a name that none has.
func newGauges(system string) gauges {
	return gauges{"": {Name: proto.String(system)}}
}

// set takes labels as name, value, name, value.
func (g gauges) set(name string, value float64, labels ...string) {
	if g[name] == nil {
		g[name] = &dto.MetricFamily{Name: proto.String(name), Help: proto.String(helpOf(name)), Type: dto.MetricType_GAUGE.Enum()}
	}
	g[name].Metric = append(g[name].Metric, &dto.Metric{Label: g.labels(labels), Gauge: &dto.Gauge{Value: proto.Float64(value)}})
}

// first sets what was not set yet.
func (g gauges) first(name string, value float64, labels ...string) {
	if f := g[name]; f != nil && slices.ContainsFunc(f.Metric, func(m *dto.Metric) bool { return same(m.Label, g.labels(labels)) }) {
		return
	}
	g.set(name, value, labels...)
}

func (g gauges) labels(labels []string) []*dto.LabelPair {
	all := append([]string{"instance", selfKind, "job", selfKind, "system", g[""].GetName()}, labels...)
	var pairs []*dto.LabelPair
	for pair := range slices.Chunk(all, 2) {
		pairs = append(pairs, &dto.LabelPair{Name: proto.String(pair[0]), Value: proto.String(pair[1])})
	}
	slices.SortFunc(pairs, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) })
	return pairs
}

func same(a, b []*dto.LabelPair) bool {
	return slices.EqualFunc(a, b, func(x, y *dto.LabelPair) bool { return x.GetName() == y.GetName() && x.GetValue() == y.GetValue() })
}

func (g gauges) families() []*dto.MetricFamily {
	var all []*dto.MetricFamily
	for _, name := range slices.Sorted(maps.Keys(g)) {
		if name != "" {
			all = append(all, g[name])
		}
	}
	return all
}

func helpOf(name string) string {
	metrics := SelfMetrics()
	i := slices.IndexFunc(metrics, func(m service.Metric) bool { return m.Name == name })
	if i < 0 {
		return ""
	}
	return metrics[i].Help
}

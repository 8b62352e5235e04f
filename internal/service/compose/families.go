package compose

import (
	"maps"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"
)

// families are samples of one round by the name of their metric.
type families map[string]*dto.MetricFamily

func (f families) gauge(name, help string, value float64, labels ...string) {
	f.add(name, help, dto.MetricType_GAUGE, labels).Gauge = &dto.Gauge{Value: &value}
}

func (f families) counter(name, help string, value float64, labels ...string) {
	f.add(name, help, dto.MetricType_COUNTER, labels).Counter = &dto.Counter{Value: &value}
}

// add takes labels as names and values by turns, and orders them as exporters do.
func (f families) add(name, help string, sort dto.MetricType, labels []string) *dto.Metric {
	if f[name] == nil {
		f[name] = &dto.MetricFamily{Name: &name, Help: &help, Type: sort.Enum()}
	}
	m := &dto.Metric{}
	for pair := range slices.Chunk(labels, 2) {
		m.Label = append(m.Label, &dto.LabelPair{Name: proto.String(pair[0]), Value: proto.String(pair[1])})
	}
	slices.SortFunc(m.Label, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) })
	f[name].Metric = append(f[name].Metric, m)
	return m
}

func (f families) merge(other families) {
	for name, family := range other {
		if f[name] == nil {
			f[name] = family
			continue
		}
		f[name].Metric = append(f[name].Metric, family.Metric...)
	}
}

func (f families) emit(emit func(*dto.MetricFamily)) {
	for _, name := range slices.Sorted(maps.Keys(f)) {
		emit(f[name])
	}
}

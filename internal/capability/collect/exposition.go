package collect

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// Exposition is what several targets gave, each family once.
type Exposition struct {
	families map[string]*dto.MetricFamily
	targets  int
}

// Targets is how many gave something or said why not.
func (e *Exposition) Targets() int { return e.targets }

// Families are all, by name. They are not to be changed.
func (e *Exposition) Families() []*dto.MetricFamily {
	var all []*dto.MetricFamily
	for _, name := range slices.Sorted(maps.Keys(e.families)) {
		all = append(all, e.families[name])
	}
	return all
}

// Add takes what one target gave. Of two targets that disagree about a family's type the first
// one's stands, because a family has one; the error says so.
func (e *Exposition) Add(s Sampled) error {
	if e.families == nil {
		e.families = map[string]*dto.MetricFamily{}
	}
	if s.Target != "" {
		e.targets++
	}
	var err error
	for _, f := range s.Families {
		switch known, there := e.families[f.GetName()]; {
		case !there:
			e.families[f.GetName()] = &dto.MetricFamily{Name: f.Name, Help: f.Help, Type: f.Type, Metric: slices.Clone(f.Metric)}
		case known.GetType() == f.GetType():
			known.Metric = append(known.Metric, f.Metric...)
		default:
			err = fmt.Errorf("%s is a %s here and a %s of another target", f.GetName(), f.GetType(), known.GetType())
		}
	}
	return err
}

// OpenMetrics writes all, by name, with the closing mark of the format
// (https://prometheus.io/docs/specs/om/open_metrics_spec/).
func (e *Exposition) OpenMetrics(out io.Writer) error {
	err := e.write(func(f *dto.MetricFamily) error {
		_, err := expfmt.MetricFamilyToOpenMetrics(out, plain(f))
		return err
	})
	if err != nil {
		return err
	}
	_, err = expfmt.FinalizeOpenMetrics(out)
	return err
}

// Text writes all, by name, as exporters do for whoever scrapes them
// (https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4).
func (e *Exposition) Text(out io.Writer) error {
	return e.write(func(f *dto.MetricFamily) error {
		_, err := expfmt.MetricFamilyToText(out, f)
		return err
	})
}

func (e *Exposition) write(one func(*dto.MetricFamily) error) error {
	for _, name := range slices.Sorted(maps.Keys(e.families)) {
		slices.SortStableFunc(e.families[name].Metric, byTarget)
		if err := one(e.families[name]); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// plain makes a counter whose name does not end in _total one of unknown type: OpenMetrics
// would give it that ending, and stock dashboards ask for pg_stat_database_xact_commit.
func plain(f *dto.MetricFamily) *dto.MetricFamily {
	if f.GetType() != dto.MetricType_COUNTER || strings.HasSuffix(f.GetName(), "_total") {
		return f
	}
	plain := &dto.MetricFamily{Name: f.Name, Help: f.Help, Type: dto.MetricType_UNTYPED.Enum()}
	for _, m := range f.Metric {
		plain.Metric = append(plain.Metric, &dto.Metric{Label: m.Label, Untyped: &dto.Untyped{Value: m.Counter.Value}})
	}
	return plain
}

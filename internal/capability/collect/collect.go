// Package collect takes one round of samples of every target and writes them as
// OpenMetrics, each family once, each sample with its target's label.
package collect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"golang.org/x/sync/errgroup"

	"upkeep/internal/inventory"
	"upkeep/internal/service"
)

// Round is one round over chosen targets.
type Round struct {
	System  string
	Targets []inventory.Target

	mu       sync.Mutex
	families map[string]*dto.MetricFamily
	clashes  map[string]error // of targets whose families are of another type than earlier ones
}

// atOnce bounds the targets that are asked side by side.
const atOnce = 8

// Take asks every target. The errors are those of single targets, by name; what
// the others gave is kept.
func (r *Round) Take(ctx context.Context) map[string]error {
	r.families, r.clashes = map[string]*dto.MetricFamily{}, map[string]error{}
	failed := map[string]error{}
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, t := range r.Targets {
		group.Go(func() error {
			if err := r.target(ctx, t); err != nil {
				mu.Lock()
				failed[t.Name] = err
				mu.Unlock()
			}
			return nil
		})
	}
	_ = group.Wait() // its funcs never fail: errors are kept by target
	return failed
}

func (r *Round) target(ctx context.Context, t inventory.Target) (err error) {
	in, err := t.Open()
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, in.Close()) }()
	collector, err := service.As[service.Collector](in)
	if err != nil {
		return err
	}
	defer func() {
		if panicked := recover(); panicked != nil { // one kind's mistake must not take the others' samples down
			err = fmt.Errorf("collecting panicked with a %T", panicked)
		}
	}()
	err = collector.Collect(ctx, func(f *dto.MetricFamily) { r.add(t.Name, f) })
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(err, r.clashes[t.Name])
}

// add keeps a family. Of two targets that disagree about its type the first one's
// stands, because a family has one.
func (r *Round) add(target string, f *dto.MetricFamily) {
	for _, m := range f.Metric {
		m.Label = append(m.Label, label("system", r.System), label(targetLabel, target))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.families[f.GetName()]
	switch {
	case !ok:
		r.families[f.GetName()] = f
	case known.GetType() == f.GetType():
		known.Metric = append(known.Metric, f.Metric...)
	default:
		r.clashes[target] = fmt.Errorf("%s is a %s here and a %s of another target", f.GetName(), f.GetType(), known.GetType())
	}
}

const targetLabel = "target"

// byTarget orders samples; those of one target stay as they came.
func byTarget(a, b *dto.Metric) int { return cmp.Compare(targetOf(a), targetOf(b)) }

func targetOf(m *dto.Metric) string {
	for _, l := range slices.Backward(m.Label) {
		if l.GetName() == targetLabel {
			return l.GetValue()
		}
	}
	return ""
}

func label(name, value string) *dto.LabelPair { return &dto.LabelPair{Name: &name, Value: &value} }

// Families are what was taken, by name.
func (r *Round) Families() []*dto.MetricFamily {
	var families []*dto.MetricFamily
	for _, name := range slices.Sorted(maps.Keys(r.families)) {
		families = append(families, r.families[name])
	}
	return families
}

// Write writes what was taken, by name, with the closing mark of the format
// (https://prometheus.io/docs/specs/om/open_metrics_spec/).
func (r *Round) Write(out io.Writer) error {
	for _, name := range slices.Sorted(maps.Keys(r.families)) {
		slices.SortStableFunc(r.families[name].Metric, byTarget)
		if _, err := expfmt.MetricFamilyToOpenMetrics(out, r.families[name]); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	_, err := expfmt.FinalizeOpenMetrics(out)
	return err
}

// Package collect takes one round of samples of every target and writes them as
// OpenMetrics, each family once, each sample with its target's label.
package collect

import (
	"cmp"
	"context"
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
}

// atOnce bounds the targets that are asked side by side.
const atOnce = 8

// Take asks every target. The errors are those of single targets, by name; what
// the others gave is kept.
func (r *Round) Take(ctx context.Context) map[string]error {
	r.families = map[string]*dto.MetricFamily{}
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
	return collector.Collect(ctx, func(f *dto.MetricFamily) { r.add(t.Name, f) })
}

func (r *Round) add(target string, f *dto.MetricFamily) {
	for _, m := range f.Metric {
		m.Label = append(m.Label, label("system", r.System), label("target", target))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.families[f.GetName()]
	if !ok {
		r.families[f.GetName()] = f
		return
	}
	if known.GetType() == f.GetType() { // two exporters that disagree: the first one's type stands
		known.Metric = append(known.Metric, f.Metric...)
	}
}

func label(name, value string) *dto.LabelPair { return &dto.LabelPair{Name: &name, Value: &value} }

// Write writes what was taken, by name, with the closing mark of the format
// (https://prometheus.io/docs/specs/om/open_metrics_spec/).
func (r *Round) Write(out io.Writer) error {
	for _, name := range slices.Sorted(maps.Keys(r.families)) {
		if _, err := expfmt.MetricFamilyToOpenMetrics(out, r.families[name]); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	_, err := expfmt.FinalizeOpenMetrics(out)
	return err
}

// Package collect takes rounds of samples of every target and writes them as others read
// them: each family once, each sample with the labels that rules and dashboards ask for.
package collect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"golang.org/x/sync/errgroup"

	"upkeep/internal/inventory"
	"upkeep/internal/service"
)

// Round takes one round after another over chosen targets. Their instances stay open between
// rounds, with their connections; one that failed is opened anew.
type Round struct {
	System  string
	Targets []inventory.Target

	mu   sync.Mutex
	open map[string]service.Instance // by target
}

// Sampled is what one target gave in a round.
type Sampled struct {
	Target   string    // empty = upkeep itself
	At       time.Time // before it was asked
	Families []*dto.MetricFamily
	Err      error // what could not be sampled; the families have the rest
}

// atOnce bounds the targets that are asked side by side.
const atOnce = 8

// Take asks every target once. got is called for one after the other as soon as it has
// answered, so that a slow one keeps nobody waiting but itself.
func (r *Round) Take(ctx context.Context, got func(Sampled)) {
	var one sync.Mutex
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, t := range r.Targets {
		group.Go(func() error {
			s := r.sample(ctx, t)
			one.Lock()
			defer one.Unlock()
			got(s)
			return nil
		})
	}
	_ = group.Wait() // its funcs never fail: errors are kept by target
}

// Close gives back what is open.
func (r *Round) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, in := range r.open {
		errs = append(errs, in.Close())
	}
	r.open = nil
	return errors.Join(errs...)
}

func (r *Round) sample(ctx context.Context, t inventory.Target) Sampled {
	s := Sampled{Target: t.Name, At: time.Now()}
	s.Families, s.Err = r.collect(ctx, t)
	if s.Err != nil {
		s.Err = errors.Join(s.Err, r.drop(t.Name))
	}
	s.Families = append(s.Families, about(s)...)
	with := labels{label("instance", t.Name), label("job", t.Kind.Name()), label("system", r.System), label(targetLabel, t.Name)}
	for _, f := range s.Families {
		with.add(f)
	}
	return s
}

func (r *Round) collect(ctx context.Context, t inventory.Target) (families []*dto.MetricFamily, err error) {
	defer func() {
		if panicked := recover(); panicked != nil { // one kind's mistake must not take the others' samples down
			err = fmt.Errorf("collecting panicked with a %T", panicked)
		}
	}()
	in, err := r.instance(t)
	if err != nil {
		return nil, err
	}
	collector, err := service.As[service.Collector](in)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	err = collector.Collect(ctx, func(f *dto.MetricFamily) {
		mu.Lock()
		defer mu.Unlock()
		families = append(families, f)
	})
	mu.Lock() // a collector that was left behind may still emit
	defer mu.Unlock()
	return slices.Clone(families), err
}

func (r *Round) instance(t inventory.Target) (service.Instance, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if in := r.open[t.Name]; in != nil {
		return in, nil
	}
	in, err := t.Open()
	if err != nil {
		return nil, err
	}
	if r.open == nil {
		r.open = map[string]service.Instance{}
	}
	r.open[t.Name] = in
	return in, nil
}

func (r *Round) drop(target string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	in := r.open[target]
	delete(r.open, target)
	if in == nil {
		return nil
	}
	return in.Close()
}

// about is what Prometheus itself adds to every target that it scrapes.
func about(s Sampled) []*dto.MetricFamily {
	up, n := 1.0, 0
	if s.Err != nil {
		up = 0
	}
	for _, f := range s.Families {
		n += len(f.Metric)
	}
	return []*dto.MetricFamily{
		gauge("up", "Whether the target answered and everything was sampled.", up),
		gauge("scrape_duration_seconds", "How long the target took to sample.", time.Since(s.At).Seconds()),
		gauge("scrape_samples_scraped", "Samples that the target gave.", float64(n)),
	}
}

// labels are what every sample of a target gets, shared by all of them.
type labels []*dto.LabelPair

// add keeps a label that a sample has itself under another name, as Prometheus does.
func (l labels) add(f *dto.MetricFamily) {
	for _, m := range f.Metric {
		for i, own := range m.Label {
			if slices.ContainsFunc(l, func(p *dto.LabelPair) bool { return p.GetName() == own.GetName() }) {
				m.Label[i] = label("exported_"+own.GetName(), own.GetValue())
			}
		}
		m.Label = append(slices.Clip(m.Label), l...)
	}
}

const targetLabel = "target"

func label(name, value string) *dto.LabelPair { return &dto.LabelPair{Name: &name, Value: &value} }

func gauge(name, help string, value float64) *dto.MetricFamily {
	return &dto.MetricFamily{Name: &name, Help: &help, Type: dto.MetricType_GAUGE.Enum(),
		Metric: []*dto.Metric{{Gauge: &dto.Gauge{Value: &value}}}}
}

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

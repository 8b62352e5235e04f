package series

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
)

// appended are the series of the latest round of each source, so that those that are gone are
// marked, as scraping does: otherwise an alert would go on for five minutes about what is no more.
type appended struct {
	mu      sync.Mutex
	round   uint64
	at      time.Time                   // when it was written
	sources map[string]map[string]*kept // series by their labels' bytes
	build   labels.ScratchBuilder
	key     []byte
}

type kept struct {
	labels labels.Labels
	ref    storage.SeriesRef
	round  uint64
}

func (a *appended) latest() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.at
}

func newAppended() *appended { return &appended{sources: map[string]map[string]*kept{}} }

// Append writes one round of samples of a source: a target, or all of them. A series of its
// round before that is not in this one has ended at this time.
func (s *Store) Append(ctx context.Context, source string, at time.Time, families []*dto.MetricFamily) error {
	a := s.appended
	a.mu.Lock()
	defer a.mu.Unlock()
	return s.append(ctx, source, at, families)
}

func (s *Store) append(ctx context.Context, source string, at time.Time, families []*dto.MetricFamily) error {
	a := s.appended
	if a.sources[source] == nil {
		a.sources[source] = map[string]*kept{}
	}
	a.round++
	r := &round{appended: a, series: a.sources[source], app: s.storage.AppenderV2(context.WithoutCancel(ctx)), at: at.UnixMilli()}
	for _, f := range families {
		r.family(f)
	}
	r.ended()
	if err := r.app.Commit(); err != nil {
		return fmt.Errorf("write %d samples: %w", r.written, err)
	}
	a.at = time.Now()
	if r.failed != nil {
		return fmt.Errorf("%d of %d samples not written: %w", r.refused, r.refused+r.written, r.failed)
	}
	return nil
}

// round is one Append.
type round struct {
	*appended
	series           map[string]*kept
	app              storage.AppenderV2
	at               int64
	options          storage.AOptions
	written, refused int
	failed           error // the first
}

func (r *round) family(f *dto.MetricFamily) {
	name := f.GetName()
	r.options = storage.AOptions{MetricFamilyName: name, Metadata: metadata.Metadata{Help: f.GetHelp(), Unit: f.GetUnit()}}
	for _, m := range f.GetMetric() {
		switch {
		case m.Counter != nil:
			r.sample(name, m, "", "", m.Counter.GetValue())
		case m.Gauge != nil:
			r.sample(name, m, "", "", m.Gauge.GetValue())
		case m.Untyped != nil:
			r.sample(name, m, "", "", m.Untyped.GetValue())
		case m.Summary != nil:
			r.summary(name, m)
		case m.Histogram != nil:
			r.histogram(name, m)
		}
	}
}

func (r *round) summary(name string, m *dto.Metric) {
	for _, q := range m.Summary.GetQuantile() {
		r.sample(name, m, "quantile", number(q.GetQuantile()), q.GetValue())
	}
	r.sample(name+"_sum", m, "", "", m.Summary.GetSampleSum())
	r.sample(name+"_count", m, "", "", float64(m.Summary.GetSampleCount()))
}

func (r *round) histogram(name string, m *dto.Metric) {
	h, whole := m.Histogram, false
	for _, b := range h.GetBucket() {
		whole = whole || math.IsInf(b.GetUpperBound(), 1)
		r.sample(name+"_bucket", m, labels.BucketLabel, number(b.GetUpperBound()), float64(b.GetCumulativeCount()))
	}
	if !whole {
		r.sample(name+"_bucket", m, labels.BucketLabel, "+Inf", float64(h.GetSampleCount()))
	}
	r.sample(name+"_sum", m, "", "", h.GetSampleSum())
	r.sample(name+"_count", m, "", "", float64(h.GetSampleCount()))
}

func number(v float64) string {
	if math.IsInf(v, 1) {
		return "+Inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// sample writes one value of the series that the metric's labels and one more name.
func (r *round) sample(name string, m *dto.Metric, extra, of string, v float64) {
	r.build.Reset()
	r.build.Add(model.MetricNameLabel, name)
	for _, l := range m.GetLabel() {
		if l.GetValue() != "" { // a label without a value is none
			r.build.Add(l.GetName(), l.GetValue())
		}
	}
	if extra != "" {
		r.build.Add(extra, of)
	}
	r.build.Sort()
	k := r.known(r.build.Labels())
	if k.round == r.round {
		r.refuse(fmt.Errorf("twice in one round: %s", k.labels))
		return
	}
	k.round = r.round
	at := r.at
	if m.TimestampMs != nil {
		at = m.GetTimestampMs()
	}
	r.write(k, at, v)
}

func (r *round) known(l labels.Labels) *kept {
	r.key = l.Bytes(r.key)
	k, ok := r.series[string(r.key)]
	if !ok {
		k = &kept{labels: l}
		r.series[string(r.key)] = k
	}
	return k
}

func (r *round) write(k *kept, at int64, v float64) {
	ref, err := r.app.Append(k.ref, k.labels, 0, at, v, nil, nil, r.options)
	if err != nil && !errors.Is(err, storage.ErrDuplicateSampleForTimestamp) {
		r.refuse(fmt.Errorf("%s: %w", k.labels, err))
		return
	}
	k.ref = ref
	r.written++
}

func (r *round) refuse(err error) {
	r.refused++
	if r.failed == nil {
		r.failed = err
	}
}

// ended marks the series that this round does not have, and forgets them.
func (r *round) ended() {
	stale := math.Float64frombits(value.StaleNaN)
	r.options = storage.AOptions{}
	for key, k := range r.series {
		if k.round != r.round {
			r.write(k, r.at, stale)
			delete(r.series, key)
		}
	}
}

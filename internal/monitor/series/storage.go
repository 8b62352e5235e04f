package series

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/wlog"
	"github.com/prometheus/prometheus/util/compression"
)

// Limits of a small machine. Prometheus' own defaults are made for large ones.
const (
	stripes       = 512 // of the index of series; 16384 there
	flushDeadline = 5 * time.Second
)

// samples is local storage: on disk, and in memory alone while the disk takes nothing. It is
// a storage.Storage that no appender and no querier outlives, whichever it is.
type samples struct {
	opt    Options
	losses *losses
	wake   wlog.WriteNotified // whoever reads the log on disk
	failed atomic.Bool        // the disk has refused a commit

	mu      sync.Mutex
	current *place
	config  *config.Config
	places  int
}

// openSamples opens what is on disk, or memory alone when there is no room to work with it:
// Prometheus' storage ends the process when it cannot write.
func openSamples(opt Options) (*samples, error) {
	s := &samples{opt: opt, losses: newLosses(opt.Dir, opt.Keep, opt.Log)}
	if err := makeDirs(opt.Dir); err != nil {
		return nil, err
	}
	if err := writable(opt.Dir); err != nil {
		s.losses.begin(Loss{What: DiskRefuses, Why: err.Error()})
		return s, s.enter(openMemory(opt))
	}
	return s, s.enter(openDisk(opt, s.losses))
}

// enter makes p where samples go, and gives what it was before.
func (s *samples) enter(p *place, err error) error {
	if err != nil {
		return err
	}
	s.swap(p)
	return nil
}

func (s *samples) swap(p *place) (old *place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.byLabels = s.places > 0
	if p.disk != nil && s.config != nil {
		_ = p.disk.ApplyConfig(s.config) // was accepted before
	}
	if p.disk != nil && s.wake != nil {
		p.disk.SetWriteNotified(s.wake)
	}
	old, s.current = s.current, p
	s.places++
	return old
}

// lend gives the place in force. It is not closed before done.
func (s *samples) lend() (p *place, done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current.users.Add(1)
	return s.current, s.current.users.Done
}

// ApplyConfig takes how long and how much is kept.
func (s *samples) ApplyConfig(c *config.Config) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.config = c
	if s.current.disk == nil {
		return nil
	}
	return s.current.disk.ApplyConfig(c)
}

// notify wakes whoever reads the log on disk.
func (s *samples) notify(w wlog.WriteNotified) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wake = w
	if s.current.disk != nil {
		s.current.disk.SetWriteNotified(w)
	}
}

func (s *samples) Appender(ctx context.Context) storage.Appender {
	p, done := s.lend()
	return &appender{Appender: p.appender(ctx), end: ending{s, done}}
}

func (s *samples) AppenderV2(ctx context.Context) storage.AppenderV2 {
	p, done := s.lend()
	a := &appenderV2{AppenderV2: p.appenderV2(ctx), end: ending{s, done}}
	if p.byLabels {
		return &unnumbered{a}
	}
	return a
}

func (s *samples) Querier(mint, maxt int64) (storage.Querier, error) {
	p, done := s.lend()
	q, err := p.querier(mint, maxt)
	if err != nil {
		done()
		return nil, err
	}
	return &querier{q, done}, nil
}

func (s *samples) ChunkQuerier(mint, maxt int64) (storage.ChunkQuerier, error) {
	p, done := s.lend()
	q, err := p.chunkQuerier(mint, maxt)
	if err != nil {
		done()
		return nil, err
	}
	return &chunkQuerier{q, done}, nil
}

// StartTime is that of the oldest sample, in milliseconds.
func (s *samples) StartTime() (int64, error) {
	p, done := s.lend()
	defer done()
	return p.startTime()
}

// Close writes what is not yet on disk. Nobody may use the samples any more.
func (s *samples) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		return nil
	}
	return s.current.close()
}

// ending is what the end of an appender means.
type ending struct {
	samples *samples
	done    func()
}

func (e ending) committed(err error) error {
	if err != nil {
		e.samples.failed.Store(true)
	}
	e.done()
	return err
}

type appender struct {
	storage.Appender
	end ending
}

func (a *appender) Commit() error { return a.end.committed(a.Appender.Commit()) }

func (a *appender) Rollback() error {
	defer a.end.done()
	return a.Appender.Rollback()
}

type appenderV2 struct {
	storage.AppenderV2
	end ending
}

func (a *appenderV2) Commit() error { return a.end.committed(a.AppenderV2.Commit()) }

func (a *appenderV2) Rollback() error {
	defer a.end.done()
	return a.AppenderV2.Rollback()
}

// unnumbered finds series by their labels: whoever appends may remember a number that means
// another series here.
type unnumbered struct{ *appenderV2 }

func (a *unnumbered) Append(_ storage.SeriesRef, l labels.Labels, st, t int64, v float64, h *hist, fh *floatHist, o storage.AOptions) (storage.SeriesRef, error) {
	return a.appenderV2.Append(0, l, st, t, v, h, fh, o)
}

type querier struct {
	storage.Querier
	done func()
}

func (q *querier) Close() error {
	defer q.done()
	return q.Querier.Close()
}

type chunkQuerier struct {
	storage.ChunkQuerier
	done func()
}

func (q *chunkQuerier) Close() error {
	defer q.done()
	return q.ChunkQuerier.Close()
}

func diskOptions(opt Options) *tsdb.Options {
	o := tsdb.DefaultOptions()
	o.RetentionDuration = opt.Keep.Milliseconds()
	o.MaxBytes = opt.Size
	o.MaxBlockDuration = max(o.MinBlockDuration, min((31*24*time.Hour).Milliseconds(), opt.Keep.Milliseconds()/10))
	o.WALCompression = compression.Snappy
	o.StripeSize = stripes
	o.HeadChunksWriteBufferSize = chunks.MinWriteBufferSize
	return o
}

// forwarded adds remote storage, where a declaration has some.
type forwarded struct {
	*samples
	remote *remote.Storage
	all    storage.Storage // both
	on     atomic.Bool
}

func (f *forwarded) Appender(ctx context.Context) storage.Appender { return f.chosen().Appender(ctx) }

func (f *forwarded) AppenderV2(ctx context.Context) storage.AppenderV2 {
	return f.chosen().AppenderV2(ctx)
}

func (f *forwarded) Querier(mint, maxt int64) (storage.Querier, error) {
	return f.chosen().Querier(mint, maxt)
}

func (f *forwarded) ChunkQuerier(mint, maxt int64) (storage.ChunkQuerier, error) {
	return f.chosen().ChunkQuerier(mint, maxt)
}

func (f *forwarded) chosen() storage.Storage {
	if f.on.Load() {
		return f.all
	}
	return f.samples
}

// ApplyConfig takes where samples are written and read as well.
func (f *forwarded) ApplyConfig(c *config.Config) error {
	if err := f.remote.ApplyConfig(c); err != nil {
		return err
	}
	f.on.Store(len(c.RemoteWriteConfigs)+len(c.RemoteReadConfigs) > 0)
	return nil
}

func (f *forwarded) Close() error { return errors.Join(f.remote.Close(), f.samples.Close()) }

package series

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"golang.org/x/sys/unix"
)

// A disk that takes nothing must not end alerts: the one about the disk is among them.
// Prometheus' storage loses every sample then, and ends the process when a chunk cannot be
// written. So the disk is left before it is full, and samples go on in memory.

const (
	roomNeeded = 16 << 20         // bytes that must be free for samples to go to the disk
	roomAgain  = 2 * roomNeeded   // to return to it
	memoryKeep = time.Hour        // of samples, while the disk takes nothing
	tryAgain   = 30 * time.Second // after the disk has refused though it has room
	batch      = 5000             // samples that are copied at once
)

// guard watches the disk until ctx ends.
func (s *samples) guard(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var wait, tidied time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			onDisk := s.onDisk()
			switch free := room(s.opt.Dir); {
			case onDisk && (free < roomNeeded || s.failed.Load()):
				s.leaveDisk(ctx, free)
				wait = now.Add(tryAgain)
			case !onDisk && free >= roomAgain && (now.After(wait) || !s.failed.Load()):
				s.returnToDisk(ctx)
				wait = now.Add(tryAgain)
			case !onDisk && now.Sub(tidied) > time.Minute:
				s.forget(now.Add(-memoryKeep))
				tidied = now
			}
		}
	}
}

func (s *samples) onDisk() bool {
	p, done := s.lend()
	defer done()
	return p.disk != nil
}

// room is how many bytes may be written to the disk of dir. One that cannot be asked is left
// to the errors of writing.
func room(dir string) uint64 {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return roomAgain
	}
	return st.Bavail * uint64(st.Bsize)
}

// writable tries it.
func writable(dir string) error {
	if free := room(dir); free < roomNeeded {
		return fmt.Errorf("only %d bytes are free below %s, %d are needed", free, dir, roomNeeded)
	}
	name := filepath.Join(dir, memoryDir, "try")
	defer func() { _ = os.Remove(name) }() // is written over the next time
	if err := os.WriteFile(name, make([]byte, 1<<16), 0o600); err != nil {
		return fmt.Errorf("try to write: %w", err)
	}
	return nil
}

// leaveDisk goes on in memory, with the samples of the last hour.
func (s *samples) leaveDisk(ctx context.Context, free uint64) {
	why := fmt.Sprintf("%d bytes are free below %s, %d are needed", free, s.opt.Dir, roomNeeded)
	if s.failed.Load() {
		why = "writing has failed; " + why
	}
	next, err := openMemory(s.opt)
	if err != nil {
		s.opt.Log.Error("disk not left", "error", err)
		return
	}
	s.losses.begin(Loss{What: DiskRefuses, Why: why})
	s.move(ctx, next, time.Now().Add(-memoryKeep).UnixMilli())
}

// returnToDisk writes what was held in memory.
func (s *samples) returnToDisk(ctx context.Context) {
	if err := writable(s.opt.Dir); err != nil {
		s.opt.Log.Debug("disk still refuses", "error", err)
		return
	}
	next, err := openDisk(s.opt, s.losses)
	if err != nil {
		s.opt.Log.Error("disk not written again", "error", err)
		return
	}
	s.failed.Store(false)
	s.move(ctx, next, max(next.disk.Head().MaxTime(), time.Now().Add(-memoryKeep).UnixMilli()))
	s.losses.end()
}

// move goes on at another place, with the samples since then, in milliseconds. What arrives meanwhile is
// copied after the move, where it is not older than what has arrived there.
func (s *samples) move(ctx context.Context, next *place, since int64) {
	p, done := s.lend()
	copied := time.Now()
	failed := copySamples(ctx, p, next, since)
	done()
	old := s.swap(next)
	old.users.Wait()
	failed = errors.Join(failed, copySamples(ctx, old, next, copied.Add(-time.Second).UnixMilli()), old.close())
	if failed != nil {
		s.opt.Log.Error("samples not moved in full", "error", failed)
	}
}

// copySamples leaves out what the other place has already, or has newer.
func copySamples(ctx context.Context, from, to *place, since int64) (err error) {
	q, err := from.querier(since, time.Now().UnixMilli())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	c := copier{ctx: ctx, to: to}
	all := labels.MustNewMatcher(labels.MatchNotEqual, model.MetricNameLabel, "")
	set := q.Select(ctx, false, nil, all)
	var it chunkenc.Iterator
	for set.Next() {
		it = set.At().Iterator(it)
		if err := c.series(set.At().Labels(), it); err != nil {
			return errors.Join(err, c.end())
		}
	}
	return errors.Join(set.Err(), c.end())
}

// copier writes in batches, so that memory is bounded.
type copier struct {
	ctx  context.Context
	to   *place
	app  storage.AppenderV2
	held int
}

func (c *copier) series(l labels.Labels, it chunkenc.Iterator) error {
	for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
		if c.app == nil {
			c.app = c.to.appenderV2(c.ctx)
		}
		if err := c.sample(l, it, kind); err != nil && !passed(err) {
			return err
		}
		if c.held++; c.held == batch {
			if err := c.end(); err != nil {
				return err
			}
		}
	}
	return it.Err()
}

func (c *copier) sample(l labels.Labels, it chunkenc.Iterator, kind chunkenc.ValueType) (err error) {
	switch kind {
	case chunkenc.ValHistogram:
		t, h := it.AtHistogram(nil)
		_, err = c.app.Append(0, l, 0, t, 0, h, nil, storage.AOptions{})
	case chunkenc.ValFloatHistogram:
		t, fh := it.AtFloatHistogram(nil)
		_, err = c.app.Append(0, l, 0, t, 0, nil, fh, storage.AOptions{})
	default:
		t, v := it.At()
		_, err = c.app.Append(0, l, 0, t, v, nil, nil, storage.AOptions{})
	}
	return err
}

func passed(err error) bool {
	return errors.Is(err, storage.ErrOutOfOrderSample) || errors.Is(err, storage.ErrDuplicateSampleForTimestamp) ||
		errors.Is(err, storage.ErrOutOfBounds) || errors.Is(err, storage.ErrTooOldSample)
}

func (c *copier) end() error {
	if c.app == nil {
		return nil
	}
	app := c.app
	c.app, c.held = nil, 0
	return app.Commit()
}

// forget drops what is older from memory.
func (s *samples) forget(before time.Time) {
	p, done := s.lend()
	defer done()
	if p.memory == nil || p.memory.MinTime() >= before.UnixMilli() {
		return
	}
	if err := p.memory.Truncate(before.UnixMilli()); err != nil {
		s.opt.Log.Error("old samples stay in memory", "error", err)
	}
}

package repository

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/object"
	"golang.org/x/sync/errgroup"

	"upkeep/internal/service"
)

// StoreOptions tune the copy of one target.
type StoreOptions struct {
	Limit int64 // bytes read per second; 0 = no limit
	Total int64 // bytes to come, for progress; 0 = unknown
}

// ahead is how many parts may wait for an earlier one that takes longer.
// flushEvery is how many bytes are read before what was stored of an unfinished
// target is made findable: after a kill they are read again but not stored again.
const (
	ahead         = 512
	flushEvery    = 1 << 30
	findingsLimit = 100
)

// storing is one snapshot on its way into the repository.
type storing struct {
	w        repo.DirectRepositoryWriter
	parallel int
	limit    int64
	progress *progress
	prev     *previous
	pages    *pageWriter
	carried  int
	torn     []service.Finding
	unsaved  int64
}

// job is one part from the snapshot to its place in the index.
type job struct {
	part    service.Part
	entry   entry
	carried bool
	torn    bool
	gone    bool          // it vanished or cannot be read: left out, and named by the manifest
	done    chan struct{} // closed when entry is complete
}

// run lists parts, stores several side by side and indexes them in order. It
// holds a bounded number of parts at any time.
func (s *storing) run(ctx context.Context, snap service.Snapshot) error {
	g, ctx := errgroup.WithContext(ctx)
	todo, inOrder := make(chan *job), make(chan *job, ahead)
	g.Go(func() error {
		defer close(inOrder)
		defer close(todo)
		return s.list(ctx, snap.Parts(ctx), todo, inOrder)
	})
	limit := newLimit(s.limit)
	for range s.parallel {
		in := &intake{w: s.w, limit: limit, progress: s.progress, buffer: make([]byte, bufferSize)}
		g.Go(func() error { return work(ctx, in, todo) })
	}
	g.Go(func() error { return s.collect(ctx, inOrder) })
	return g.Wait()
}

// list sends every part to be indexed, and those with new content to be stored.
func (s *storing) list(ctx context.Context, parts iter.Seq2[service.Part, error], todo, inOrder chan<- *job) error {
	defer s.prev.close()
	last, first := "", true
	for part, err := range parts {
		if err != nil {
			return fmt.Errorf("list parts: %w", err)
		}
		if !first && part.Name <= last {
			return fmt.Errorf("part %q comes after %q, not in ascending order", part.Name, last)
		}
		last, first = part.Name, false
		j, err := s.prepare(ctx, part)
		if err != nil {
			return err
		}
		if err := send(ctx, inOrder, j); err != nil {
			return err
		}
		if j.done != nil {
			if err := send(ctx, todo, j); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// prepare decides what a part needs: nothing, its old content, or to be read.
func (s *storing) prepare(ctx context.Context, part service.Part) (*job, error) {
	if part.Open == nil {
		return &job{entry: newEntry(part)}, nil
	}
	old, found, err := s.prev.unchanged(ctx, s.w, part)
	if err != nil {
		return nil, err
	}
	if found {
		e := newEntry(part)
		e.Size, e.SHA256, e.Object = old.Size, old.SHA256, old.Object
		s.progress.add(e.Size)
		return &job{entry: e, carried: true}, nil
	}
	return &job{part: part, done: make(chan struct{})}, nil
}

func work(ctx context.Context, in *intake, todo <-chan *job) error {
	for j := range todo {
		var err error
		j.entry, j.torn, err = in.store(ctx, j.part)
		j.gone = errors.Is(err, service.ErrNotFound)
		if err != nil && !j.gone {
			return err
		}
		close(j.done)
	}
	return nil
}

func (s *storing) collect(ctx context.Context, inOrder <-chan *job) error {
	for j := range inOrder {
		if j.done != nil {
			select {
			case <-j.done:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := s.index(ctx, j); err != nil {
			return err
		}
	}
	return nil
}

func (s *storing) index(ctx context.Context, j *job) error {
	if j.gone {
		return nil
	}
	if j.carried {
		s.carried++
	} else {
		s.unsaved += j.entry.Size
	}
	if j.torn && len(s.torn) < findingsLimit {
		s.torn = append(s.torn, service.Finding{
			ID: "repository.part-changed", Severity: service.Warning, Subject: string(j.entry.Name),
			Args: service.Args{"attempts": readAttempts},
		})
	}
	if err := s.pages.add(ctx, j.entry); err != nil {
		return err
	}
	if s.unsaved < flushEvery {
		return nil
	}
	s.unsaved = 0
	return s.w.Flush(ctx)
}

func send(ctx context.Context, to chan<- *job, j *job) error {
	select {
	case to <- j:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// previous walks the index of an older copy beside the parts of a new one: both
// ascend, so each index is read once, a few entries ahead.
type previous struct {
	next  func() (entry, error, bool)
	stop  func()
	entry entry
	open  bool
	ended bool
}

// newPrevious returns nil where there is no older copy.
func newPrevious(ctx context.Context, from repo.Repository, c *contents) *previous {
	if c == nil {
		return nil
	}
	next, stop := readAhead(allEntries(ctx, from, *c))
	return &previous{next: next, stop: stop}
}

func (p *previous) close() {
	if p != nil {
		p.stop()
	}
}

// unchanged returns the old entry of a part whose identity is the same and whose
// content is still there. An old index that is damaged is no reason to fail: the
// parts are read.
func (p *previous) unchanged(ctx context.Context, from repo.Repository, part service.Part) (entry, bool, error) {
	if p == nil || part.Identity == "" {
		return entry{}, false, nil
	}
	for !p.ended && (!p.open || string(p.entry.Name) < part.Name) {
		e, err, more := p.next()
		if err != nil && !errors.Is(err, service.ErrDamaged) {
			return entry{}, false, err
		}
		p.entry, p.open, p.ended = e, true, !more || err != nil
	}
	if p.ended || string(p.entry.Name) != part.Name || string(p.entry.Identity) != part.Identity || p.entry.Object == "" {
		return entry{}, false, nil
	}
	there, err := present(ctx, from, p.entry.Object)
	return p.entry, there, err
}

// present reports whether every content of an object is in the index and not
// taken back because it could not be read.
func present(ctx context.Context, from repo.Repository, name string) (bool, error) {
	id, err := object.ParseID(name)
	if err != nil {
		return false, nil
	}
	ids, err := from.VerifyObject(ctx, id)
	if err != nil {
		err = readError(err)
		if errors.Is(err, service.ErrDamaged) {
			return false, nil
		}
		return false, err
	}
	for _, c := range ids {
		info, err := from.ContentInfo(ctx, c)
		if err != nil || info.Deleted {
			return false, nil //nolint:nilerr // not in the index: read the part
		}
	}
	return true, nil
}

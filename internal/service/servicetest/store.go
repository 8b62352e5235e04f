package servicetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"upkeep/internal/service"
)

// readers is how many parts Store reads at a time.
const readers = 4

// Copy is a stored copy for tests: contents in nameless files that vanish with
// the process, the list of parts in memory.
type Copy struct {
	manifest service.Manifest
	parts    []service.Part
}

var _ service.Copy = (*Copy)(nil)

// Store reads snap as a repository does: parts side by side, each to its end, a
// part that changed once more, a part that is gone (ErrNotFound) left out. It
// does not close snap.
func Store(ctx context.Context, snap service.Snapshot) (*Copy, error) {
	return StoreAfter(ctx, snap, nil)
}

// StoreAfter is Store with a previous copy: parts whose identity is unchanged are
// taken from prev and not opened.
func StoreAfter(ctx context.Context, snap service.Snapshot, prev service.Copy) (*Copy, error) {
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	s := &storing{prev: prev}
	listing := s.list(reading, snap, group)
	// The goroutines' error comes first: it is why the listing was cancelled.
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if listing != nil {
		return nil, listing
	}
	manifest, err := snap.Manifest(ctx)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	slices.SortFunc(s.parts, func(a, b service.Part) int { return strings.Compare(a.Name, b.Name) })
	return &Copy{manifest: manifest, parts: s.parts}, nil
}

type storing struct {
	prev   service.Copy
	mu     sync.Mutex
	parts  []service.Part
	spools []*spool // those that nobody writes to
}

func (s *storing) list(ctx context.Context, snap service.Snapshot, group *errgroup.Group) error {
	last := ""
	for p, err := range snap.Parts(ctx) {
		if err != nil {
			return fmt.Errorf("list parts: %w", err)
		}
		if last != "" && p.Name <= last {
			return fmt.Errorf("part %q comes after %q", p.Name, last)
		}
		last = p.Name
		if old, ok := s.unchanged(ctx, p); ok {
			p.Open, p.SHA256, p.Size = old.Open, old.SHA256, old.Size
			s.add(p)
			continue
		}
		if p.Open == nil {
			p.Size = 0
			s.add(p)
			continue
		}
		group.Go(func() error { return s.keep(ctx, p) })
	}
	return ctx.Err()
}

func (s *storing) unchanged(ctx context.Context, p service.Part) (service.Part, bool) {
	if s.prev == nil || p.Identity == "" || p.Open == nil {
		return service.Part{}, false
	}
	old, err := s.prev.Part(ctx, p.Name)
	return old, err == nil && old.Identity == p.Identity
}

func (s *storing) add(p service.Part) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts = append(s.parts, p)
}

// keep stores the content of one part.
func (s *storing) keep(ctx context.Context, p service.Part) error {
	to, err := s.spool()
	if err != nil {
		return err
	}
	defer s.done(to)
	err = to.take(ctx, &p)
	if errors.Is(err, service.ErrChanged) {
		err = to.take(ctx, &p)
	}
	if errors.Is(err, service.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("part %q: %w", p.Name, err)
	}
	s.add(p)
	return nil
}

func (s *storing) spool() (*spool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.spools); n > 0 {
		last := s.spools[n-1]
		s.spools = s.spools[:n-1]
		return last, nil
	}
	return newSpool()
}

func (s *storing) done(to *spool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spools = append(s.spools, to)
}

// spool is a file without a name that contents are put into one after the other.
type spool struct {
	file *os.File
	end  int64
	buf  []byte
}

func newSpool() (*spool, error) {
	file, err := os.CreateTemp("", "uk-copy-")
	if err != nil {
		return nil, err
	}
	return &spool{file: file, buf: make([]byte, block)}, os.Remove(file.Name())
}

// take reads the content of p and points p at the stored one.
func (s *spool) take(ctx context.Context, p *service.Part) (err error) {
	content, err := p.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	start, sum, to := s.end, sha256.New(), &sparse{file: s.file, at: s.end}
	size, err := io.CopyBuffer(io.MultiWriter(to, sum), onlyReader{content}, s.buf)
	s.end = to.at // also after an error: skipped zeros must not lie on old bytes
	if err != nil {
		return err
	}
	p.Size, p.SHA256 = size, hex.EncodeToString(sum.Sum(nil))
	file := s.file
	p.Open = func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(io.NewSectionReader(padded{file, start + size}, start, size)), nil
	}
	return nil
}

// onlyReader hides WriteTo, so that io.CopyBuffer uses the buffer.
type onlyReader struct{ io.Reader }

const block = 256 << 10

// sparse writes blocks that hold anything and skips those of zeros, so that a
// huge file of holes costs nothing.
type sparse struct {
	file *os.File
	at   int64
}

func (s *sparse) Write(p []byte) (int, error) {
	if !zeros(p) {
		if n, err := s.file.WriteAt(p, s.at); err != nil {
			return n, err
		}
	}
	s.at += int64(len(p))
	return len(p), nil
}

// zeros compares p with itself one byte further, which is as fast as memory.
func zeros(p []byte) bool { return len(p) > 0 && p[0] == 0 && bytes.Equal(p[1:], p[:len(p)-1]) }

// padded reads the skipped zeros behind the end of the file.
type padded struct {
	file *os.File
	end  int64
}

func (f padded) ReadAt(p []byte, at int64) (int, error) {
	n, err := f.file.ReadAt(p, at)
	if err != io.EOF {
		return n, err
	}
	clear(p[n:])
	return int(min(int64(len(p)), f.end-at)), nil
}

// Manifest returns what the snapshot promised.
func (c *Copy) Manifest() service.Manifest { return c.manifest }

// Parts yields all parts by name until ctx ends.
func (c *Copy) Parts(ctx context.Context) iter.Seq2[service.Part, error] {
	return func(yield func(service.Part, error) bool) {
		for _, p := range c.parts {
			if err := ctx.Err(); err != nil {
				yield(service.Part{}, err)
				return
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}

// Part returns the part of that name.
func (c *Copy) Part(_ context.Context, name string) (service.Part, error) {
	i, found := slices.BinarySearchFunc(c.parts, name, func(p service.Part, name string) int {
		return strings.Compare(p.Name, name)
	})
	if !found {
		return service.Part{}, fmt.Errorf("part %q: %w", name, service.ErrNotFound)
	}
	return c.parts[i], nil
}

package repository

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/object"

	"upkeep/internal/service"
)

// storedCopy reads one copy. It is valid until the repository is closed.
type storedCopy struct {
	from     repo.Repository
	contents contents
	manifest service.Manifest
}

var _ service.Copy = (*storedCopy)(nil)

// Copy opens the copy of one target in a point, which Point would resolve. An
// incomplete point gives what it holds.
func (r *Repository) Copy(ctx context.Context, id, target string) (service.Copy, error) {
	p, err := r.find(ctx, id)
	if err != nil {
		return nil, err
	}
	c, found := p.copyOf(target)
	if !found {
		return nil, fmt.Errorf("point %s has no copy of %s: %w", p.id, target, service.ErrNotFound)
	}
	opened, err := r.openCopy(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("open %s of point %s: %w", target, p.id, err)
	}
	return opened, nil
}

// Latest opens the newest copy of a target in a complete point of reason backup.
// It returns nil and no error where there is none.
func (r *Repository) Latest(ctx context.Context, system, target string) (service.Copy, error) {
	all, err := r.all(ctx)
	if err != nil {
		return nil, err
	}
	p, err := newest(all, func(p *records) bool {
		_, found := p.copyOf(target)
		return found && p.begun.System == system
	})
	if errors.Is(err, service.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return r.Copy(ctx, p.id, target)
}

func (r *Repository) openCopy(ctx context.Context, c copyRecord) (*storedCopy, error) {
	opened := &storedCopy{from: r.reader}
	if err := readJSON(ctx, r.reader, c.Contents, &opened.contents); err != nil {
		return nil, fmt.Errorf("read its contents: %w", err)
	}
	if err := readJSON(ctx, r.reader, opened.contents.Manifest, &opened.manifest); err != nil {
		return nil, fmt.Errorf("read its manifest: %w", err)
	}
	return opened, nil
}

// Manifest returns the whole manifest.
func (c *storedCopy) Manifest() service.Manifest { return c.manifest }

// Parts lists all parts in order and holds one page of them.
func (c *storedCopy) Parts(ctx context.Context) iter.Seq2[service.Part, error] {
	return func(yield func(service.Part, error) bool) {
		for e, err := range allEntries(ctx, c.from, c.contents) {
			if !yield(c.part(e), err) || err != nil {
				return
			}
		}
	}
}

// Part finds one part by reading the one page that can hold it.
func (c *storedCopy) Part(ctx context.Context, name string) (service.Part, error) {
	page, found := c.contents.page(name)
	if found {
		for e, err := range entries(ctx, c.from, page) {
			if err != nil {
				return service.Part{}, err
			}
			if string(e.Name) == name {
				return c.part(e), nil
			}
		}
	}
	return service.Part{}, fmt.Errorf("part %q: %w", name, service.ErrNotFound)
}

func (c *storedCopy) part(e entry) service.Part {
	p := e.part()
	if e.Object != "" {
		p.Open = func(ctx context.Context) (io.ReadCloser, error) { return openContent(ctx, c.from, e) }
	}
	return p
}

// checked reads content and compares it with what was stored: whoever reads to
// the end has the very bytes, or an error wrapping service.ErrDamaged.
type checked struct {
	object.Reader
	entry entry
	size  int64
	sum   hash.Hash
}

func openContent(ctx context.Context, from repo.Repository, e entry) (io.ReadCloser, error) {
	r, err := openObject(ctx, from, e.Object)
	if err != nil {
		return nil, fmt.Errorf("open part %q: %w", string(e.Name), err)
	}
	return &checked{Reader: r, entry: e, sum: sha256.New()}, nil
}

// Read implements io.Reader.
func (c *checked) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.sum.Write(b[:n]) // never fails
	c.size += int64(n)
	switch {
	case err == nil:
		return n, nil
	case !errors.Is(err, io.EOF):
		return n, fmt.Errorf("read part %q: %w", string(c.entry.Name), readError(err))
	case c.size != c.entry.Size || hex.EncodeToString(c.sum.Sum(nil)) != c.entry.SHA256:
		return n, fmt.Errorf("part %q has %d bytes that are not the %d stored: %w",
			string(c.entry.Name), c.size, c.entry.Size, service.ErrDamaged)
	}
	return n, io.EOF
}

package servicetest

import (
	"context"
	"fmt"
	"io"
	"iter"

	"upkeep/internal/service"
)

// Truncate returns the copy with the second half of a part's content missing, as a
// stream that ended early was stored. The part's size and digest are the old ones.
func Truncate(c service.Copy, part string) service.Copy {
	return &harmed{c, part, func(r io.Reader, size int64) io.Reader { return io.LimitReader(r, size/2) }}
}

// Flip returns the copy with one bit of a part's content changed.
func Flip(c service.Copy, part string) service.Copy {
	return &harmed{c, part, func(r io.Reader, size int64) io.Reader { return &flipped{Reader: r, at: size / 2} }}
}

// Lose returns the copy without a part.
func Lose(c service.Copy, part string) service.Copy { return &harmed{c, part, nil} }

// samples are the names of parts worth damaging: the largest, and the first with
// content.
func (c *Copy) samples() []string {
	largest, first := -1, -1
	for i, p := range c.parts {
		if p.Size == 0 || p.Open == nil {
			continue
		}
		if first < 0 {
			first = i
		}
		if largest < 0 || p.Size > c.parts[largest].Size {
			largest = i
		}
	}
	switch {
	case first < 0:
		return nil
	case first == largest:
		return []string{c.parts[first].Name}
	}
	return []string{c.parts[first].Name, c.parts[largest].Name}
}

// harmed is a copy with one bad part. Without a content func the part is lost.
type harmed struct {
	service.Copy
	part    string
	content func(r io.Reader, size int64) io.Reader
}

func (h *harmed) Parts(ctx context.Context) iter.Seq2[service.Part, error] {
	return func(yield func(service.Part, error) bool) {
		for p, err := range h.Copy.Parts(ctx) {
			if err == nil && p.Name == h.part {
				if h.content == nil {
					continue
				}
				p = h.harm(p)
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

func (h *harmed) Part(ctx context.Context, name string) (service.Part, error) {
	p, err := h.Copy.Part(ctx, name)
	if err != nil || name != h.part {
		return p, err
	}
	if h.content == nil {
		return service.Part{}, fmt.Errorf("part %q: %w", name, service.ErrNotFound)
	}
	return h.harm(p), nil
}

func (h *harmed) harm(p service.Part) service.Part {
	whole := p.Open
	p.Open = func(ctx context.Context) (io.ReadCloser, error) {
		r, err := whole(ctx)
		if err != nil {
			return nil, err
		}
		return reading{h.content(r, p.Size), r}, nil
	}
	return p
}

// reading is a reader with the Close of another.
type reading struct {
	io.Reader
	io.Closer
}

// flipped changes the lowest bit of one byte.
type flipped struct {
	io.Reader
	at int64
}

func (f *flipped) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if f.at >= 0 && f.at < int64(n) {
		p[f.at] ^= 1
	}
	f.at -= int64(n)
	return n, err
}

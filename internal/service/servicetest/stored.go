package servicetest

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"upkeep/internal/service"
)

// store takes a copy of the source.
func store(ctx context.Context, from service.Source) (c *Copy, err error) {
	snap, err := from.Snapshot(ctx, service.NoPrevious, service.Report{})
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	return Store(ctx, snap)
}

// copied returns a copy of the component, or skips the test.
func (s *suite) copied(t *testing.T) (service.Instance, *Copy) {
	t.Helper()
	in := s.open(t)
	source := capable[service.Source](t, in)
	var c *Copy
	within(t, patience, func(ctx context.Context) {
		var err error
		if c, err = store(ctx, source); err != nil {
			t.Errorf("backup: %v", err)
		}
	})
	if c == nil || t.Failed() {
		t.FailNow()
	}
	return in, c
}

func (s *suite) backs(t *testing.T) {
	in, first := s.copied(t)
	_, again := s.copied(t)
	m := first.Manifest()
	s.spoken(t, m.Findings)
	within(t, patience, func(ctx context.Context) {
		if id := s.identity(ctx, t, in); id != m.Identity {
			t.Errorf("the manifest is of %q, the target is %q", m.Identity, id)
		}
		if sizer, able := in.(service.Sizer); able {
			if n, err := sizer.Size(ctx); err != nil || n < 0 {
				t.Errorf("size %d, %v", n, err)
			}
		}
	})
	switch {
	case m.Taken.IsZero():
		t.Error("the manifest does not say when the view was taken")
	case len(m.Counts) == 0:
		t.Error("the manifest counts nothing")
	case !slices.IsSortedFunc(m.Entries, func(a, b service.Entry) int { return strings.Compare(a.Name, b.Name) }):
		t.Error("the manifest's entries are not in order")
	}
	alike(t, first, again)
}

// alike compares two copies of the same content. Streams may differ, they can hold
// the time of day; what the kind itself counts and digests may not.
func alike(t *testing.T, a, b *Copy) {
	t.Helper()
	if !maps.Equal(a.manifest.Counts, b.manifest.Counts) {
		t.Errorf("two copies of the same content count %v and %v", a.manifest.Counts, b.manifest.Counts)
	}
	if !slices.EqualFunc(a.manifest.Entries, b.manifest.Entries, func(x, y service.Entry) bool {
		return x.Name == y.Name && x.Count == y.Count && x.Digest == y.Digest
	}) {
		t.Errorf("two copies of the same content have the entries\n%v and\n%v", a.manifest.Entries, b.manifest.Entries)
	}
	if len(a.parts) != len(b.parts) {
		t.Fatalf("two copies of the same content have %d and %d parts", len(a.parts), len(b.parts))
	}
	for i, x := range a.parts {
		y := b.parts[i]
		if x.Name != y.Name || x.Identity != "" && x.Identity == y.Identity && x.SHA256 != y.SHA256 {
			t.Errorf("part %q has content %s; %q, of the same identity, has %s", x.Name, x.SHA256, y.Name, y.SHA256)
		}
	}
}

func (s *suite) selects(t *testing.T) {
	in, c := s.copied(t)
	scratch := s.scratch(t, in, c)
	restorer := capable[service.Restorer](t, scratch)
	within(t, patience, func(ctx context.Context) {
		for range 2 {
			if err := restorer.Restore(ctx, c, service.Selection{Only: s.Only}, service.Report{}); err != nil {
				t.Errorf("restore %s: %v", s.Only, err)
			}
		}
		v, err := scratch.(service.Verifier).Verify(ctx, c, service.Report{})
		if err == nil && service.Worst(v.Findings) == service.OK {
			t.Errorf("a restore of %s alone is said to equal the whole copy", s.Only)
		}
	})
}

func (s *suite) extracts(t *testing.T) {
	in, c := s.copied(t)
	extractor := capable[service.Extractor](t, in)
	within(t, patience, func(ctx context.Context) {
		names := map[string]bool{}
		err := extractor.Extract(ctx, c, service.Selection{}, func(h *tar.Header, content io.Reader) error {
			if names[h.Name] {
				t.Errorf("%q is put twice", h.Name)
			}
			names[h.Name] = true
			return put(t, h, content)
		})
		if err != nil {
			t.Errorf("extract: %v", err)
		}
		if !names["README.md"] {
			t.Error("there is no README.md")
		}
	})
}

// put reads one extracted file and judges its header.
func put(t *testing.T, h *tar.Header, content io.Reader) error {
	t.Helper()
	plain := strings.TrimSuffix(h.Name, "/")
	if plain == "" || path.Clean(plain) != plain || path.IsAbs(plain) || plain == ".." || strings.HasPrefix(plain, "../") {
		t.Errorf("%q is no clean relative name", h.Name)
	}
	if content == nil {
		return nil
	}
	n, err := io.Copy(io.Discard, content)
	if err == nil && n != h.Size {
		t.Errorf("%q has %d bytes, its header says %d", h.Name, n, h.Size)
	}
	return err
}

package repository_test

import (
	"bytes"
	"context"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"upkeep/internal/repository"
	"upkeep/internal/service"
)

const password = "correct horse"

// fakeSnapshot is a target made of byte slices. Opened counts what was read.
type fakeSnapshot struct {
	parts    []service.Part
	manifest service.Manifest
	opened   atomic.Int64
}

func (s *fakeSnapshot) Parts(ctx context.Context) iter.Seq2[service.Part, error] {
	return func(yield func(service.Part, error) bool) {
		for _, p := range s.parts {
			if ctx.Err() != nil || !yield(p, nil) {
				return
			}
		}
	}
}

func (s *fakeSnapshot) Manifest(context.Context) (service.Manifest, error) { return s.manifest, nil }
func (s *fakeSnapshot) Close() error                                       { return nil }

// add appends a part whose identity is its content; names must ascend.
func (s *fakeSnapshot) add(name string, content []byte) *fakeSnapshot {
	s.parts = append(s.parts, service.Part{
		Name: name, Size: int64(len(content)), Identity: "is " + string(content[:min(len(content), 64)]),
		Open: func(context.Context) (io.ReadCloser, error) {
			s.opened.Add(1)
			return io.NopCloser(bytes.NewReader(content)), nil
		},
	})
	return s
}

func (s *fakeSnapshot) sorted() *fakeSnapshot {
	slices.SortFunc(s.parts, func(a, b service.Part) int { return strings.Compare(a.Name, b.Name) })
	return s
}

// texts makes a snapshot of small parts from name, content pairs.
func texts(pairs ...string) *fakeSnapshot {
	s := &fakeSnapshot{manifest: service.Manifest{Version: "1", Counts: map[string]int64{"files": int64(len(pairs) / 2)}}}
	for i := 0; i < len(pairs); i += 2 {
		s.add(pairs[i], []byte(pairs[i+1]))
	}
	return s.sorted()
}

// noise is incompressible and the same for the same seed.
func noise(seed uint64, size int) []byte {
	b := make([]byte, size)
	for i := range b {
		seed ^= seed << 13
		seed ^= seed >> 7
		seed ^= seed << 17
		b[i] = byte(seed)
	}
	return b
}

// create makes a repository for a test that may run beside others: deriving keys
// takes most of their time.
func create(t *testing.T) (*repository.Repository, string) {
	t.Parallel()
	return createAlone(t)
}

func createAlone(t *testing.T) (*repository.Repository, string) {
	t.Helper()
	empty, err := emptyRepository()
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() + "/copies"
	if err := os.CopyFS(path, os.DirFS(empty)); err != nil {
		t.Fatal(err)
	}
	return reopen(t, path), path
}

// emptyRepository is made once: a key is derived for each that is created.
var emptyRepository = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "uk")
	if err != nil {
		return "", err
	}
	ctx := context.Background()
	r, err := repository.Create(ctx, repository.Options{Path: dir, Password: password})
	if err != nil {
		return "", err
	}
	return dir, r.Close(ctx)
})

func reopen(t *testing.T, path string) *repository.Repository {
	t.Helper()
	r, err := repository.Open(t.Context(), repository.Options{Path: path, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeRepository(t, r) })
	return r
}

func closeRepository(t *testing.T, r *repository.Repository) {
	if err := r.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

func header(id string, taken time.Time) repository.Header {
	return repository.Header{ID: id, System: "cot", Reason: repository.ReasonBackup, Taken: taken}
}

func begin(t *testing.T, r *repository.Repository, h repository.Header) *repository.PointWriter {
	t.Helper()
	w, err := r.Begin(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func store(t *testing.T, w *repository.PointWriter, target string, s service.Snapshot) repository.TargetCopy {
	t.Helper()
	c, err := w.Store(t.Context(), target, "fake", s, repository.StoreOptions{}, service.Report{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func seal(t *testing.T, w *repository.PointWriter) repository.Point {
	t.Helper()
	declared := repository.Declaration{Files: map[string][]byte{"upkeep.yaml": []byte("system: cot\n")}}
	p, err := w.Seal(t.Context(), declared, "head-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

// backUp makes a sealed point of one target.
func backUp(t *testing.T, r *repository.Repository, id string, taken time.Time, s service.Snapshot) repository.Point {
	t.Helper()
	w := begin(t, r, header(id, taken))
	store(t, w, "files", s)
	return seal(t, w)
}

func contentOf(t *testing.T, p service.Part) ([]byte, error) {
	t.Helper()
	r, err := p.Open(t.Context())
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func day(n int) time.Time { return time.Date(2026, 11, n, 2, 0, 0, 0, time.UTC) }

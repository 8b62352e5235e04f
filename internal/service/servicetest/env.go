package servicetest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"upkeep/internal/secret"
	"upkeep/internal/service"
)

// Env returns an environment on this machine: real programs, real time, a
// private scratch place with short paths, State in memory, no log. Fields may be
// replaced. Directories that are still there when the test ends fail it.
func Env(t testing.TB) service.Env {
	t.Helper()
	place, err := os.MkdirTemp("/tmp", "uk")
	if err != nil {
		t.Fatal(err)
	}
	// Others may traverse it: a scratch server runs as another user.
	if err := os.Chmod(place, 0o711); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { emptied(t, place) })
	return environment(t, place)
}

// Later returns the environment of a run that comes after the one of env was
// killed: the directories that env handed out and never took back are its
// leftovers.
func Later(t testing.TB, env service.Env) service.Env {
	t.Helper()
	later := environment(t, scratchPlace(t, env))
	later.Target, later.Base, later.State, later.Secret = env.Target, env.Base, env.State, env.Secret
	return later
}

// scratchPlace returns the directory in which env makes its directories.
func scratchPlace(t testing.TB, env service.Env) string {
	t.Helper()
	dir, remove, err := env.Dir("place")
	if err != nil {
		t.Fatal(err)
	}
	if err := remove(); err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(dir)
}

func emptied(t testing.TB, place string) {
	t.Helper()
	left, err := os.ReadDir(place)
	if err != nil {
		t.Error(err)
	}
	for _, entry := range left {
		t.Errorf("scratch directory %s was not removed", entry.Name())
	}
	if err := os.RemoveAll(place); err != nil {
		t.Error(err)
	}
}

func environment(t testing.TB, place string) service.Env {
	s, tools := &scratch{place: place, mine: map[string]bool{}}, &programs{}
	return service.Env{
		Target: "target",
		Log:    slog.New(slog.DiscardHandler),
		Base:   t.TempDir(),
		Secret: reveal,
		Run:    tools.run,
		Find:   tools.find,
		Peer: func(target string) (service.Instance, error) {
			return nil, fmt.Errorf("target %q: %w", target, service.ErrUndeclared)
		},
		Undo:      7 * 24 * time.Hour,
		State:     &memory{values: map[string]string{}},
		Dir:       s.dir,
		Leftovers: s.leftovers,
		Now:       time.Now,
	}
}

// reveal resolves the references that a test can write without a file format.
func reveal(_ context.Context, ref secret.Ref) (string, error) {
	switch ref.Scheme {
	case "", secret.Literal:
		return ref.Place, nil
	case secret.Env:
		return os.Getenv(ref.Place), nil
	case secret.File:
		text, err := os.ReadFile(ref.Place)
		return strings.TrimSuffix(string(text), "\n"), err
	}
	return "", fmt.Errorf("secret %s: the test environment reads env: and file: only", ref)
}

// scratch makes directories in one place and knows which of them it made.
type scratch struct {
	place string
	mu    sync.Mutex
	mine  map[string]bool
}

func (s *scratch) dir(purpose string) (string, func() error, error) {
	path, err := os.MkdirTemp(s.place, purpose+"-")
	if err != nil {
		return "", nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mine[path] = true
	return path, func() error { return os.RemoveAll(path) }, nil
}

func (s *scratch) leftovers(purpose string) ([]string, error) {
	all, err := filepath.Glob(filepath.Join(s.place, purpose+"-*"))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var left []string
	for _, path := range all {
		if !s.mine[path] {
			left = append(left, path)
		}
	}
	return left, nil
}

// memory is a State without a disk.
type memory struct {
	mu     sync.Mutex
	values map[string]string
}

func (m *memory) Get(_ context.Context, key string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.values[key], nil
}

func (m *memory) Set(_ context.Context, key, value string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[key] = value
	return nil
}

// Package lab starts real servers for tests and for the demo: private PostgreSQL,
// Redis and Neo4j servers from installed packages, as an ordinary user, in a directory
// of their own, on free ports of 127.0.0.1. Every server is ended by its own
// process ID and dies with the program that started it unless it is detached.
//
// It is not for production: durability is switched off where that saves time.
package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// TB is what this package needs of a *testing.T.
type TB interface {
	Helper()
	Cleanup(func())
	Context() context.Context
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
}

// Options of one server. The zero value is a good start.
type Options struct {
	Major    int               // PostgreSQL only; 0 = the newest one installed
	Password string            // of the superuser or of requirepass; empty: PostgreSQL makes one, Redis has none
	Settings map[string]string // over the defaults of this package; for Redis lines of redis.conf
	Java     []string          // Neo4j only: options of its virtual machine; nil = those with which it starts soonest
	Detached bool              // survives its parent; only Stop or Down ends it
}

// startTimeout bounds one start: initdb and the first answer on a machine that
// compiles on every core take some 5 s.
const startTimeout = 60 * time.Second

// Postgres starts a server for the length of one test.
func Postgres(t TB, o Options) *Server {
	t.Helper()
	Need(t, postgresComponent(o.Major))
	return start(t, o, StartPostgres)
}

// Redis starts a server for the length of one test.
func Redis(t TB, o Options) *Server {
	t.Helper()
	Need(t, "redis")
	return start(t, o, StartRedis)
}

type starter func(ctx context.Context, dir string, o Options) (*Server, error)

func start(t TB, o Options, run starter) *Server {
	t.Helper()
	return startWithin(t, startTimeout, o, run)
}

func startWithin(t TB, limit time.Duration, o Options, run starter) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	dir, err := tempDir()
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	t.Cleanup(func() { remove(t, dir) })
	s, err := run(ctx, dir, o)
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	t.Cleanup(func() {
		if err := s.end(); err != nil {
			t.Fatalf("lab: %v", err)
		}
	})
	return s
}

func remove(t TB, dir string) {
	if err := os.RemoveAll(dir); err != nil {
		t.Fatalf("lab: remove %s: %v", dir, err)
	}
}

// tempDir makes a directory short enough for a Unix socket, through which the
// user of a server can walk. Its name carries our process ID: what a killed test
// left behind is removed by the next one.
func tempDir() (string, error) {
	if err := sweep(os.TempDir()); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", tempPrefix, os.Getpid()))
	if err != nil {
		return "", fmt.Errorf("make the directory of a server: %w", err)
	}
	return dir, os.Chmod(dir, 0o711)
}

const tempPrefix = "upkeep-lab-"

// sweep removes the directories of processes that are gone.
func sweep(parent string) error {
	left, err := filepath.Glob(filepath.Join(parent, tempPrefix+"*"))
	if err != nil {
		return fmt.Errorf("look for what earlier tests left: %w", err)
	}
	for _, dir := range left {
		var owner, rest int
		if n, _ := fmt.Sscanf(filepath.Base(dir), tempPrefix+"%d-%d", &owner, &rest); n != 2 || alive(owner) {
			continue
		}
		if err := removeLeft(dir); err != nil && !os.IsPermission(err) {
			return fmt.Errorf("remove what an earlier test left: %w", err)
		}
	}
	return nil
}

// removeLeft removes such a directory. A small disk that is still mounted there is
// detached first: a test that was killed unmounts nothing.
func removeLeft(dir string) error {
	err := syscall.Unmount(dir, syscall.MNT_DETACH)
	if err != nil && err != syscall.EINVAL && !os.IsNotExist(err) && !os.IsPermission(err) {
		return fmt.Errorf("detach %s: %w", dir, err)
	}
	return os.RemoveAll(dir)
}

package service

import (
	"context"
	"io"
	"log/slog"
	"syscall"
	"time"

	"upkeep/internal/secret"
)

// Env is everything a kind may reach outside its own connection. Tests replace
// fields, not packages.
type Env struct {
	Target string // the name under services:
	Log    *slog.Logger
	// Base is the directory that relative paths of the declaration start from.
	Base string
	// Secret resolves a reference. The value goes into a connection or the
	// environment of one child process; never into argv, a log or an error.
	Secret func(ctx context.Context, ref secret.Ref) (string, error)
	// Run starts one program and waits for it; Find only looks for it.
	Run  func(ctx context.Context, c Cmd) error
	Find func(ctx context.Context, program string, major int) (path, version string, err error)
	// Peer opens another declared target, for Queryer, Lister, Switcher or Broker.
	// Whoever opens closes. The error wraps ErrUndeclared for a name that is none.
	Peer func(target string) (Instance, error)
	// RunsIn is where the target's server runs; Peer opens it for Containers or Switcher.
	RunsIn Place
	// Guard starts a guard for a window of this target's server, before the server is
	// stopped. The error wraps ErrRefused where none can be had.
	Guard func(ctx context.Context, w Window) (Guard, error)
	// State keeps small values of this target between runs: cursors, counters.
	State State
	// Undo is how long what work has replaced is kept, so that it can be taken back.
	Undo time.Duration
	// Dir returns a new private directory for scratch work, on the disk meant for
	// it: 0700, owned by upkeep, below directories that other users may traverse (a
	// kind hands it over to the user its scratch server runs as). The path is short
	// enough for a socket. The returned func removes it with all its content.
	Dir func(purpose string) (path string, remove func() error, err error)
	// Leftovers lists directories that Dir made for this target in runs that were
	// killed and that nobody uses now. Driller.Sweep ends what still runs in them,
	// then removes them.
	Leftovers func(purpose string) ([]string, error)
	Now       func() time.Time
}

// Cmd is one program to run: argv only, never through a shell. Env.Run finds the
// program of the wanted major version, wherever that is.
type Cmd struct {
	Program string   // "pg_dump"
	Major   int      // lowest acceptable major version; 0 = any
	Args    []string // never a secret
	Env     []string // KEY=value, added to a minimal environment; the place for a password
	// Inside takes the place of Env where the program runs in the container of
	// Env.RunsIn: the server has another address there.
	Inside []string
	Dir    string
	Stdin  io.Reader
	Stdout io.Writer
	// User to run as when upkeep runs as root, a name or UID:GID; empty = as upkeep
	// itself, in a container as its image says.
	User string
	// Search lets a program of this machine, as User, also pass directories and read
	// files that only root may: for work on files of User that lie below them.
	Search bool
	// End is the signal that asks it to end when its context does, before SIGKILL; 0 =
	// SIGTERM.
	End syscall.Signal
}

// State is a small key-value store per target. A missing key is "".
type State interface {
	Get(ctx context.Context, key string) (string, error)
	Set(ctx context.Context, key, value string) error
}

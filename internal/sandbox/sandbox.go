// Package sandbox gives private servers a place: a directory, programs, and the
// certainty that nothing of it is left. The place is this machine where the server's
// program is installed, else a disposable container of the image that the target's
// own server runs. What runs in it ends with upkeep: at once on this machine, with
// the next Sweep in a container.
//
// It knows no kind: what is started and when it is ready, its caller says.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/shirou/gopsutil/v4/mem"

	"upkeep/internal/service"
)

// Find looks for a program of at least a major version in one place, as Env.Find
// does; path is what Cmd.Program takes there.
type Find func(ctx context.Context, program string, major int) (path, version string, err error)

// Wanted is the place that a kind asks for.
type Wanted struct {
	Purpose string // of the directory, for Env.Dir
	// Users are names of which the first that exists there runs the programs where
	// upkeep is root. Else they run as upkeep itself.
	Users []string
	// Choose returns the program of the server in a place. Its error says why the place
	// does not serve; it wraps ErrNoTool or ErrNoScratch where another one may.
	Choose func(ctx context.Context, find Find) (program string, err error)
	Memory int64 // limit in bytes of a container; 0 = as service.Disposable has it
}

// Sandbox is one place for private servers.
type Sandbox struct {
	Dir     string        // 0700, under the same path on both sides, of the user of the programs
	Program string        // that Choose returned
	Place   service.Place // the service whose image it is; zero = this machine
	Memory  int64         // bytes that its programs may take together

	env     service.Env
	remove  func() error // the directory
	owner   owner
	box     *container // nil = this machine
	servers []*Server
}

// Open chooses a place: this machine, else the image of the server that RunsIn
// names.
func Open(ctx context.Context, env service.Env, w Wanted) (*Sandbox, error) {
	program, err := w.Choose(ctx, onThisMachine(env))
	if err == nil {
		return here(env, w, program)
	}
	if env.RunsIn.Target == "" || !errors.Is(err, service.ErrNoTool) && !errors.Is(err, service.ErrNoScratch) {
		return nil, err
	}
	s, failed := inContainer(ctx, env, w)
	if failed != nil {
		return nil, errors.Join(err, failed)
	}
	return s, nil
}

// onThisMachine leaves out what Env.Find finds elsewhere.
func onThisMachine(env service.Env) Find {
	return func(ctx context.Context, program string, major int) (string, string, error) {
		path, version, err := env.Find(ctx, program, major)
		if err == nil && !filepath.IsAbs(path) {
			return "", "", fmt.Errorf("%s on this machine: %w", program, service.ErrNoTool)
		}
		return path, version, err
	}
}

func here(env service.Env, w Wanted, program string) (*Sandbox, error) {
	s := &Sandbox{Program: program, Memory: 1 << 30, env: env}
	if total, err := mem.VirtualMemory(); err == nil {
		s.Memory = int64(total.Total)
	}
	var err error
	if s.owner, err = ownerHere(w.Users); err != nil {
		return nil, err
	}
	if err := s.makeDir(w.Purpose); err != nil {
		return nil, err
	}
	if err := s.Hand(s.Dir); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Sandbox) makeDir(purpose string) (err error) {
	if s.Dir, s.remove, err = s.env.Dir(purpose); err != nil {
		return fmt.Errorf("make room for a scratch server: %w", err)
	}
	return nil
}

// Hand gives a file in Dir to the user of the programs.
func (s *Sandbox) Hand(path string) error {
	if os.Getuid() != 0 {
		return nil // it is the same user
	}
	if err := os.Chown(path, s.owner.uid, s.owner.gid); err != nil {
		return fmt.Errorf("hand %s over to the scratch server: %w", path, err)
	}
	return nil
}

// Run runs a program as the user of the programs and waits for it.
func (s *Sandbox) Run(ctx context.Context, c service.Cmd) error {
	c.User = s.owner.name
	if s.box != nil {
		return s.box.Run(ctx, c)
	}
	return s.env.Run(ctx, c)
}

// Env is that of the target with the programs and directories of the sandbox, without
// its secrets and the place of its server.
func (s *Sandbox) Env() service.Env {
	env := s.env
	env.Secret, env.RunsIn, env.Find = nil, service.Place{}, onThisMachine(s.env)
	if s.box != nil {
		env.Find, env.Run, env.Dir = s.box.find, s.Run, s.dir
	}
	return env
}

// dir makes a directory that both sides see.
func (s *Sandbox) dir(purpose string) (string, func() error, error) {
	path, err := os.MkdirTemp(s.Dir, purpose)
	if err != nil {
		return "", nil, err
	}
	return path, func() error { return os.RemoveAll(path) }, s.Hand(path)
}

// Address returns a loopback address for a server to listen on, and the one on which
// it is reached from here. On this machine somebody else may take it before the
// server does: the server must have a secret of its own.
func (s *Sandbox) Address(ctx context.Context) (listen, reach string, err error) {
	if s.box != nil {
		const port = 20000 // nobody else is there
		reach, err = s.box.Forward(ctx, port)
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), reach, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Addr().String(), l.Close()
}

// Close ends what runs in the sandbox and removes it. It may be called again.
func (s *Sandbox) Close() error {
	var failed error
	if s.box != nil {
		failed = s.box.close() // with all that runs in it
	}
	for _, server := range s.servers {
		failed = errors.Join(failed, server.Stop())
	}
	if failed != nil || s.remove == nil {
		return failed
	}
	return s.remove()
}

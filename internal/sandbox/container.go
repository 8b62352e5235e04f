package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"upkeep/internal/command"
	"upkeep/internal/service"
)

const (
	// markName is a file in the directory of a container, which names the target that
	// started it, for Sweep.
	markName = "in-container"
	// lookPurpose is that of a container in which only a program is looked for.
	lookPurpose = "look"
	// versionLimit is how long a program in a container may take to tell its version:
	// some start a virtual machine for it.
	versionLimit = time.Minute
)

// container is a disposable one and the target that keeps it.
type container struct {
	service.Container
	peer   service.Instance
	closed bool
}

func inContainer(ctx context.Context, env service.Env, w Wanted) (*Sandbox, error) {
	s, err := contained(ctx, env, w.Purpose, w.Memory)
	if err != nil {
		return nil, err
	}
	if err := s.settle(ctx, w); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// contained makes a directory and starts a container that shares it.
func contained(ctx context.Context, env service.Env, purpose string, memory int64) (*Sandbox, error) {
	s := &Sandbox{Place: env.RunsIn, env: env}
	if err := s.makeDir(purpose); err != nil {
		return nil, err
	}
	err := os.WriteFile(filepath.Join(s.Dir, markName), []byte(env.RunsIn.Target), 0o600)
	if err == nil {
		err = s.enter(ctx, memory)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Sandbox) enter(ctx context.Context, memory int64) error {
	peer, containers, err := open(s.env, s.Place.Target)
	if err != nil {
		return err
	}
	made, err := containers.Disposable(ctx, s.Place.Unit, service.Disposable{Dir: s.Dir, Memory: memory})
	if err != nil {
		return errors.Join(fmt.Errorf("%w: %w", service.ErrNoScratch, err), peer.Close())
	}
	s.box, s.Memory = &container{Container: made, peer: peer}, made.Memory()
	return nil
}

// settle finds out who is to run what in the container.
func (s *Sandbox) settle(ctx context.Context, w Wanted) (err error) {
	if s.owner, err = s.box.owner(ctx, w.Users); err != nil {
		return err
	}
	if s.Program, err = w.Choose(ctx, s.box.find); err != nil {
		return err
	}
	return s.Hand(s.Dir)
}

// open opens a target that manages containers.
func open(env service.Env, target string) (service.Instance, service.Containers, error) {
	peer, err := env.Peer(target)
	if err != nil {
		return nil, nil, err
	}
	containers, err := service.As[service.Containers](peer)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("runs_in: %s: %w", target, err), peer.Close())
	}
	return peer, containers, nil
}

func (c *container) close() error {
	if c.closed {
		return nil
	}
	if err := c.Close(); err != nil {
		return err
	}
	c.closed = true
	return c.peer.Close()
}

func (c *container) find(ctx context.Context, program string, major int) (string, string, error) {
	version, err := versionOf(ctx, c.Run, program, major)
	return program, version, err
}

// inImage looks for a program in a disposable container: the target's own may not run,
// and a scratch server needs its image alone.
func inImage(ctx context.Context, env service.Env, program string, major int) (version string, err error) {
	if err := Sweep(ctx, env); err != nil {
		return "", err
	}
	s, err := contained(ctx, env, lookPurpose, 0)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return versionOf(ctx, s.Run, program, major)
}

// Inside looks for a program of at least a major version in the running container of
// the target's server.
func Inside(ctx context.Context, env service.Env, program string, major int) (version string, err error) {
	err = exec(env, func(run func(context.Context, service.Cmd) error) error {
		version, err = versionOf(ctx, run, program, major)
		return err
	})
	return version, err
}

// RunInside runs a program in the running container of the target's server.
func RunInside(ctx context.Context, env service.Env, c service.Cmd) error {
	if c.Inside != nil {
		c.Env = c.Inside
	}
	return exec(env, func(run func(context.Context, service.Cmd) error) error { return run(ctx, c) })
}

func exec(env service.Env, work func(run func(context.Context, service.Cmd) error) error) (err error) {
	peer, containers, err := open(env, env.RunsIn.Target)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, peer.Close()) }()
	return work(func(ctx context.Context, c service.Cmd) error { return containers.Exec(ctx, env.RunsIn.Unit, c) })
}

func versionOf(ctx context.Context, run func(context.Context, service.Cmd) error, program string, major int) (string, error) {
	limited, cancel := context.WithTimeout(ctx, versionLimit)
	defer cancel()
	var said bytes.Buffer
	if err := run(limited, service.Cmd{Program: program, Args: []string{"--version"}, Stdout: &said}); err != nil {
		return "", fmt.Errorf("ask %s in the container for its version: %w", program, err)
	}
	version := command.VersionIn(program, said.String())
	if command.MajorOf(version) < major {
		return version, fmt.Errorf("%s in the container is %s, not %d or newer: %w", program, version, major, service.ErrNoTool)
	}
	return version, nil
}

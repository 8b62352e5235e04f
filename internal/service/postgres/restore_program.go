package postgres

import (
	"context"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"upkeep/internal/sandbox"
	"upkeep/internal/service"
)

// equip finds the place of pg_restore: this machine, the container of a scratch
// server, or for a declared server a container that has the program and no way to
// the server.
func (r *restoring) equip(ctx context.Context) error {
	if r.in.scratch != nil {
		if r.in.scratch.contained() {
			r.box = r.in.scratch.box
		}
		return nil
	}
	path, _, err := r.in.env.Find(ctx, "pg_restore", restorerOf(r.manifest))
	if err != nil || filepath.IsAbs(path) {
		return err
	}
	r.box, err = sandbox.Open(ctx, r.in.env, sandbox.Wanted{Purpose: restorePurpose, Users: []string{"postgres", "nobody"},
		Choose: func(ctx context.Context, find sandbox.Find) (string, error) {
			path, _, err := find(ctx, "pg_restore", restorerOf(r.manifest))
			return path, err
		}})
	return err
}

func (r *restoring) unequip() error {
	if r.box == nil || r.in.scratch != nil {
		return nil
	}
	return r.box.Close()
}

// dir is one that pg_restore reads from.
func (r *restoring) dir() (string, func() error, error) {
	if r.box != nil {
		return r.box.Env().Dir(restorePurpose)
	}
	return r.in.env.Dir(restorePurpose)
}

// hand lets pg_restore read a file.
func (r *restoring) hand(path string) error {
	if r.box == nil {
		return nil
	}
	return r.box.Hand(path)
}

// restored is one run of pg_restore.
type restored struct {
	args     []string
	database string    // to restore into; empty = it writes to stdout
	stdin    io.Reader // of an archive that is no file
	stdout   io.Writer
}

func (r *restoring) pgRestore(ctx context.Context, run restored) error {
	env, inside, err := r.in.childEnvs(ctx)
	if err != nil {
		return err
	}
	c := service.Cmd{Program: "pg_restore", Major: restorerOf(r.manifest), Args: run.args, Stdin: run.stdin, Stdout: run.stdout}
	if r.in.scratch != nil {
		c.Args = append([]string{"--no-tablespaces"}, c.Args...)
	}
	if r.box != nil && r.in.scratch == nil {
		if run.database == "" {
			return r.box.Run(ctx, c)
		}
		return r.piped(ctx, c, service.Cmd{Program: "psql", Env: env, Inside: inside, Args: []string{
			"--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--no-password", "-d", conninfo(run.database)}})
	}
	if run.database != "" {
		c.Args = append([]string{"--exit-on-error", "--no-password", "-d", conninfo(run.database)}, c.Args...)
	}
	c.Env = env
	return r.in.env.Run(ctx, c)
}

// piped lets pg_restore write statements where the archive is, and psql run them where
// the server is. Only pg_restore that is connected itself works side by side.
func (r *restoring) piped(ctx context.Context, restore, psql service.Cmd) error {
	script, to := io.Pipe()
	restore.Args = append([]string{"--file=-"}, slices.DeleteFunc(slices.Clone(restore.Args), func(arg string) bool {
		return strings.HasPrefix(arg, "--jobs=")
	})...)
	restore.Stdout, psql.Stdin = to, script
	written := make(chan error, 1)
	go func() {
		err := r.box.Run(ctx, restore)
		_ = to.CloseWithError(err) // never fails; without an error it is the end of the data
		written <- err
	}()
	err := r.in.env.Run(ctx, psql)
	_ = script.CloseWithError(io.ErrClosedPipe) // never fails; ends pg_restore where psql ended first
	if failed := <-written; err == nil {
		return failed
	}
	return err
}

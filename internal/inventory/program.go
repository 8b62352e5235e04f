package inventory

import (
	"context"
	"errors"
	"fmt"

	"upkeep/internal/command"
	"upkeep/internal/sandbox"
	"upkeep/internal/service"
)

// find looks a program up for a kind.
func find(ctx context.Context, tools *command.Runner, program string, major int) (path, version string, err error) {
	path, version, err = tools.Find(ctx, program, major)
	if errors.Is(err, command.ErrNotFound) {
		err = fmt.Errorf("%w: %w", err, service.ErrNoTool)
	}
	return path, version, err
}

// run finds a program of the wanted version and runs it.
func run(ctx context.Context, tools *command.Runner, c service.Cmd) error {
	path, _, err := find(ctx, tools, c.Program, c.Major)
	if err != nil {
		return err
	}
	return tools.Run(ctx, command.Spec{Path: path, Args: c.Args, Env: c.Env, Dir: c.Dir, Stdin: c.Stdin, Stdout: c.Stdout, User: c.User, Search: c.Search, End: c.End})
}

// alsoInside makes the programs of a target be looked for in the container of its
// server where this machine has none. Their path is then TARGET/SERVICE:PROGRAM.
func alsoInside(env service.Env) service.Env {
	if env.RunsIn.Target == "" {
		return env
	}
	here := env
	env.Find = func(ctx context.Context, program string, major int) (string, string, error) {
		path, version, err := here.Find(ctx, program, major)
		if !errors.Is(err, service.ErrNoTool) {
			return path, version, err
		}
		version, failed := sandbox.Inside(ctx, here, program, major)
		if failed != nil {
			return "", "", errors.Join(err, failed)
		}
		return env.RunsIn.String() + ":" + program, version, nil
	}
	env.Run = func(ctx context.Context, c service.Cmd) error {
		if _, _, err := here.Find(ctx, c.Program, c.Major); errors.Is(err, service.ErrNoTool) {
			return sandbox.RunInside(ctx, here, c)
		}
		return here.Run(ctx, c)
	}
	return env
}

package inventory

import (
	"context"
	"errors"
	"fmt"

	"upkeep/internal/command"
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
	return tools.Run(ctx, command.Spec{Path: path, Args: c.Args, Env: c.Env, Dir: c.Dir, Stdin: c.Stdin, Stdout: c.Stdout, User: c.User})
}

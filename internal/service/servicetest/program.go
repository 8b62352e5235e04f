package servicetest

import (
	"context"
	"errors"
	"fmt"

	"upkeep/internal/command"
	"upkeep/internal/service"
)

// programs are those of this machine.
type programs struct{ command.Runner }

func (p *programs) find(ctx context.Context, program string, major int) (path, version string, err error) {
	path, version, err = p.Find(ctx, program, major)
	if errors.Is(err, command.ErrNotFound) {
		err = fmt.Errorf("%w: %w", err, service.ErrNoTool)
	}
	return path, version, err
}

func (p *programs) run(ctx context.Context, c service.Cmd) error {
	path, _, err := p.find(ctx, c.Program, c.Major)
	if err != nil {
		return err
	}
	return p.Run(ctx, command.Spec{Path: path, Args: c.Args, Env: c.Env, Dir: c.Dir, Stdin: c.Stdin, Stdout: c.Stdout, User: c.User, Search: c.Search, End: c.End})
}

package compose

import (
	"context"
	"fmt"

	"github.com/moby/moby/api/types/container"

	"upkeep/internal/service"
)

// Exec runs a program in a running container of a service: the first where there
// are several.
func (in *Instance) Exec(ctx context.Context, unit string, c service.Cmd) error {
	p, all, err := in.containersOf(ctx, unit)
	if err != nil {
		return err
	}
	for _, found := range all {
		if found.State.Running && !found.State.Paused {
			return in.execute(ctx, found.ID, c)
		}
	}
	return &service.Fault{ID: "compose.not-running", Args: service.Args{"service": unit, "program": c.Program, "compose": in.command(p)},
		Err: fmt.Errorf("run %s in %s, which does not run: %w", c.Program, unit, service.ErrUnreachable)}
}

// containersOf returns what the engine has of a declared service.
func (in *Instance) containersOf(ctx context.Context, unit string) (*project, []container.InspectResponse, error) {
	p, _, err := in.units(ctx, unit)
	if err != nil {
		return nil, nil, err
	}
	s, err := in.look(ctx, p.Name)
	if err != nil {
		return nil, nil, err
	}
	return p, s.services[unit], nil
}

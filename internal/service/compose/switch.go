package compose

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"upkeep/internal/service"
)

// Stop stops the containers of one service, or of all, those first on which none
// depends. Each gets the grace that its declaration gave it when it was made.
func (in *Instance) Stop(ctx context.Context, unit string) error {
	p, names, err := in.units(ctx, unit)
	if err != nil {
		return err
	}
	s, err := in.look(ctx, p.Name)
	if err != nil {
		return err
	}
	for _, name := range slices.Backward(names) {
		for _, c := range s.services[name] {
			_, err := in.engine.ContainerStop(ctx, c.ID, client.ContainerStopOptions{})
			if err != nil && !errdefs.IsNotFound(err) {
				return in.failed("stop "+c.Name, err)
			}
		}
	}
	return nil
}

// Start starts the containers of one service, or of all that should run, those
// first on which others depend, and waits for each to be up and healthy. Jobs are
// left alone unless they are named.
func (in *Instance) Start(ctx context.Context, unit string) error {
	p, names, err := in.units(ctx, unit)
	if err != nil {
		return err
	}
	s, err := in.look(ctx, p.Name)
	if err != nil {
		return err
	}
	for _, name := range names {
		if unit == "" && (in.expected(p, name).Expect != running || scaleOf(p.Services[name]) == 0) {
			continue
		}
		if len(s.services[name]) == 0 {
			return &service.Fault{ID: "compose.not-created", Args: service.Args{"service": name, "compose": in.command(p)},
				Err: fmt.Errorf("start %s: it has no container: %w", name, service.ErrNotFound)}
		}
		for _, c := range s.services[name] {
			if err := in.start(ctx, p, name, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// Users follows depends_on of the declared services.
func (in *Instance) Users(ctx context.Context, units []string) ([]string, error) {
	p, names, err := in.units(ctx, "")
	if err != nil {
		return nil, err
	}
	s, err := in.look(ctx, p.Name)
	if err != nil {
		return nil, err
	}
	needed := slices.Clone(units)
	var users []string
	for _, name := range names { // in the order of their starts: what a service needs was there before
		needs := p.Services[name].GetDependencies()
		if slices.Contains(units, name) || !slices.ContainsFunc(needs, func(n string) bool { return slices.Contains(needed, n) }) {
			continue
		}
		needed = append(needed, name)
		if slices.ContainsFunc(s.services[name], func(c container.InspectResponse) bool { return c.State.Running }) {
			users = append(users, name)
		}
	}
	slices.Reverse(users)
	return users, nil
}

func scaleOf(s types.ServiceConfig) int { return s.GetScale() }

// units are the named service, or all in the order in which they start.
func (in *Instance) units(ctx context.Context, unit string) (*project, []string, error) {
	p, err := in.load(ctx)
	if err != nil {
		return nil, nil, err
	}
	if _, declared := p.Services[unit]; declared {
		return p, []string{unit}, nil
	}
	if unit != "" {
		return nil, nil, fmt.Errorf("service %q of project %s: %w", unit, p.Name, service.ErrUndeclared)
	}
	return p, inOrder(p.Services), nil
}

// inOrder puts every service behind those it depends on, and otherwise goes by name: a
// plan made twice is the same. The loader has refused cycles.
func inOrder(services types.Services) (names []string) {
	placed := map[string]bool{}
	var place func(name string)
	place = func(name string) {
		if _, enabled := services[name]; placed[name] || !enabled {
			return
		}
		placed[name] = true
		for _, before := range slices.Sorted(slices.Values(services[name].GetDependencies())) {
			place(before)
		}
		names = append(names, name)
	}
	for _, name := range slices.Sorted(maps.Keys(services)) {
		place(name)
	}
	return names
}

// start finds its work done where the container runs; a paused one goes on.
func (in *Instance) start(ctx context.Context, p *project, name string, c container.InspectResponse) error {
	var err error
	if c.State.Paused {
		_, err = in.engine.ContainerUnpause(ctx, c.ID, client.ContainerUnpauseOptions{})
	} else {
		_, err = in.engine.ContainerStart(ctx, c.ID, client.ContainerStartOptions{})
	}
	if err != nil {
		return in.failed("start "+strings.TrimPrefix(c.Name, "/"), err)
	}
	return in.await(ctx, p, name, c.ID)
}

// settled is how long a container without a health check must have run to count as
// up: most of those that cannot start end within it.
const settled = time.Second

// await returns when the container is up, and an error once it cannot be expected
// to become so by itself: its health check has given up, it ended, or the engine
// restarted it again and again. Otherwise the context ends the wait.
func (in *Instance) await(ctx context.Context, p *project, name, id string) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	before := -1
	for {
		got, err := in.engine.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
		if err != nil {
			return in.failed("wait for "+name, err)
		}
		c := got.Container
		if before < 0 {
			before = c.RestartCount
		}
		switch in.progress(c, before) {
		case up:
			return nil
		case down:
			return in.notUp(p, name, c)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s, which is %s: %w: %w", name, stateOf(c), service.ErrUnreachable, ctx.Err())
		case <-tick.C:
		}
	}
}

type progress int

const (
	coming progress = iota
	up
	down
)

func (in *Instance) progress(c container.InspectResponse, restartsBefore int) progress {
	const tries = 3
	switch {
	case c.RestartCount >= restartsBefore+tries:
		return down
	case c.State.Restarting:
		return coming
	case !c.State.Running && c.State.Status != container.StateCreated:
		return down
	case !c.State.Running:
		return coming
	case c.State.Health != nil && c.State.Health.Status == container.Unhealthy:
		return down
	case c.State.Health != nil && c.State.Health.Status == container.Starting:
		return coming
	case c.State.Health == nil && in.since(c.State.StartedAt) < settled.Seconds():
		return coming
	}
	return up
}

func (in *Instance) notUp(p *project, name string, c container.InspectResponse) error {
	said := c.State.Error
	if c.State.Health != nil {
		said = or(said, lastLine(c.State.Health))
	}
	state := stateOf(c)
	if !c.State.Running {
		state = fmt.Sprintf("%s, exit code %d", state, c.State.ExitCode)
	}
	return &service.Fault{ID: "compose.does-not-start",
		Args: service.Args{"service": name, "container": strings.TrimPrefix(c.Name, "/"), "state": state, "said": p.hide(c, said)},
		Err:  fmt.Errorf("start %s: it is %s", name, state)}
}

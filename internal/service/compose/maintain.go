package compose

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"upkeep/internal/service"
)

// opRestart ends and starts one container.
const opRestart = "restart"

// restartArgs is what doing a restart needs.
type restartArgs struct {
	Service   string `json:"service"`
	Container string `json:"container"` // ID
	Started   string `json:"started"`   // when the container that was looked at had started
}

// Maintenance is a restart of every container that is unhealthy, or has run for
// longer than restart_after, and a limit for every log that grows without end. Users
// feel both, so they happen only where a plan is applied.
func (in *Instance) Maintenance(ctx context.Context) ([]service.Step, error) {
	p, err := in.load(ctx)
	if err != nil {
		return nil, err
	}
	s, err := in.look(ctx, p.Name)
	if err != nil {
		return nil, err
	}
	var steps []service.Step
	for _, name := range p.ServiceNames() {
		for _, c := range s.services[name] {
			title, due := in.due(p, name, c)
			if !due {
				continue
			}
			step, err := in.restartStep(name, c, title)
			if err != nil {
				return nil, err
			}
			steps = append(steps, step)
		}
	}
	limits, err := in.limits(ctx, p, s)
	return append(steps, limits...), err
}

func (in *Instance) due(p *project, name string, c container.InspectResponse) (service.Message, bool) {
	if in.expected(p, name).Expect != running || !c.State.Running {
		return service.Message{}, false
	}
	if h := c.State.Health; h != nil && h.Status == container.Unhealthy {
		return service.Message{ID: "compose.restart-unhealthy", Args: service.Args{"service": name, "failures": h.FailingStreak}}, true
	}
	after, age := in.cfg.Services[name].RestartAfter.Std().Seconds(), in.since(c.State.StartedAt)
	return service.Message{ID: "compose.restart-due", Args: service.Args{"service": name, "for": age, "after": after}},
		after > 0 && age > after
}

// restartStep leaves Seen empty: the engine would hold the identity of the whole
// project against it. What it was planned for is in its arguments.
func (in *Instance) restartStep(name string, c container.InspectResponse, title service.Message) (service.Step, error) {
	args, err := json.Marshal(restartArgs{Service: name, Container: c.ID, Started: c.State.StartedAt})
	if err != nil {
		return service.Step{}, fmt.Errorf("plan the restart of %s: %w", name, err)
	}
	return service.Step{
		ID: opRestart + " " + strings.TrimPrefix(c.Name, "/"), Target: in.env.Target, Op: opRestart, Args: args,
		Risk: service.Disruptive, Title: title,
	}, nil
}

// Do does one step.
func (in *Instance) Do(ctx context.Context, s service.Step, _ service.Report) (service.Outcome, error) {
	switch s.Op {
	case opRestart:
		return in.restart(ctx, s)
	case opLimit, opUnlimit, opAdvise:
		return in.doLog(ctx, s)
	}
	return service.Outcome{}, fmt.Errorf("step %s: %w", s.Op, service.ErrUnsupported)
}

// restart restarts one container and waits until it is up and healthy. One that was
// started again since it was planned has had its restart, by whomever: only the
// wait is left. One that was made anew is another, and the plan is stale.
func (in *Instance) restart(ctx context.Context, s service.Step) (service.Outcome, error) {
	var args restartArgs
	if err := json.Unmarshal(s.Args, &args); err != nil {
		return service.Outcome{}, fmt.Errorf("read step %s: %w", s.ID, err)
	}
	p, err := in.load(ctx)
	if err != nil {
		return service.Outcome{}, err
	}
	got, err := in.engine.ContainerInspect(ctx, args.Container, client.ContainerInspectOptions{})
	if errdefs.IsNotFound(err) {
		return service.Outcome{}, fmt.Errorf("the container of %s was made anew since the plan: %w", args.Service, service.ErrStale)
	}
	if err != nil {
		return service.Outcome{}, in.failed("look at "+args.Service, err)
	}
	done := got.Container.State.StartedAt != args.Started
	if !done {
		if _, err := in.engine.ContainerRestart(ctx, args.Container, client.ContainerRestartOptions{}); err != nil {
			return service.Outcome{}, in.failed("restart "+args.Service, err)
		}
	}
	if err := in.await(ctx, p, args.Service, args.Container); err != nil {
		return service.Outcome{}, err
	}
	return service.Outcome{Verdict: service.Verdict{Facts: service.Facts{"found_done": done}}}, nil
}

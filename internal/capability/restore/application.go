package restore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"upkeep/internal/inventory"
	"upkeep/internal/service"
)

// Application is what works with the restored targets: services that write into
// them while they run, and targets that only work again when those are back.
type Application struct {
	Inventory *inventory.Inventory
	Targets   []inventory.Target // that are restored
	Patience  time.Duration      // how long a dependent target may take to become healthy
	Now       func() time.Time
}

const (
	opHalt    = "halt"
	opRelease = "release"
	opHealthy = "healthy"
)

// units are the services of one target that a step stops or starts, in this order.
type units struct {
	Units []string `json:"units,omitempty"`
}

// Halts stop whoever writes into the targets while they are replaced.
func (a Application) Halts(ctx context.Context) ([]service.Step, error) {
	places := a.places()
	var steps []service.Step
	for _, target := range slices.Sorted(maps.Keys(places)) {
		users, err := a.users(ctx, target, places[target])
		if err != nil {
			return nil, fmt.Errorf("ask %s who works with %v: %w", target, places[target], err)
		}
		if len(users) > 0 {
			steps = append(steps, a.step(opHalt, target, users, service.Disruptive))
		}
	}
	return steps, nil
}

// places are the restored services, by the target that manages them.
func (a Application) places() map[string][]string {
	places := map[string][]string{}
	for _, t := range a.Targets {
		if t.RunsIn.Target != "" {
			places[t.RunsIn.Target] = append(places[t.RunsIn.Target], t.RunsIn.Unit)
		}
	}
	return places
}

func (a Application) users(ctx context.Context, target string, restored []string) ([]string, error) {
	t, ok := a.Inventory.Target(target)
	if !ok {
		return nil, service.ErrUndeclared
	}
	in, err := t.Open()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	switcher, err := service.As[service.Switcher](in)
	if err != nil {
		return nil, err
	}
	return switcher.Users(ctx, restored)
}

// Releases start again what Halts stopped, whatever came in between.
func (a Application) Releases(halts []service.Step) ([]service.Step, error) {
	var steps []service.Step
	for _, halt := range halts {
		var stopped units
		if err := json.Unmarshal(halt.Args, &stopped); err != nil {
			return nil, fmt.Errorf("read the arguments of step %s: %w", halt.ID, err)
		}
		slices.Reverse(stopped.Units)
		steps = append(steps, a.step(opRelease, halt.Target, stopped.Units, service.Disruptive))
	}
	return steps, nil
}

// Healthy waits for every target that comes after a restored one.
func (a Application) Healthy() []service.Step {
	var steps []service.Step
	back := map[string]bool{}
	for _, t := range a.Targets {
		back[t.Name] = true
	}
	for _, t := range a.Inventory.Targets() { // in dependency order
		depends := slices.ContainsFunc(t.After, func(name string) bool { return back[name] })
		if back[t.Name] || !depends {
			continue
		}
		back[t.Name] = true
		if t.Kind.Offers("check") {
			steps = append(steps, a.step(opHealthy, t.Name, nil, service.ReadOnly))
		}
	}
	return steps
}

func (a Application) step(op, target string, names []string, risk service.Risk) service.Step {
	text, err := json.Marshal(units{names})
	if err != nil {
		panic(fmt.Sprintf("encode names: %v", err)) // texts always encode
	}
	return service.Step{ID: op + " " + target, Target: target, Op: op, Args: text, Risk: risk,
		Title: service.Message{ID: "restore." + op, Args: service.Args{"target": target, "services": names}}}
}

// Does reports whether a step is one of the application's.
func (Application) Does(s service.Step) bool {
	return slices.Contains([]string{opHalt, opRelease, opHealthy}, s.Op)
}

// Halted is an error when somebody who was to stop writes on.
func (Application) Halted(earlier map[string]service.Done) error {
	for id, done := range earlier {
		if name, is := strings.CutPrefix(id, opHalt+" "); is && done.Failed {
			return fmt.Errorf("the services of %s that write into it did not stop, so nothing is replaced: %w", name, service.ErrRefused)
		}
	}
	return nil
}

// Do does one step.
func (a Application) Do(ctx context.Context, t service.Task) (service.Outcome, error) {
	if t.Step.Op == opHealthy {
		return a.healthy(ctx, t)
	}
	switcher, err := service.As[service.Switcher](t.Instance)
	if err != nil {
		return service.Outcome{}, err
	}
	var named units
	if err := json.Unmarshal(t.Step.Args, &named); err != nil {
		return service.Outcome{}, fmt.Errorf("read the arguments of step %s: %w", t.Step.ID, err)
	}
	if t.Step.Op == opHalt {
		return service.Outcome{}, halt(ctx, switcher, named.Units)
	}
	return service.Outcome{}, release(ctx, switcher, named.Units)
}

// halt starts again what it stopped when it cannot stop all of it: a failed halt is
// followed by no release.
func halt(ctx context.Context, s service.Switcher, names []string) error {
	for i, name := range names {
		if err := s.Stop(ctx, name); err != nil {
			stopped := slices.Clone(names[:i+1])
			slices.Reverse(stopped)
			return errors.Join(fmt.Errorf("stop %s: %w", name, err), release(ctx, s, stopped))
		}
	}
	return nil
}

func release(ctx context.Context, s service.Switcher, names []string) error {
	var failed error
	for _, name := range names {
		if err := s.Start(ctx, name); err != nil {
			failed = errors.Join(failed, fmt.Errorf("start %s: %w", name, err))
		}
	}
	return failed
}

// recheck is the pause between two looks at a target that is not healthy yet.
const recheck = time.Second

// healthy checks until nothing is critical any more but what is accepted, or patience
// is at its end: then what the last check found stands.
func (a Application) healthy(ctx context.Context, t service.Task) (service.Outcome, error) {
	checker, err := service.As[service.Checker](t.Instance)
	if err != nil {
		return service.Outcome{}, err
	}
	patient, cancel := context.WithTimeout(ctx, a.Patience)
	defer cancel()
	for {
		v, err := a.once(ctx, checker)
		if worst := service.Worst(a.pending(t.Step.Target, v.Findings)); err == nil && worst != service.Critical && worst != service.Unknown {
			return service.Outcome{Verdict: v}, nil
		}
		select {
		case <-patient.Done():
			return service.Outcome{Verdict: v}, err
		case <-time.After(recheck):
		}
	}
}

// pending leaves out what the declaration accepts: nobody waits for that to go.
func (a Application) pending(target string, found []service.Finding) []service.Finding {
	t, _ := a.Inventory.Target(target)
	return slices.DeleteFunc(slices.Clone(found), func(f service.Finding) bool {
		id := f.ID
		if !strings.Contains(id, ".") {
			id = t.Kind.Name() + "." + id
		}
		_, expired, accepted := a.Inventory.Waiver(target, id, a.Now())
		return accepted && !expired
	})
}

// lookFor bounds one look.
const lookFor = 20 * time.Second

func (Application) once(ctx context.Context, c service.Checker) (service.Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	return c.Check(ctx)
}

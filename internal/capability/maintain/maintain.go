// Package maintain plans and does the care that targets say is due. What is due
// and how it is done is the kinds' own business; here it becomes one list of steps
// that can be previewed, approved, resumed and taken back.
package maintain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"upkeep/internal/inventory"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// Maintain is the care of chosen targets.
type Maintain struct {
	Targets []inventory.Target
	Work    service.Work // on data that somebody asks for; without Care it is the care that is due
}

// Steps asks every target for what is due, in dependency order. A target that
// cannot tell makes no plan at all: what was left out would look cared for.
func (m Maintain) Steps(ctx context.Context) ([]service.Step, error) {
	return m.each(func(t inventory.Target, in service.Instance) ([]service.Step, error) {
		if m.Work.Care != "" {
			curator, err := service.As[service.Curator](in)
			if err != nil {
				return nil, err
			}
			return curator.Curate(ctx, m.Work)
		}
		maintainer, err := service.As[service.Maintainer](in)
		if err != nil {
			return nil, err
		}
		return maintainer.Maintenance(ctx)
	})
}

// Undo lists the steps that take a run's finished steps back, the last one first.
func (m Maintain) Undo(ctx context.Context, done []journal.Step) ([]service.Step, error) {
	return m.each(func(t inventory.Target, in service.Instance) (steps []service.Step, err error) {
		for i := len(done) - 1; i >= 0; i-- {
			d := done[i]
			if d.Work == nil || d.Work.Target != t.Name || d.Error != nil || d.Skipped {
				continue
			}
			back, err := undo(ctx, in, d)
			if err != nil {
				return nil, fmt.Errorf("take back %q: %w", d.ID, err)
			}
			steps = append(steps, back...)
		}
		return steps, nil
	})
}

func undo(ctx context.Context, in service.Instance, done journal.Step) ([]service.Step, error) {
	undoer, err := service.As[service.Undoer](in)
	if err != nil {
		return nil, err
	}
	own, err := unwrap(*done.Work)
	if err != nil {
		return nil, err
	}
	return undoer.Undo(ctx, own, done.Result)
}

// each opens every target and completes the steps that it gives.
func (m Maintain) each(list func(inventory.Target, service.Instance) ([]service.Step, error)) ([]service.Step, error) {
	all := []service.Step{}
	for _, t := range m.Targets {
		steps, err := m.of(t, list)
		if err != nil {
			return nil, fmt.Errorf("plan the care of %s: %w", t.Name, err)
		}
		all = append(all, steps...)
	}
	return all, nil
}

func (m Maintain) of(t inventory.Target, list func(inventory.Target, service.Instance) ([]service.Step, error)) (steps []service.Step, err error) {
	in, err := t.Open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	own, err := list(t, in)
	if err != nil {
		return nil, err
	}
	for _, s := range own {
		steps = append(steps, wrap(t, s))
	}
	return steps, nil
}

// wrap makes a step of the plan from a kind's own, which it carries whole: the kind
// judges by itself whether the state that it has seen still holds.
func wrap(t inventory.Target, own service.Step) service.Step {
	text, err := json.Marshal(own)
	if err != nil {
		panic(fmt.Sprintf("encode step %s: %v", own.ID, err)) // plain values always encode
	}
	title := own.Title
	if !strings.Contains(title.ID, ".") { // else its words are of the kind on which this one is built
		title.ID = t.Kind.Name() + "." + title.ID
	}
	return service.Step{ID: t.Name + " " + own.ID, Target: t.Name, Op: t.Kind.Name() + "." + own.Op, Args: text,
		Risk: own.Risk, Title: title}
}

func unwrap(s service.Step) (own service.Step, err error) {
	if err := json.Unmarshal(s.Args, &own); err != nil {
		return own, fmt.Errorf("read step %s: %w", s.ID, err)
	}
	return own, nil
}

// Do lets the target do one of its steps.
func (m Maintain) Do(ctx context.Context, t service.Task) (service.Outcome, error) {
	doer, err := service.As[service.Doer](t.Instance)
	if err != nil {
		return service.Outcome{}, err
	}
	own, err := unwrap(t.Step)
	if err != nil {
		return service.Outcome{}, err
	}
	return doer.Do(ctx, own, t.Report)
}

// Package check judges every target now, side by side. It changes nothing.
package check

import (
	"context"

	"upkeep/internal/inventory"
	"upkeep/internal/service"
)

// Check is one round over chosen targets.
type Check struct {
	Inventory *inventory.Inventory
	Targets   []inventory.Target
	// Own judges upkeep itself: the declaration, where copies lie. It runs beside
	// the targets.
	Own func(ctx context.Context) (service.Verdict, error)
}

const ownStep = "upkeep"

// Steps lists one step per target and one for upkeep itself.
func (c Check) Steps() []service.Step {
	var steps []service.Step
	for _, t := range c.Targets {
		steps = append(steps, service.Step{
			ID: "check " + t.Name, Target: t.Name, Op: "check", Risk: service.ReadOnly,
			Title: service.Message{ID: "check.target", Args: service.Args{"target": t.Name}},
		})
	}
	return append(steps, service.Step{ID: ownStep, Op: ownStep, Risk: service.ReadOnly,
		Title: service.Message{ID: "check.own"}})
}

// Do judges one target, its assertions included.
func (c Check) Do(ctx context.Context, t service.Task) (service.Outcome, error) {
	if t.Step.Op == ownStep {
		v, err := c.Own(ctx)
		return service.Outcome{Verdict: v}, err
	}
	checker, err := service.As[service.Checker](t.Instance)
	if err != nil {
		return service.Outcome{}, err
	}
	v, err := checker.Check(ctx)
	if err == nil {
		v.Merge(c.Inventory.Assert(ctx, t.Instance, t.Step.Target, "check"))
	}
	return service.Outcome{Verdict: v}, err
}

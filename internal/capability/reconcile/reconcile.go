// Package reconcile compares the stores of a running system with each other, as
// declared under reconcile:. It reads only. What the rules mean is shared with
// drills and restores and lies in inventory and consistency.
package reconcile

import (
	"context"
	"errors"
	"fmt"

	"upkeep/internal/config"
	"upkeep/internal/consistency"
	"upkeep/internal/inventory"
	"upkeep/internal/service"
)

// Reconcile is one comparison by chosen rules.
type Reconcile struct {
	Inventory *inventory.Inventory
	Rules     []config.Rule
	Ledger    func(ctx context.Context) (*consistency.Ledger, error)
}

// Op is what its steps do.
const Op = "reconcile"

// Steps lists one step per rule.
func (r Reconcile) Steps() []service.Step {
	steps := []service.Step{}
	for _, rule := range r.Rules {
		steps = append(steps, service.Step{ID: Op + " " + rule.Name, Op: Op, Risk: service.ReadOnly,
			Title: service.Message{ID: "reconcile.rule", Args: service.Args{"rule": rule.Name, "rows": rule.Rows.Target, "things": rule.Things()}}})
	}
	return steps
}

// Do compares by one rule. The claims are read before and after the things, so that
// what comes and goes meanwhile is no difference.
func (r Reconcile) Do(ctx context.Context, t service.Task) (service.Outcome, error) {
	rule, err := r.rule(t.Step.ID)
	if err != nil {
		return service.Outcome{}, err
	}
	ledger, err := r.Ledger(ctx)
	if err != nil {
		return service.Outcome{}, err
	}
	if err := r.fill(ctx, ledger, rule); err != nil {
		return service.Outcome{}, fmt.Errorf("reconcile %s: %w", rule.Name, err)
	}
	d, err := inventory.Difference(ctx, ledger, rule, true)
	if err != nil {
		return service.Outcome{}, err
	}
	return service.Outcome{Targets: inventory.Reconciled(rule, d)}, nil
}

func (r Reconcile) rule(step string) (config.Rule, error) {
	for _, rule := range r.Rules {
		if step == Op+" "+rule.Name {
			return rule, nil
		}
	}
	return config.Rule{}, fmt.Errorf("step %s: %w", step, service.ErrUndeclared)
}

func (r Reconcile) fill(ctx context.Context, ledger *consistency.Ledger, rule config.Rule) (err error) {
	claims, err := r.open(rule.Rows.Target)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, claims.Close()) }()
	things, err := r.open(rule.Things())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, things.Close()) }()
	if _, err := ledger.Fill(ctx, inventory.ListOfClaims(rule), inventory.Claims(ctx, claims, rule)); err != nil {
		return err
	}
	if _, err := ledger.Fill(ctx, inventory.ListOfThings(rule), inventory.Things(ctx, things, rule)); err != nil {
		return err
	}
	_, err = ledger.Fill(ctx, inventory.ListOfClaimsAfter(rule), inventory.Claims(ctx, claims, rule))
	return err
}

func (r Reconcile) open(target string) (service.Instance, error) {
	t, ok := r.Inventory.Target(target)
	if !ok {
		return nil, fmt.Errorf("target %q: %w", target, service.ErrUndeclared)
	}
	return t.Open()
}

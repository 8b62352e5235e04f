package drill

import (
	"context"
	"fmt"

	"upkeep/internal/inventory"
	"upkeep/internal/service"
)

// list notes what a scratch sibling says of the rules that its target takes part
// in: it is gone when the other one is there.
func (d Drill) list(ctx context.Context, scratch service.Instance, target string) error {
	for _, rule := range d.Rules {
		if rule.Rows.Target != target && rule.Things() != target {
			continue
		}
		ledger, err := d.Ledger(ctx)
		if err != nil {
			return err
		}
		if rule.Rows.Target == target {
			if _, err := ledger.Fill(ctx, inventory.ListOfClaims(rule), inventory.Claims(ctx, scratch, rule)); err != nil {
				return fmt.Errorf("list what rule %s claims: %w", rule.Name, err)
			}
		}
		if rule.Things() == target {
			if _, err := ledger.Fill(ctx, inventory.ListOfThings(rule), inventory.Things(ctx, scratch, rule)); err != nil {
				return fmt.Errorf("list what rule %s speaks of: %w", rule.Name, err)
			}
		}
	}
	return nil
}

// reconcile compares what was listed by one rule. Where a target did not come back
// there is nothing to compare, and the point is not proven anyway.
func (d Drill) reconcile(ctx context.Context, t service.Task) (service.Outcome, error) {
	for _, rule := range d.Rules {
		if t.Step.ID != opReconcile+" "+rule.Name {
			continue
		}
		for _, target := range []string{rule.Rows.Target, rule.Things()} {
			if done := t.Earlier[stepOf(target)]; done.Failed || len(done.Outcome.Result) == 0 {
				return service.Outcome{}, nil
			}
		}
		ledger, err := d.Ledger(ctx)
		if err != nil {
			return service.Outcome{}, err
		}
		found, err := inventory.Difference(ctx, ledger, rule, false)
		if err != nil {
			return service.Outcome{}, err
		}
		return service.Outcome{Targets: inventory.Reconciled(rule, found)}, nil
	}
	return service.Outcome{}, fmt.Errorf("step %s: %w", t.Step.ID, service.ErrUndeclared)
}

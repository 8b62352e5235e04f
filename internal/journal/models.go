package journal

import (
	"context"
	"database/sql"
	"fmt"
)

// project brings the read models up to date with a record that was just appended.
func project(ctx context.Context, tx *sql.Tx, r record) error {
	switch r.kind {
	case RunStarted:
		return runStarted(ctx, tx, r)
	case TargetResult:
		return targetResult(ctx, tx, r)
	case StepDone:
		return stepDone(ctx, tx, r)
	case RunFinished:
		return runFinished(ctx, tx, r)
	case PlanMade:
		return planMade(ctx, tx, r)
	case PlanApproved, PlanApplied:
		return planTouched(ctx, tx, r)
	case Noted:
		return noted(ctx, tx, r)
	}
	return fmt.Errorf("record %d has unknown kind %q", r.seq, r.kind)
}

// Rebuild makes the read models anew from the records: whatever somebody wrote
// into them by hand is gone. It trusts the records; Verify them first.
func (j *Journal) Rebuild(ctx context.Context) error {
	return j.write(ctx, func(tx *sql.Tx) error {
		for _, table := range []string{"runs", "results", "findings", "plans", "notes"} {
			if _, err := tx.ExecContext(ctx, "DELETE FROM "+table); err != nil {
				return fmt.Errorf("empty %s: %w", table, err)
			}
		}
		return records(ctx, tx, func(r record) error { return project(ctx, tx, r) })
	})
}

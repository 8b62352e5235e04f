package journal

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// project brings the read models up to date with a record that was just appended.
func project(ctx context.Context, tx transaction, r record) error {
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
	return j.write(ctx, func(tx transaction) error { return rebuild(ctx, tx) })
}

// models are the tables made of the records, each with the columns that order it.
func models() map[string]string {
	return map[string]string{"runs": "id", "results": "run, target", "findings": "system, verb, target, id, subject",
		"plans": "digest", "notes": "seq"}
}

func rebuild(ctx context.Context, tx transaction) error {
	for table := range models() {
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+table); err != nil {
			return fmt.Errorf("empty %s: %w", table, err)
		}
	}
	return records(ctx, tx, func(r record) error { return project(ctx, tx, r) })
}

// Mend makes the read models anew where they are not what the records give, and
// returns the names of the tables that somebody had altered. Like Rebuild it
// trusts the records.
func (j *Journal) Mend(ctx context.Context) (altered []string, err error) {
	whole := errors.New("nothing to mend")
	err = j.write(ctx, func(tx transaction) error {
		had, err := digests(ctx, tx)
		if err == nil {
			err = rebuild(ctx, tx)
		}
		if err != nil {
			return err
		}
		have, err := digests(ctx, tx)
		if err != nil {
			return err
		}
		for _, table := range slices.Sorted(maps.Keys(have)) {
			if had[table] != have[table] {
				altered = append(altered, table)
			}
		}
		if len(altered) == 0 {
			return whole // writes nothing
		}
		return nil
	})
	if errors.Is(err, whole) {
		return nil, nil
	}
	return altered, err
}

// digests sums up every read model.
func digests(ctx context.Context, tx transaction) (map[string]string, error) {
	sums := map[string]string{}
	for table, order := range models() {
		sum, err := digestOf(ctx, tx, "SELECT * FROM "+table+" ORDER BY "+order)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", table, err)
		}
		sums[table] = sum
	}
	return sums, nil
}

func digestOf(ctx context.Context, tx transaction, query string) (string, error) {
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return "", err
	}
	values, places := make([]sql.RawBytes, len(columns)), make([]any, len(columns))
	for i := range values {
		places[i] = &values[i]
	}
	h := sha256.New()
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return "", err
		}
		for _, value := range values {
			fmt.Fprintf(h, "%d:%s", len(value), value) // a hash never fails
		}
	}
	return hex.EncodeToString(h.Sum(nil)), rows.Err()
}

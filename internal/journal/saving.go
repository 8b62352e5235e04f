package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"upkeep/internal/service"
)

// Begin records that a run has started. Its targets and steps are saved as they
// become known. An ID that was used before is an error wrapping
// service.ErrRefused.
func (j *Journal) Begin(ctx context.Context, run Run) error {
	run.Targets, run.Steps = []Target{}, nil
	return j.write(ctx, func(tx transaction) error {
		switch _, err := stored(ctx, tx, run.ID); {
		case err == nil:
			return fmt.Errorf("run %s was begun before: %w", run.ID, service.ErrRefused)
		case !errors.Is(err, service.ErrNotFound):
			return err
		}
		return j.append(ctx, tx, run.System, RunStarted, run.ID, run)
	})
}

// SaveTarget seals what a run says of one target as soon as it is known. Saying
// it again, as a resumed run does, replaces what the run said before.
func (j *Journal) SaveTarget(ctx context.Context, runID string, t Target) error {
	return j.save(ctx, runID, TargetResult, t)
}

// SaveStep seals one finished or skipped step. The same step again replaces the
// earlier one.
func (j *Journal) SaveStep(ctx context.Context, runID string, s Step) error {
	return j.save(ctx, runID, StepDone, s)
}

func (j *Journal) save(ctx context.Context, runID string, kind Kind, body any) error {
	return j.write(ctx, func(tx transaction) error {
		run, err := stored(ctx, tx, runID)
		if err != nil {
			return err
		}
		return j.append(ctx, tx, run.System, kind, runID, body)
	})
}

// Finish seals a run as a whole; what it holds replaces what was saved piece by
// piece. A second Finish is an error wrapping service.ErrRefused.
func (j *Journal) Finish(ctx context.Context, run Run) error {
	return j.write(ctx, func(tx transaction) error {
		begun, err := stored(ctx, tx, run.ID)
		if err != nil {
			return err
		}
		if !begun.Finished.IsZero() {
			return fmt.Errorf("run %s is finished: %w", run.ID, service.ErrRefused)
		}
		return j.append(ctx, tx, run.System, RunFinished, run.ID, run)
	})
}

func runStarted(ctx context.Context, tx transaction, r record) error {
	var run Run
	if err := r.decode(&run); err != nil {
		return err
	}
	return storeRun(ctx, tx, run)
}

func targetResult(ctx context.Context, tx transaction, r record) error {
	var said Target
	if err := r.decode(&said); err != nil {
		return err
	}
	run, err := stored(ctx, tx, r.run)
	if err != nil {
		return err
	}
	run.Targets = put(run.Targets, said, func(t Target) string { return t.Target })
	if err := storeRun(ctx, tx, run); err != nil {
		return err
	}
	return storeResult(ctx, tx, run, said)
}

func stepDone(ctx context.Context, tx transaction, r record) error {
	var done Step
	if err := r.decode(&done); err != nil {
		return err
	}
	run, err := stored(ctx, tx, r.run)
	if err != nil {
		return err
	}
	run.Steps = put(run.Steps, done, func(s Step) string { return s.ID })
	return storeRun(ctx, tx, run)
}

func runFinished(ctx context.Context, tx transaction, r record) error {
	var run Run
	if err := r.decode(&run); err != nil {
		return err
	}
	for _, t := range run.Targets {
		if err := storeResult(ctx, tx, run, t); err != nil {
			return err
		}
	}
	return storeRun(ctx, tx, run)
}

// put replaces the item of the same name in its place, or appends it.
func put[T any](items []T, item T, name func(T) string) []T {
	same := func(other T) bool { return name(other) == name(item) }
	if i := slices.IndexFunc(items, same); i >= 0 {
		items[i] = item
		return items
	}
	return append(items, item)
}

func stored(ctx context.Context, from querier, id string) (Run, error) {
	var body string
	err := from.QueryRowContext(ctx, "SELECT body FROM runs WHERE id = ?", id).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return Run{}, fmt.Errorf("run %s: %w", id, service.ErrNotFound)
	}
	if err != nil {
		return Run{}, fmt.Errorf("read run %s: %w", id, err)
	}
	return decoded[Run](body)
}

func storeRun(ctx context.Context, tx transaction, run Run) error {
	body, err := json.Marshal(run)
	if err != nil {
		return fmt.Errorf("encode run %s: %w", run.ID, err)
	}
	_, err = tx.ExecContext(ctx, "INSERT OR REPLACE INTO runs (id, system, verb, parent, started, body) VALUES (?, ?, ?, ?, ?, ?)",
		run.ID, run.System, run.Verb, run.Parent, run.Started.UnixNano(), string(body))
	if err != nil {
		return fmt.Errorf("store run %s: %w", run.ID, err)
	}
	return nil
}

// decoded reads the body of a read model.
func decoded[T any](body string) (T, error) {
	var v T
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		return v, fmt.Errorf("read %T from the journal: %w", v, err)
	}
	return v, nil
}

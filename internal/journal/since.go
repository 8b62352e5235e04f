package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"upkeep/internal/service"
)

// lastTold is the start of the latest run of a verb, begun before a given time,
// that could tell how a target is. A run that could not tell breaks no row.
const lastTold = `coalesce((SELECT max(started) FROM results
	WHERE system = ? AND verb = ? AND target = ? AND told = 1 AND started < ?), 0)`

// Since returns found with Since set: the start of the unbroken row of runs of
// the verb that found the same (ID, Subject) on the target. at is the start of
// the run that found them now; a run that could not tell breaks no row. It is
// called before SaveTarget.
func (j *Journal) Since(ctx context.Context, system, verb, target string, found []Finding, at time.Time) ([]Finding, error) {
	aged := slices.Clone(found)
	for i := range aged {
		since, err := j.rowStart(ctx, system, verb, target, aged[i], at)
		if err != nil {
			return nil, fmt.Errorf("look up since when %s has %s: %w", target, aged[i].ID, err)
		}
		aged[i].Since = since
	}
	return aged, nil
}

func (j *Journal) rowStart(ctx context.Context, system, verb, target string, f Finding, at time.Time) (time.Time, error) {
	var since string
	err := j.db.QueryRowContext(ctx, `SELECT since FROM findings
		WHERE system = ? AND verb = ? AND target = ? AND id = ? AND subject = ? AND last >= `+lastTold,
		system, verb, target, f.ID, f.Subject,
		system, verb, target, at.UnixNano()).Scan(&since)
	if errors.Is(err, sql.ErrNoRows) {
		return at, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339Nano, since)
}

// storeResult keeps what a run said of a target: whether it could tell, and the
// rows that its findings start or continue. Rows that broke earlier are dropped.
// A run may say it in pieces, so its own silence breaks nothing yet.
func storeResult(ctx context.Context, tx transaction, run Run, t Target) error {
	told := t.Error == nil && t.Verdict != service.Unknown
	started := run.Started.UnixNano()
	_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO results (run, target, system, verb, started, told) VALUES (?, ?, ?, ?, ?, ?)",
		run.ID, t.Target, run.System, run.Verb, started, told)
	if err != nil {
		return fmt.Errorf("store the result of %s: %w", t.Target, err)
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM findings WHERE system = ? AND verb = ? AND target = ? AND last < "+lastTold,
		run.System, run.Verb, t.Target,
		run.System, run.Verb, t.Target, started)
	if err != nil {
		return fmt.Errorf("drop broken rows of %s: %w", t.Target, err)
	}
	for _, f := range t.Findings {
		if err := continueRow(ctx, tx, run, t.Target, f); err != nil {
			return fmt.Errorf("store finding %s of %s: %w", f.ID, t.Target, err)
		}
	}
	return nil
}

func continueRow(ctx context.Context, tx transaction, run Run, target string, f Finding) error {
	since := f.Since
	if since.IsZero() {
		since = run.Started
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO findings (system, verb, target, id, subject, since, last) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET since = excluded.since, last = max(last, excluded.last)`,
		run.System, run.Verb, target, f.ID, f.Subject, since.Format(time.RFC3339Nano), run.Started.UnixNano())
	return err
}

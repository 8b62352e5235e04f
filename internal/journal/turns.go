package journal

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"upkeep/internal/calendar"
)

// ClaimTurns writes turns down, and up to when those of their jobs are written, in one
// transaction, and returns the turns that are the caller's. One that was there before
// is not, unless it had only been missed: a clock that was set back reaches it again.
func (j *Journal) ClaimTurns(ctx context.Context, turns []calendar.Turn, system string, marks []calendar.Mark) (claimed []calendar.Turn, err error) {
	err = j.write(ctx, func(tx transaction) error {
		claimed = nil
		for _, t := range turns {
			is, err := claim(ctx, tx, t)
			if err != nil {
				return fmt.Errorf("claim the turn of %s due at %s: %w", t.Job, t.Due, err)
			}
			if is {
				claimed = append(claimed, t)
			}
		}
		for _, m := range marks {
			_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO marks (system, job, form, upto) VALUES (?, ?, ?, ?)", system, m.Job, m.Form, stamp(m.Upto))
			if err != nil {
				return fmt.Errorf("mark up to when turns of %s are known: %w", m.Job, err)
			}
		}
		return nil
	})
	return claimed, err
}

const turnColumns = "system, job, due, state, run, tries, began, ended, exit, detail"

func claim(ctx context.Context, tx transaction, t calendar.Turn) (bool, error) {
	result, err := tx.ExecContext(ctx, "INSERT INTO turns ("+turnColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"+
		" ON CONFLICT (system, job, due) DO UPDATE SET state = excluded.state, run = excluded.run, tries = excluded.tries, began = excluded.began,"+
		" detail = excluded.detail WHERE turns.state = 'missed' AND excluded.state <> 'missed'",
		t.System, t.Job, stamp(t.Due), string(t.State), t.Run, t.Tries, stamp(t.Began), stamp(t.Ended), t.Exit, t.Detail)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// SaveTurn brings a claimed turn up to date. One that is no longer open stays as it is.
func (j *Journal) SaveTurn(ctx context.Context, t calendar.Turn) error {
	return j.write(ctx, func(tx transaction) error {
		_, err := tx.ExecContext(ctx, "UPDATE turns SET state = ?, run = ?, tries = ?, began = ?, ended = ?, exit = ?, detail = ?"+
			" WHERE system = ? AND job = ? AND due = ? AND state IN ('enqueued', 'started')",
			string(t.State), t.Run, t.Tries, stamp(t.Began), stamp(t.Ended), t.Exit, t.Detail, t.System, t.Job, stamp(t.Due))
		if err != nil {
			return fmt.Errorf("save the turn of %s due at %s: %w", t.Job, t.Due, err)
		}
		return nil
	})
}

// OpenTurns returns the turns that were claimed and have not ended, in order.
func (j *Journal) OpenTurns(ctx context.Context, system string) ([]calendar.Turn, error) {
	return j.turns(ctx, "system = ? AND state IN ('enqueued', 'started') ORDER BY due, job", system)
}

// Turns returns the turns that were due from one time on and before another, in order.
func (j *Journal) Turns(ctx context.Context, system string, from, to time.Time) ([]calendar.Turn, error) {
	return j.turns(ctx, "system = ? AND due >= ? AND due < ? ORDER BY due, job", system, stamp(from), stamp(to))
}

// TurnBefore returns when the turn of a job that was due before a time began, or was due
// where it did not begin; zero when there is none.
func (j *Journal) TurnBefore(ctx context.Context, system, job string, before time.Time) (due time.Time, err error) {
	var at sql.NullInt64
	err = j.db.QueryRowContext(ctx, "SELECT max(max(due, began)) FROM turns WHERE system = ? AND job = ? AND due < ?", system, job, stamp(before)).Scan(&at)
	if err != nil {
		return time.Time{}, fmt.Errorf("look up the turn of %s before %s: %w", job, before, err)
	}
	return moment(at.Int64), nil
}

// EndedWell returns when the last turn of each job ended with exit code 0.
func (j *Journal) EndedWell(ctx context.Context, system string) (map[string]time.Time, error) {
	return j.times(ctx, "SELECT job, max(ended) FROM turns WHERE system = ? AND state = 'ended' AND exit = 0 GROUP BY job", system)
}

// LastTurns returns when the last turn of each job began, or was due where it did not.
func (j *Journal) LastTurns(ctx context.Context, system string) (map[string]time.Time, error) {
	return j.times(ctx, "SELECT job, max(max(due, began)) FROM turns WHERE system = ? GROUP BY job", system)
}

func (j *Journal) times(ctx context.Context, query, system string) (map[string]time.Time, error) {
	rows, err := j.db.QueryContext(ctx, query, system)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	defer rows.Close()
	all := map[string]time.Time{}
	for rows.Next() {
		var job string
		var at int64
		if err := rows.Scan(&job, &at); err != nil {
			return nil, fmt.Errorf("read the ledger: %w", err)
		}
		all[job] = moment(at)
	}
	return all, rows.Err()
}

// Marks returns up to when the turns of each job are written down.
func (j *Journal) Marks(ctx context.Context, system string) (map[string]calendar.Mark, error) {
	rows, err := j.db.QueryContext(ctx, "SELECT job, form, upto FROM marks WHERE system = ?", system)
	if err != nil {
		return nil, fmt.Errorf("read the marks of the ledger: %w", err)
	}
	defer rows.Close()
	all := map[string]calendar.Mark{}
	for rows.Next() {
		var m calendar.Mark
		var upto int64
		if err := rows.Scan(&m.Job, &m.Form, &upto); err != nil {
			return nil, fmt.Errorf("read the marks of the ledger: %w", err)
		}
		m.Upto = moment(upto)
		all[m.Job] = m
	}
	return all, rows.Err()
}

// DropMark forgets a job that is no longer declared: should it come back, it has missed
// nothing.
func (j *Journal) DropMark(ctx context.Context, system, job string) error {
	if _, err := j.db.ExecContext(ctx, "DELETE FROM marks WHERE system = ? AND job = ?", system, job); err != nil {
		return fmt.Errorf("forget the mark of %s: %w", job, err)
	}
	return nil
}

// ForgetTurns removes closed turns that were due before a time. What they ran stays in
// the chain.
func (j *Journal) ForgetTurns(ctx context.Context, system string, before time.Time) error {
	_, err := j.db.ExecContext(ctx, "DELETE FROM turns WHERE system = ? AND due < ? AND state NOT IN ('enqueued', 'started')", system, stamp(before))
	if err != nil {
		return fmt.Errorf("forget old turns: %w", err)
	}
	return nil
}

func (j *Journal) turns(ctx context.Context, where string, args ...any) ([]calendar.Turn, error) {
	rows, err := j.db.QueryContext(ctx, "SELECT "+turnColumns+" FROM turns WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	defer rows.Close()
	var all []calendar.Turn
	for rows.Next() {
		var t calendar.Turn
		var due, began, ended int64
		if err := rows.Scan(&t.System, &t.Job, &due, &t.State, &t.Run, &t.Tries, &began, &ended, &t.Exit, &t.Detail); err != nil {
			return nil, fmt.Errorf("read the ledger: %w", err)
		}
		t.Due, t.Began, t.Ended = moment(due), moment(began), moment(ended)
		all = append(all, t)
	}
	return all, rows.Err()
}

// stamp is how the ledger keeps a time; the zero time is 0.
func stamp(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func moment(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}

// LastEnded returns the last turn of a job that ended; the zero value where none has.
func (j *Journal) LastEnded(ctx context.Context, system, job string) (last calendar.Turn, err error) {
	all, err := j.turns(ctx, "system = ? AND job = ? AND state = 'ended' ORDER BY due DESC LIMIT 1", system, job)
	if len(all) > 0 {
		last = all[0]
	}
	return last, err
}

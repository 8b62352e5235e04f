package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// newest finds the last run of a verb that looked at a target, whether or not it
// could tell. Each half is one step in the index results_by_target.
const newest = `SELECT run FROM (
	SELECT * FROM (SELECT run, started FROM results WHERE system = ?1 AND verb = ?2 AND target = ?3 AND told = 0 ORDER BY started DESC LIMIT 1)
	UNION ALL
	SELECT * FROM (SELECT run, started FROM results WHERE system = ?1 AND verb = ?2 AND target = ?3 AND told = 1 ORDER BY started DESC LIMIT 1)
) ORDER BY started DESC LIMIT 1`

// Newest returns for each of the targets the last run of a verb that looked at it:
// runs by target. A target that none looked at is not in it.
func (j *Journal) Newest(ctx context.Context, system, verb string, targets []string) (map[string]Run, error) {
	found, read := map[string]Run{}, map[string]Run{}
	for _, target := range targets {
		var id string
		err := j.db.QueryRowContext(ctx, newest, system, verb, target).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		run, known := read[id]
		if err == nil && !known {
			run, err = stored(ctx, j.db, id)
		}
		if err != nil {
			return nil, fmt.Errorf("look up the last %s of %s: %w", verb, target, err)
		}
		found[target], read[id] = run, run
	}
	return found, nil
}

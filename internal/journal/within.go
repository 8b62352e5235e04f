package journal

import (
	"context"
	"fmt"
	"time"
)

// Within returns the finished runs of a query that began in a time, from its first
// moment to before its end, the newest first. Limit and Before do not count. It reads
// all of them: it is for one verb and a time of which a person keeps count.
func (j *Journal) Within(ctx context.Context, q Query, from, to time.Time) ([]Run, error) {
	q.Before = ""
	where, args, err := j.conditions(ctx, q)
	if err != nil {
		return nil, err
	}
	if where == "" {
		where = " WHERE true"
	}
	bodies, err := column(ctx, j.db, "SELECT body FROM runs"+where+" AND started >= ? AND started < ? ORDER BY started DESC, id DESC",
		append(args, from.UnixNano(), to.UnixNano())...)
	if err != nil {
		return nil, fmt.Errorf("list runs of a time: %w", err)
	}
	var runs []Run
	for _, body := range bodies {
		run, err := decoded[Run](body)
		if err != nil {
			return nil, err
		}
		if !run.Finished.IsZero() {
			runs = append(runs, run)
		}
	}
	return runs, nil
}

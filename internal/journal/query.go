package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"upkeep/internal/service"
)

// Latest resolves to the newest run that is not part of a job.
const Latest = "latest"

// Run returns the run whose ID is id or begins with it, or the Latest one. One
// that was killed comes back with what was saved, its Finished zero. No run or
// several are an error wrapping service.ErrNotFound.
func (j *Journal) Run(ctx context.Context, id string) (Run, error) {
	if id == Latest {
		return j.latest(ctx)
	}
	run, err := stored(ctx, j.db, id)
	if err == nil || !errors.Is(err, service.ErrNotFound) || id == "" {
		return run, err
	}
	bodies, err := column(ctx, j.db, "SELECT body FROM runs WHERE id >= ? AND id < ? LIMIT 2", id, after(id))
	if err != nil {
		return Run{}, fmt.Errorf("look up run %s: %w", id, err)
	}
	return only[Run]("run", id, bodies)
}

func (j *Journal) latest(ctx context.Context) (Run, error) {
	bodies, err := column(ctx, j.db, "SELECT body FROM runs WHERE parent = '' ORDER BY started DESC, id DESC LIMIT 1")
	if err != nil {
		return Run{}, fmt.Errorf("look up the latest run: %w", err)
	}
	return only[Run]("run", Latest, bodies)
}

// after is greater than every text that begins with prefix.
func after(prefix string) string { return prefix + "\U0010FFFF" }

func only[T any](what, id string, bodies []string) (T, error) {
	if len(bodies) == 1 {
		return decoded[T](bodies[0])
	}
	var none T
	if len(bodies) > 1 {
		return none, fmt.Errorf("%s %s: several begin so: %w", what, id, service.ErrNotFound)
	}
	return none, fmt.Errorf("%s %s: %w", what, id, service.ErrNotFound)
}

// Query selects runs; what is empty selects all.
type Query struct {
	System string
	Verb   string
	Target string // runs that said something of it
	Limit  int    // at most so many; 0 = 50
	Before string // ID of a run: only what started before it
}

// Runs returns runs, the newest first, and the Before of the next page: empty
// when there is nothing more.
func (j *Journal) Runs(ctx context.Context, q Query) (runs []Run, next string, err error) {
	if q.Limit <= 0 {
		q.Limit = 50
	}
	where, args, err := j.conditions(ctx, q)
	if err != nil {
		return nil, "", err
	}
	bodies, err := column(ctx, j.db, "SELECT body FROM runs"+where+" ORDER BY started DESC, id DESC LIMIT ?", append(args, q.Limit+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("list runs: %w", err)
	}
	more := len(bodies) > q.Limit
	for _, body := range bodies[:min(len(bodies), q.Limit)] {
		run, err := decoded[Run](body)
		if err != nil {
			return nil, "", err
		}
		runs = append(runs, run)
	}
	if more {
		next = runs[len(runs)-1].ID
	}
	return runs, next, nil
}

func (j *Journal) conditions(ctx context.Context, q Query) (where string, args []any, err error) {
	var all []string
	add := func(condition string, values ...any) {
		all = append(all, condition)
		args = append(args, values...)
	}
	if q.System != "" {
		add("system = ?", q.System)
	}
	if q.Verb != "" {
		add("verb = ?", q.Verb)
	}
	if q.Target != "" {
		add("EXISTS (SELECT 1 FROM results WHERE run = runs.id AND target = ?)", q.Target)
	}
	if q.Before != "" {
		last, err := stored(ctx, j.db, q.Before)
		if err != nil {
			return "", nil, err
		}
		add("(started, id) < (?, ?)", last.Started.UnixNano(), last.ID)
	}
	if len(all) == 0 {
		return "", nil, nil
	}
	return " WHERE " + strings.Join(all, " AND "), slices.Clip(args), nil
}

package control

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// Runs lists runs, newest first, with what to ask for next.
func (a *App) Runs(ctx context.Context, q journal.Query) ([]journal.Run, string, error) {
	j, err := a.Journal(ctx)
	if err != nil {
		return nil, "", err
	}
	q.System = a.Config.System
	return j.Runs(ctx, q)
}

// Run returns one run in full, and the runs of its verbs when it is a job's.
func (a *App) Run(ctx context.Context, id string) (journal.Run, []journal.Run, error) {
	j, err := a.Journal(ctx)
	if err != nil {
		return journal.Run{}, nil, err
	}
	run, err := j.Run(ctx, id)
	if err != nil {
		return run, nil, fmt.Errorf("find run %q: %w", id, err)
	}
	var children []journal.Run
	for _, s := range run.Steps {
		if s.Run == "" {
			continue
		}
		child, err := j.Run(ctx, s.Run)
		if err != nil {
			continue // a verb that was refused has no run of its own; the step says why
		}
		children = append(children, child)
	}
	return run, children, nil
}

// Change is one difference between two runs of the same verb.
type Change struct {
	Target  string           `json:"target"`
	Finding *journal.Finding `json:"finding,omitempty"`
	Fact    string           `json:"fact,omitempty"`
	Before  any              `json:"before,omitempty"`
	After   any              `json:"after,omitempty"`
	What    string           `json:"what"` // "appeared", "cleared", "changed", "unreachable", "reachable"
}

// Diff compares what two runs found, target by target, the older one first.
func (a *App) Diff(ctx context.Context, older, newer string) ([]Change, error) {
	before, _, err := a.Run(ctx, older)
	if err != nil {
		return nil, err
	}
	after, _, err := a.Run(ctx, newer)
	if err != nil {
		return nil, err
	}
	if before.Verb != after.Verb {
		return nil, fmt.Errorf("run %s is a %s and run %s a %s: %w", before.ID, before.Verb, after.ID, after.Verb, service.ErrUnsupported)
	}
	return compareRuns(before, after), nil
}

// VerifyLog recomputes the journal's hash chain and compares it with the heads
// that the restore points hold, where the repository can be read. The error wraps
// a *journal.Altered where a record is not as it was written. Tables made of the
// records that somebody altered are made anew, and are an error too.
func (a *App) VerifyLog(ctx context.Context) (records int64, heads int, err error) {
	j, err := a.Journal(ctx)
	if err != nil {
		return 0, 0, err
	}
	records, err = j.Verify(ctx)
	if err != nil {
		return records, 0, altered(err)
	}
	stored, err := a.storedHeads(ctx)
	if err != nil {
		return records, 0, fmt.Errorf("read the heads kept in restore points: %w", err)
	}
	if err := j.VerifyAgainst(ctx, stored...); err != nil {
		return records, 0, altered(fmt.Errorf("compare with the heads kept in restore points: %w", err))
	}
	tables, err := j.Mend(ctx)
	if len(tables) > 0 {
		err = &service.Fault{ID: "error.history-altered", Args: service.Args{"tables": tables},
			Err: fmt.Errorf("tables %s are not what the records give: %w", strings.Join(tables, ", "), service.ErrDamaged)}
	}
	return records, len(stored), err
}

func (a *App) storedHeads(ctx context.Context) ([]journal.Head, error) {
	points, err := a.Points(ctx)
	if err != nil {
		return nil, err
	}
	var heads []journal.Head
	for _, p := range points {
		if !p.Complete {
			continue // the head comes with the seal
		}
		var head journal.Head
		if _, err := fmt.Sscanf(p.JournalHead, "%d:%s", &head.Seq, &head.Hash); err != nil {
			return nil, fmt.Errorf("head in point %s: %w", p.ID, err)
		}
		heads = append(heads, head)
	}
	return heads, nil
}

// altered gives the error of a damaged chain its words.
func altered(err error) error {
	var a *journal.Altered
	if !errors.As(err, &a) {
		return err
	}
	args := service.Args{"seq": a.Seq}
	if !a.At.IsZero() {
		args["kind"], args["at"] = string(a.Kind), a.At.Format(time.RFC3339)
	}
	return &service.Fault{ID: "error.journal-altered", Args: args, Err: err}
}

package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"upkeep/internal/inventory"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// Look checks every target now. It is recorded as a run only where it says something
// else than the last check that was recorded, and comes back with the time since when
// each finding is known. The error is that of ctx or of the journal.
func (a *App) Look(ctx context.Context) (run journal.Run, recorded bool, err error) {
	req := Request{Verb: "check"}
	op, err := a.operation(ctx, "", req)
	if err != nil {
		return run, false, err
	}
	e, err := a.engine(ctx)
	if err != nil {
		return run, false, err
	}
	e.Watch = nil // a step of a look is nobody's progress
	op.work.Run = journal.Run{ID: newID(a.opt.Now()), System: a.Config.System, Verb: req.Verb, Args: req.encode()}
	if run, err = e.Look(ctx, op.work); err != nil {
		return run, false, err
	}
	known, err := a.LastCheck(ctx)
	if err != nil && !errors.Is(err, service.ErrNotFound) {
		return run, false, err
	}
	if err == nil && maps.Equal(said(known), said(run)) {
		return run, false, nil
	}
	if err := e.Record(ctx, run); err != nil {
		return run, true, err
	}
	a.ended(ctx, run)
	return run, true, nil
}

// LastCheck is the newest check of all targets that was recorded and has ended. The error
// wraps service.ErrNotFound where there is none.
func (a *App) LastCheck(ctx context.Context) (journal.Run, error) {
	j, err := a.Journal(ctx)
	if err != nil {
		return journal.Run{}, err
	}
	for before := ""; ; {
		runs, next, err := j.Runs(ctx, journal.Query{System: a.Config.System, Verb: "check", Before: before, Limit: 10})
		if err != nil {
			return journal.Run{}, err
		}
		if i := slices.IndexFunc(runs, a.whole); i >= 0 {
			return runs[i], nil
		}
		if before = next; before == "" {
			return journal.Run{}, fmt.Errorf("no check of %s was recorded: %w", a.Config.System, service.ErrNotFound)
		}
	}
}

// whole reports whether a check has ended and told of every target that is declared.
func (a *App) whole(run journal.Run) bool {
	told := map[string]bool{}
	for _, t := range run.Targets {
		told[t.Target] = true
	}
	missing := func(t inventory.Target) bool { return !told[t.Name] }
	return !run.Finished.IsZero() && !slices.ContainsFunc(a.Inventory.Targets(), missing)
}

// said is what a check says, without its numbers: verdicts, findings, errors.
func said(run journal.Run) map[string]bool {
	words := map[string]bool{}
	for _, t := range run.Targets {
		words[fmt.Sprintf("%q %s", t.Target, t.Verdict)] = true
		if t.Error != nil {
			words[fmt.Sprintf("%q error %s", t.Target, t.Error.ID)] = true
		}
		for _, f := range t.Findings {
			words[fmt.Sprintf("%q %s %s %q %q", t.Target, f.ID, f.Severity, f.Subject, f.Waived)] = true
		}
	}
	return words
}

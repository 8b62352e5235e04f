package control

import (
	"context"
	"errors"
	"path/filepath"
	"slices"

	"upkeep/internal/capability/report"
	"upkeep/internal/engine"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// Alive reports whether a process of this machine works on a run.
func (a *App) Alive(run string) (bool, error) {
	return engine.Alive(filepath.Join(a.stateDir, "locks"), run)
}

// Verbs returns the runs of a job's verbs that have begun, in order, and how many verbs
// it has. What a job has not sealed yet is among them.
func (a *App) Verbs(ctx context.Context, job journal.Run) (begun []journal.Run, of int, err error) {
	req, err := decodeRequest(job.Args)
	if err != nil {
		return nil, 0, err
	}
	for _, id := range req.Runs {
		run, _, err := a.Run(ctx, id)
		switch {
		case errors.Is(err, service.ErrNotFound):
			continue // it has not begun, or was skipped
		case err != nil:
			return nil, 0, err
		}
		begun = append(begun, run)
	}
	return begun, len(req.Runs), nil
}

// lately is how many of the newest runs of a verb are asked for sizes.
const lately = 50

// Stores are the sizes of everything that holds data, as the newest runs have told them.
func (a *App) Stores(ctx context.Context) ([]report.Capacity, error) {
	var told []journal.Run
	for _, verb := range []string{"check", "backup", "report"} {
		runs, _, err := a.Runs(ctx, journal.Query{Verb: verb, Limit: lately})
		if err != nil {
			return nil, err
		}
		told = append(told, runs...)
	}
	slices.SortStableFunc(told, func(a, b journal.Run) int { return b.Started.Compare(a.Started) })
	return report.Stores(told), nil
}

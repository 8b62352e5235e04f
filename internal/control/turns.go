package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"upkeep/internal/calendar"
	"upkeep/internal/engine"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// NewRun makes the ID of a run.
func (a *App) NewRun(now time.Time) string { return newID(now) }

// RunTurn runs a job for a turn under the run's ID that the turn has: for the first time,
// or goes on with it where an earlier process was killed. One that has ended is returned
// as it ended. It may be called for several turns at once.
func (a *App) RunTurn(ctx context.Context, t calendar.Turn) (run journal.Run, err error) {
	one, err := a.beside(ctx)
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, one.Close(context.WithoutCancel(ctx))) }()
	run, err = one.journal.Run(ctx, t.Run)
	switch {
	case err == nil && !isOf(run, t):
		return run, fmt.Errorf("run %s is of another turn: %w", t.Run, service.ErrRefused)
	case err == nil && !run.Finished.IsZero():
		return run, nil
	case err == nil:
		return one.Resume(ctx, run.ID)
	case !errors.Is(err, service.ErrNotFound):
		return run, fmt.Errorf("look for run %s: %w", t.Run, err)
	}
	job, err := one.job(t.Job)
	if err != nil {
		return run, err
	}
	ids := newIDs(a.opt.Now(), len(job.Do))
	return one.runJob(ctx, t.Run, Request{Verb: "run", Job: t.Job, Do: job.Do, Runs: ids, Turn: t.Due, Try: t.Tries}, false)
}

// isOf reports whether a run is one of a turn.
func isOf(run journal.Run, t calendar.Turn) bool {
	req, err := decodeRequest(run.Args)
	return err == nil && req.Job == t.Job && req.Turn.Equal(t.Due)
}

// beside is the app for one run beside others of this process. Journal and workflows are
// shared; a repository that it opens is its own, for reading or writing as it needs.
func (a *App) beside(ctx context.Context) (*App, error) {
	j, err := a.Journal(ctx)
	if err != nil {
		return nil, err
	}
	w, err := a.openWorkflow(ctx)
	if err != nil {
		return nil, err
	}
	return &App{opt: a.opt, Config: a.Config, Inventory: a.Inventory, stateDir: a.stateDir, scratch: a.scratch,
		journal: j, workflow: w, lent: true}, nil
}

// Ended says what the end of a run means to the ledger: its exit code, whether a lock or
// a queue was not free, whether it was only interrupted, and the ID of an error that is
// in no record.
func Ended(run journal.Run, err error) (exit int, busy, interrupted bool, detail string) {
	problem := run.Error
	if err != nil {
		problem = engine.Problem(err)
		run.Exit, detail = problem.Code, problem.ID
	}
	busy = held(problem)
	for _, s := range run.Steps {
		busy = busy || held(s.Error)
	}
	return run.Exit, busy, run.Exit == engine.ExitInterrupted && run.Finished.IsZero(), detail
}

func held(p *journal.Problem) bool {
	return p != nil && (p.ID == "error.locked" || p.ID == "error.queue-busy" || p.ID == "error.busy")
}

// Turns returns the turns of a time from the ledger, in order. Where there is no journal
// yet, there are none.
func (a *App) Turns(ctx context.Context, from, to time.Time) ([]calendar.Turn, error) {
	j, err := a.Journal(ctx)
	if err != nil {
		return nil, err
	}
	return j.Turns(ctx, a.Config.System, from, to)
}

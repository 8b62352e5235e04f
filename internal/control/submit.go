package control

import (
	"context"
	"errors"
	"fmt"

	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// Submit runs one verb to its end and returns the sealed record. A plan that
// needs approval is not run: see MakePlan, Approve and Apply.
func (a *App) Submit(ctx context.Context, req Request) (journal.Run, error) {
	return a.submit(ctx, newID(a.opt.Now()), req, false)
}

func (a *App) submit(ctx context.Context, id string, req Request, resume bool) (journal.Run, error) {
	op, err := a.operation(ctx, id, req)
	if err != nil {
		return journal.Run{}, err
	}
	if needsApproval(op.work.Steps) {
		return journal.Run{}, fmt.Errorf("%s is applied as a plan that somebody approved: %w", req.Verb, service.ErrRefused)
	}
	return a.runOperation(ctx, id, req, op, resume)
}

func (a *App) runOperation(ctx context.Context, id string, req Request, op operation, resume bool) (run journal.Run, err error) {
	if op.close != nil {
		defer func() { err = errors.Join(err, op.close(context.WithoutCancel(ctx))) }()
	}
	e, err := a.engine(ctx)
	if err != nil {
		return journal.Run{}, err
	}
	work := op.work
	work.Resume = resume
	work.Run = journal.Run{ID: id, System: a.Config.System, Verb: req.Verb, Parent: req.Parent, Plan: req.Plan,
		Args: req.encode(), Started: a.opt.Now()}
	run, err = e.Run(ctx, work)
	if err == nil {
		a.ended(ctx, run)
	}
	return run, err
}

// NeedsApproval reports whether a request does more than read or add, so that it is
// done as a plan only.
func (a *App) NeedsApproval(ctx context.Context, req Request) (bool, error) {
	steps, err := a.Steps(ctx, req)
	return needsApproval(steps), err
}

// Steps lists what a request would do, without doing or recording any of it.
func (a *App) Steps(ctx context.Context, req Request) ([]service.Step, error) {
	if req.Verb == "run" {
		return a.jobSteps(req.Job)
	}
	op, err := a.operation(ctx, newID(a.opt.Now()), req)
	if err != nil {
		return nil, err
	}
	if op.close != nil {
		err = op.close(ctx)
	}
	return op.work.Steps, err
}

// Resume continues a run that was interrupted or killed: finished steps of a
// durable verb are not done again, other verbs start over under the same ID.
func (a *App) Resume(ctx context.Context, id string) (journal.Run, error) {
	j, err := a.Journal(ctx)
	if err != nil {
		return journal.Run{}, err
	}
	run, err := j.Run(ctx, id)
	if err != nil {
		return run, fmt.Errorf("find run %s: %w", id, err)
	}
	if run.System != a.Config.System {
		return run, a.foreign(run)
	}
	if !run.Finished.IsZero() {
		return run, fmt.Errorf("run %s has ended, there is nothing to resume: %w", run.ID, service.ErrRefused)
	}
	return a.resumeRun(ctx, run)
}

// foreign refuses a run of another system: one state directory may hold several.
func (a *App) foreign(run journal.Run) error {
	return fmt.Errorf("run %s is one of system %s, not of %s: %w", run.ID, run.System, a.Config.System, service.ErrRefused)
}

func (a *App) resumeRun(ctx context.Context, run journal.Run) (journal.Run, error) {
	req, err := decodeRequest(run.Args)
	switch {
	case err != nil:
		return run, err
	case req.Verb == "run":
		return a.runJob(ctx, run.ID, req, true)
	case req.Plan != "":
		return a.applyAs(ctx, run.ID, req.Plan, true)
	}
	return a.submit(ctx, run.ID, req, true)
}

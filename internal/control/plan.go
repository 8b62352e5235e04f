package control

import (
	"context"
	"fmt"

	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// MakePlan lists what a request would do and keeps the list under its digest.
// The same request over an unchanged world gives the same digest. A plan without
// steps is nothing to approve, so it is not kept.
func (a *App) MakePlan(ctx context.Context, req Request) (journal.Plan, error) {
	plan, err := a.plan(ctx, req)
	if err != nil || len(plan.Steps) == 0 {
		return plan, err
	}
	return a.keepPlan(ctx, plan)
}

func (a *App) keepPlan(ctx context.Context, plan journal.Plan) (journal.Plan, error) {
	j, err := a.Journal(ctx)
	if err != nil {
		return plan, err
	}
	if known, err := j.Plan(ctx, plan.Digest); err == nil && known.Applied == "" {
		known.Steps = plan.Steps // with what is told of the present now
		return known, nil
	}
	if err := j.SavePlan(ctx, plan); err != nil {
		return plan, fmt.Errorf("keep the plan: %w", err)
	}
	return plan, nil
}

func (a *App) plan(ctx context.Context, req Request) (journal.Plan, error) {
	steps, err := a.Steps(ctx, req)
	if err != nil {
		return journal.Plan{}, err
	}
	plan := journal.Plan{System: a.Config.System, Verb: req.Verb, Args: req.encode(), Config: a.Config.Digest,
		Steps: steps, Made: a.opt.Now(), MadeBy: a.opt.User}
	plan.Digest = journal.Digest(plan)
	return plan, nil
}

// Plans lists the plans of this system, newest first.
func (a *App) Plans(ctx context.Context) ([]journal.Plan, error) {
	j, err := a.Journal(ctx)
	if err != nil {
		return nil, err
	}
	return j.Plans(ctx, a.Config.System)
}

// Plan returns one plan by its digest or the beginning of it.
func (a *App) Plan(ctx context.Context, digest string) (journal.Plan, error) {
	j, err := a.Journal(ctx)
	if err != nil {
		return journal.Plan{}, err
	}
	return j.Plan(ctx, digest)
}

// Approve records that somebody agrees to a plan.
func (a *App) Approve(ctx context.Context, digest string) (journal.Plan, error) {
	j, err := a.Journal(ctx)
	if err != nil {
		return journal.Plan{}, err
	}
	plan, err := j.Plan(ctx, digest)
	if err != nil {
		return plan, err
	}
	if err := j.Approve(ctx, plan.Digest, a.opt.User); err != nil {
		return plan, fmt.Errorf("approve plan %s: %w", plan.Digest, err)
	}
	return j.Plan(ctx, plan.Digest)
}

// Apply does an approved plan, once, if a plan made now would be the same. Steps that
// users feel wait for their window.
func (a *App) Apply(ctx context.Context, digest string) (journal.Run, error) {
	plan, err := a.Plan(ctx, digest)
	if err == nil && !urgent(plan) {
		err = a.inWindow(ctx, plan.Steps, "")
	}
	if err != nil {
		return journal.Run{}, err
	}
	return a.applyAs(ctx, newID(a.opt.Now()), digest, false)
}

// urgent reports whether a plan brings something back: whoever approved that does not
// wait for a window.
func urgent(plan journal.Plan) bool {
	req, err := decodeRequest(plan.Args)
	return err == nil && (req.Undoes != "" || plan.Verb == "restore" || plan.Verb == "recover")
}

func (a *App) applyAs(ctx context.Context, id, digest string, resume bool) (journal.Run, error) {
	plan, err := a.Plan(ctx, digest)
	if err != nil {
		return journal.Run{}, err
	}
	if err := a.applicable(plan, resume); err != nil {
		return journal.Run{}, err
	}
	req, err := decodeRequest(plan.Args)
	if err != nil {
		return journal.Run{}, err
	}
	req.planned = resume
	op, err := a.replan(ctx, id, plan, req, resume)
	if err != nil {
		return journal.Run{}, err
	}
	op.work.Steps = plan.Steps
	op.work.Claim = func(ctx context.Context) error {
		if err := a.journal.Applied(ctx, plan.Digest, id); err != nil {
			return fmt.Errorf("take plan %s: %w", plan.Digest, err)
		}
		return nil
	}
	req.Plan = plan.Digest
	return a.runOperation(ctx, id, req, op, resume)
}

func (a *App) applicable(plan journal.Plan, resume bool) error {
	switch {
	case plan.System != a.Config.System:
		return fmt.Errorf("plan %s is for system %s: %w", plan.Digest, plan.System, service.ErrRefused)
	case plan.Applied != "" && !resume:
		return fmt.Errorf("plan %s was applied by run %s: %w", plan.Digest, plan.Applied, service.ErrRefused)
	case plan.Approved.IsZero() && needsApproval(plan.Steps):
		return &service.Fault{ID: "error.approval-missing", Args: service.Args{"plan": plan.Short()},
			Err: fmt.Errorf("plan %s is not approved: %w", plan.Digest, service.ErrRefused)}
	case plan.Config != a.Config.Digest:
		return fmt.Errorf("the declaration changed since plan %s was made: %w", plan.Digest, service.ErrStale)
	}
	return nil
}

// replan makes the operation anew and compares. A resumed plan has changed the
// world itself, so only its remaining steps are looked at, by the engine.
func (a *App) replan(ctx context.Context, id string, plan journal.Plan, req Request, resume bool) (operation, error) {
	op, err := a.operation(ctx, id, req)
	if err != nil || resume {
		return op, err
	}
	now := plan
	now.Steps = op.work.Steps
	if journal.Digest(now) == plan.Digest {
		return op, nil
	}
	holds := false
	if op.holds != nil {
		if holds, err = op.holds(plan.Steps); err != nil {
			return operation{}, err
		}
	}
	if !holds {
		return operation{}, fmt.Errorf("what plan %s was made for has changed, make it again: %w", plan.Digest, service.ErrStale)
	}
	return op, nil
}

// needsApproval reports whether a plan does more than read or add.
func needsApproval(steps []service.Step) bool {
	for _, s := range steps {
		if s.Risk != service.ReadOnly && s.Risk != service.Harmless {
			return true
		}
	}
	return false
}

// Undo returns the request that takes a run back: the kinds' own way back for care,
// and for a restore what it saved before it replaced it. A target that was given up
// unsaved is not among that.
func (a *App) Undo(ctx context.Context, id string) (Request, error) {
	j, err := a.Journal(ctx)
	if err != nil {
		return Request{}, err
	}
	run, err := j.Run(ctx, id)
	if err != nil {
		return Request{}, fmt.Errorf("find run %s: %w", id, err)
	}
	if run.System != a.Config.System {
		return Request{}, a.foreign(run)
	}
	if tends(run.Verb) {
		return caredFor(run), nil
	}
	if run.Verb == "recover" {
		req, err := decodeRequest(run.Args)
		return Request{Verb: run.Verb, Targets: req.Targets, Undoes: run.ID}, err
	}
	if run.Verb != "restore" {
		return Request{}, fmt.Errorf("run %s (%s) changed nothing that could be undone: %w", run.ID, run.Verb, service.ErrRefused)
	}
	req, err := decodeRequest(run.Args)
	if err != nil {
		return Request{}, err
	}
	saved, err := a.Point(ctx, run.ID)
	if err != nil {
		return Request{}, fmt.Errorf("find what run %s saved: %w", run.ID, err)
	}
	return Request{Verb: "restore", Point: run.ID, Targets: targetsOf(saved), Only: req.Only, Undoes: run.ID}, nil
}

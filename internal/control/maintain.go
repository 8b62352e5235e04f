package control

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"upkeep/internal/capability/maintain"
	"upkeep/internal/engine"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// tending are the verbs that plan care and can take it back: what is due, and what
// somebody asks for.
func tending() map[string]service.Care {
	return map[string]service.Care{"maintain": "", "repair": service.Repair, "merge": service.Merge, "dedup": service.Dedup, "convert": service.Convert}
}

// tends reports whether a verb is one of them.
func tends(verb string) bool {
	_, is := tending()[verb]
	return is
}

// maintainOp does the care that is due or asked for, or takes back what an earlier run
// did.
func (a *App) maintainOp(ctx context.Context, _ string, req Request) (operation, error) {
	m := maintain.Maintain{Work: service.Work{Care: tending()[req.Verb], To: req.To}}
	capability := "maintain"
	if m.Work.Care != "" {
		capability = "curate"
	}
	targets, err := a.offering(capability, req.Targets)
	if err != nil {
		return operation{}, err
	}
	m.Targets = targets
	var steps []service.Step
	switch {
	case req.planned:
	case req.Undoes != "":
		steps, err = a.takenBack(ctx, m, req.Undoes)
	default:
		steps, err = m.Steps(ctx)
	}
	if err != nil {
		return operation{}, err
	}
	do := m.Do
	if req.Unattended {
		steps = unattended(steps, req.Approved)
		do = func(ctx context.Context, t service.Task) (service.Outcome, error) {
			if t.Step.Op == opWait {
				return a.wait(ctx, req)
			}
			return m.Do(ctx, t)
		}
	}
	holds := func(planned []service.Step) (bool, error) { return m.Holds(planned, steps) }
	return operation{work: engine.Work{Steps: steps, Do: do, Allow: service.Destructive, Durable: true, Locked: true, Undoable: true}, holds: holds}, nil
}

// takenBack lists the steps that take a run back.
func (a *App) takenBack(ctx context.Context, m maintain.Maintain, id string) ([]service.Step, error) {
	run, err := a.journal.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	steps, err := m.Undo(ctx, run.Steps)
	if err == nil && len(steps) == 0 {
		err = fmt.Errorf("run %s did nothing that has to be taken back: %w", id, service.ErrRefused)
	}
	return steps, err
}

// caredFor returns the request that takes a run of maintain back.
func caredFor(run journal.Run) Request {
	req := Request{Verb: run.Verb, Undoes: run.ID}
	for _, s := range run.Steps {
		if s.Work != nil && s.Work.Target != "" && !slices.Contains(req.Targets, s.Work.Target) {
			req.Targets = append(req.Targets, s.Work.Target)
		}
	}
	return req
}

// opWait is the last step of unattended care: it leaves what may not be done
// without a person as a plan and says so.
const opWait = "wait"

// unattended keeps what may be done without a person: what cannot hurt, what can
// be taken back, and what was approved once and for all.
func unattended(steps []service.Step, approved []string) []service.Step {
	var now []service.Step
	for _, s := range steps {
		switch s.Risk {
		case service.ReadOnly, service.Harmless, service.Reversible:
			now = append(now, s)
		default:
			if slices.Contains(approved, s.Op) {
				now = append(now, s)
			}
		}
	}
	if len(now) == len(steps) {
		return now
	}
	return append(now, service.Step{ID: opWait, Op: opWait, Risk: service.Harmless, Title: service.Message{ID: "maintain.wait"}})
}

// wait plans what is still due.
func (a *App) wait(ctx context.Context, req Request) (out service.Outcome, err error) {
	plan, err := a.MakePlan(ctx, Request{Verb: req.Verb, Targets: req.Targets})
	if err != nil {
		return out, fmt.Errorf("plan what waits: %w", err)
	}
	what := []string{}
	for _, s := range plan.Steps {
		what = append(what, s.ID)
	}
	out.Verdict.Warn("maintain.waiting", "", service.Args{"steps": len(what), "what": what, "plan": plan.Short()})
	return out, nil
}

// plannedAnew is how often a job plans once more because the world moved between plan and
// work: nobody has read the plan, and live writers move it all the time.
const plannedAnew = 3

// tend does in a job what changes something: a plan of what may be done without a
// person, under the standing approval of the job. A plan has no steps where nothing is due;
// it is applied all the same, so that the run shows.
func (a *App) tend(ctx context.Context, id string, req Request, job string) (run journal.Run, err error) {
	for range plannedAnew {
		if run, err = a.tendOnce(ctx, id, req, job); !errors.Is(err, service.ErrStale) {
			break
		}
	}
	return run, err
}

func (a *App) tendOnce(ctx context.Context, id string, req Request, job string) (journal.Run, error) {
	plan, err := a.plan(ctx, req)
	if err == nil {
		err = a.inWindow(ctx, plan.Steps, job)
	}
	if err == nil {
		plan, err = a.keepPlan(ctx, plan)
	}
	if err != nil {
		return journal.Run{}, err
	}
	if err := a.journal.Approve(ctx, plan.Digest, "job "+job); err != nil {
		return journal.Run{}, fmt.Errorf("record the standing approval: %w", err)
	}
	return a.applyAs(ctx, id, plan.Digest, false)
}

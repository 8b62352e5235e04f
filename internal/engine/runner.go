package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"upkeep/internal/journal"
	"upkeep/internal/service"
	"upkeep/internal/workflow"
)

// runner is one run in progress.
type runner struct {
	engine *Engine
	work   Work

	mu        sync.Mutex
	done      map[string]service.Done
	results   map[string]*journal.Target // by target
	steps     []journal.Step
	problem   *journal.Problem // of the first failed step without a target
	unsaved   error            // why the journal did not take a result
	begun     bool             // some step was done by this process
	instances map[string]service.Instance
}

func newRunner(e *Engine, w Work) *runner {
	return &runner{engine: e, work: w, done: map[string]service.Done{},
		results: map[string]*journal.Target{}, instances: map[string]service.Instance{}}
}

// sealed is a finished step as the workflow keeps it across crashes.
type sealed struct {
	Outcome service.Outcome  `json:"outcome"`
	Problem *journal.Problem `json:"problem,omitempty"`
	Skipped bool             `json:"skipped,omitempty"`
	Took    time.Duration    `json:"took"`
}

func (r *runner) all(ctx context.Context) error {
	switch {
	case r.work.Durable:
		return r.durably(ctx)
	case r.work.Side > 1:
		return r.sideBySide(ctx)
	}
	for _, s := range r.work.Steps {
		result, err := r.step(ctx, s)
		if err != nil {
			return err
		}
		r.keep(ctx, s, result)
	}
	return nil
}

func (r *runner) sideBySide(ctx context.Context) error {
	var group errgroup.Group
	group.SetLimit(r.work.Side)
	for _, s := range r.work.Steps {
		group.Go(func() error {
			result, err := r.step(ctx, s)
			if err == nil {
				r.keep(ctx, s, result)
			}
			return err
		})
	}
	return group.Wait()
}

func (r *runner) durably(ctx context.Context) error {
	store, err := r.engine.Workflow(ctx)
	if err != nil {
		return fmt.Errorf("open the workflow store: %w", err)
	}
	var steps []workflow.Step
	for _, s := range r.work.Steps {
		steps = append(steps, workflow.Step{Name: s.ID, Do: func(ctx context.Context) (json.RawMessage, error) {
			result, err := r.step(ctx, s)
			return encode(result), err
		}})
	}
	return store.Run(ctx, r.work.Run.ID, steps, func(i int, raw json.RawMessage) {
		var result sealed
		if err := json.Unmarshal(raw, &result); err != nil {
			result.Problem = Problem(fmt.Errorf("read the record of step %s: %w", steps[i].Name, err))
		}
		r.keep(ctx, r.work.Steps[i], result)
	})
}

// step does one step. A failure is part of the result; only an interruption is
// an error, so that the step is done again when the run resumes.
func (r *runner) step(ctx context.Context, s service.Step) (sealed, error) {
	r.tell(Event{Step: s.ID, Target: s.Target, Title: s.Title, State: Started})
	if r.failed(s.Target) {
		return sealed{Skipped: true}, nil
	}
	started := time.Now() // a duration: the injected clock may jump
	outcome, err := r.do(ctx, s)
	if ctx.Err() != nil && interrupted(ctx.Err()) {
		return sealed{}, ctx.Err()
	}
	outcome, err = recordable(outcome, err)
	result := sealed{Outcome: outcome, Took: time.Since(started)}
	if err != nil {
		result.Problem = Problem(err)
	}
	return result, nil
}

// recordable makes an error of an outcome that JSON cannot hold, such as a fact
// that is not a number, and of an interruption that nobody asked for: only the
// end of the run's own context leaves it open.
func recordable(o service.Outcome, err error) (service.Outcome, error) {
	if interrupted(err) {
		err = fmt.Errorf("gave up by itself: %v", err)
	}
	if _, cannot := json.Marshal(o); cannot != nil {
		return service.Outcome{}, errors.Join(fmt.Errorf("record what was found: %w", cannot), err)
	}
	return o, err
}

func (r *runner) do(ctx context.Context, s service.Step) (o service.Outcome, err error) {
	if !permitted(s.Risk, r.work.Allow) {
		return o, fmt.Errorf("step %s is %s and was not approved: %w", s.ID, s.Risk, service.ErrRefused)
	}
	if s.Risk != service.ReadOnly && r.unrecorded() {
		return o, fmt.Errorf("step %s changes something, and the journal takes no records: %w", s.ID, service.ErrRefused)
	}
	defer func() { err = r.recovered(recover(), s, err) }()
	in, err := r.instance(s.Target)
	if err != nil {
		return service.Outcome{}, err
	}
	if r.work.Deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.work.Deadline)
		defer cancel()
	}
	if !r.halfDone() {
		if err := fresh(ctx, s, in); err != nil {
			return service.Outcome{}, late(ctx, err)
		}
	}
	o, err = r.work.Do(ctx, service.Task{Step: s, Instance: in, Report: r.report(s), Earlier: r.earlier()})
	return o, late(ctx, err)
}

// late names the deadline where a step only says that it was interrupted.
func late(ctx context.Context, err error) error {
	if interrupted(err) && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%v: %w", err, ctx.Err())
	}
	return err
}

// recovered makes an error of a panic: one kind's mistake must not take the
// results of the others down. Its value may hold anything, so only what the Go
// runtime says is shown; the log has the place.
func (r *runner) recovered(panicked any, s service.Step, err error) error {
	if panicked == nil {
		return err
	}
	r.engine.Log.Error("step panicked", "step", s.ID, "stack", string(debug.Stack()))
	if known, ok := panicked.(runtime.Error); ok {
		return fmt.Errorf("step %s panicked: %v", s.ID, known)
	}
	return fmt.Errorf("step %s panicked with a %T", s.ID, panicked)
}

// halfDone reports whether the next step may have been cut off by a crash: the
// first one after a resume. It must find its own work done, not call it stale.
func (r *runner) halfDone() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := !r.begun
	r.begun = true
	return r.work.Resume && first
}

// fresh compares what the step was planned for with what is there now.
func fresh(ctx context.Context, s service.Step, in service.Instance) error {
	if s.Seen == "" {
		return nil
	}
	identifier, err := service.As[service.Identifier](in)
	if err != nil {
		return err
	}
	now, err := identifier.Identity(ctx)
	if err != nil {
		return fmt.Errorf("ask %s who it is: %w", s.Target, err)
	}
	if now != s.Seen {
		return fmt.Errorf("%s was %q when the plan was made and is %q now: %w", s.Target, s.Seen, now, service.ErrStale)
	}
	return nil
}

// permitted reports whether a step may be done. A risk that nobody knows exceeds
// all others.
func permitted(risk, allowed service.Risk) bool {
	rising := []service.Risk{service.ReadOnly, service.Harmless, service.Reversible, service.Disruptive, service.Destructive}
	place := slices.Index(rising, risk)
	return place >= 0 && place <= max(slices.Index(rising, allowed), 0)
}

func (r *runner) instance(target string) (service.Instance, error) {
	if target == "" {
		return nil, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if in, open := r.instances[target]; open {
		return in, nil
	}
	t, declared := r.work.Inventory.Target(target)
	if !declared {
		return nil, nil // a copy outlives its declaration; service.As refuses what needs the target itself
	}
	in, err := t.Open()
	if err != nil {
		return nil, err
	}
	r.instances[target] = in
	return in, nil
}

func (r *runner) close() {
	for target, in := range r.instances {
		if err := closed(in); err != nil {
			r.engine.Log.Warn("target not closed", "target", target, "error", err)
		}
	}
}

func closed(in service.Instance) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("closing panicked with a %T", panicked)
		}
	}()
	return in.Close()
}

func (r *runner) failed(target string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	result, known := r.results[target]
	return known && result.Error != nil
}

func (r *runner) earlier() map[string]service.Done {
	r.mu.Lock()
	defer r.mu.Unlock()
	copied := make(map[string]service.Done, len(r.done))
	for id, d := range r.done {
		copied[id] = d
	}
	return copied
}

func (r *runner) report(s service.Step) service.Report {
	return service.Report{Progress: func(done, total int64) {
		r.tell(Event{Step: s.ID, Target: s.Target, Title: s.Title, State: Moving, Done: done, Total: total})
	}}
}

func (r *runner) tell(e Event) {
	if r.engine.Watch == nil {
		return
	}
	e.Run, e.Verb = r.work.Run.ID, r.work.Run.Verb
	r.engine.Watch(e)
}

func (r *runner) kind(target string) string {
	if t, ok := r.work.Inventory.Target(target); ok {
		return t.Kind.Name()
	}
	return ""
}

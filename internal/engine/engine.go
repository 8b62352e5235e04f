// Package engine runs one operation: it locks the targets, opens them, gives
// every step its deadline, refuses what was not approved or is stale, and seals
// each result in the journal. It knows no verb and no kind.
package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"upkeep/internal/inventory"
	"upkeep/internal/journal"
	"upkeep/internal/service"
	"upkeep/internal/workflow"
)

// Engine holds what every run needs. One serves a whole process.
type Engine struct {
	Journal  *journal.Journal
	Workflow func(ctx context.Context) (*workflow.Store, error) // opened at the first durable run
	Locks    string                                             // directory of lock files
	Log      *slog.Logger
	Now      func() time.Time
	Watch    func(Event) // told of every step, also side by side; nil when nobody looks
}

// Work is one operation to run.
type Work struct {
	Run       journal.Run // ID, System, Verb, Parent, Args, Plan are set
	Inventory *inventory.Inventory
	Steps     []service.Step
	Do        func(ctx context.Context, t service.Task) (service.Outcome, error)
	// Finish completes the run's record after the last step and before it is
	// sealed: its point, its proof. It is called for failed runs too.
	Finish func(run *journal.Run, done map[string]service.Done)
	// Claim takes what only one run may have, once the locks are held and before the
	// run is recorded; nil for nothing. It is not called for a resumed run.
	Claim    func(ctx context.Context) error
	Allow    service.Risk  // the highest risk that was approved; empty = read-only
	Side     int           // steps at once; above 1 they must not need each other and are not durable
	Durable  bool          // survives a crash: finished steps are not done again
	Resume   bool          // the run was begun before
	Locked   bool          // take the targets' locks
	Undoable bool          // the journal keeps every step and its result whole, so that it can be taken back
	Deadline time.Duration // of one step; 0 = none
	FailOn   service.Severity

	unrecorded bool // see Look
}

// Event is what a watcher is told.
type Event struct {
	Run, Step, Target, Verb string
	Title                   service.Message
	Done, Total             int64 // bytes; Total is 0 while unknown
	State                   State
	Result                  *journal.Target // of a finished step with a target
}

// State is where a step stands.
type State string

// The states of a step that watchers see.
const (
	Waiting  State = "waiting" // for its turn, before anything began
	Started  State = "started"
	Moving   State = "moving"
	Finished State = "finished"
)

// Run does the work and returns its sealed record. The error is for work that
// was not begun: a lock that is held, a journal that cannot be written. What went
// wrong afterwards is in the record.
func (e *Engine) Run(ctx context.Context, w Work) (journal.Run, error) {
	unlock, err := e.lock(w)
	if err != nil {
		return w.Run, err
	}
	defer unlock()
	if err := e.begin(ctx, &w); err != nil {
		return w.Run, err
	}
	r := newRunner(e, w)
	err = r.all(ctx)
	r.close()
	if w.Resume && errors.Is(err, service.ErrRefused) {
		return w.Run, err // it was begun with other steps: nothing was done, and it still waits for those
	}
	return e.finish(ctx, r, err)
}

func (e *Engine) begin(ctx context.Context, w *Work) error {
	if w.Run.Started.IsZero() {
		w.Run.Started = e.Now()
	}
	if w.Resume {
		return e.resume(ctx, w)
	}
	if w.Claim != nil {
		if err := w.Claim(ctx); err != nil {
			return err
		}
	}
	if err := e.Journal.Begin(ctx, w.Run); err != nil {
		return fmt.Errorf("begin run %s: %w", w.Run.ID, err)
	}
	return nil
}

// resume goes on with a run under its own start: findings are as old as they were.
func (e *Engine) resume(ctx context.Context, w *Work) error {
	begun, err := e.Journal.Run(ctx, w.Run.ID)
	if err != nil {
		return fmt.Errorf("resume run %s: %w", w.Run.ID, err)
	}
	w.Run.Started = begun.Started
	return e.Journal.Note(ctx, w.Run.System, "run-resumed", map[string]string{"run": w.Run.ID})
}

// Look does work that only reads and leaves no record: what is asked every minute is
// kept with Record, where it says something new. The error is that of ctx.
func (e *Engine) Look(ctx context.Context, w Work) (journal.Run, error) {
	w.unrecorded = true
	w.Run.Started = e.Now()
	r := newRunner(e, w)
	err := r.all(ctx)
	r.close()
	if interrupted(err) {
		return w.Run, err
	}
	run := judged(r, err)
	run.Finished = e.Now()
	return run, nil
}

// Record keeps a run that Look made.
func (e *Engine) Record(ctx context.Context, run journal.Run) error {
	begun := run
	begun.Finished = time.Time{}
	if err := e.Journal.Begin(ctx, begun); err != nil {
		return fmt.Errorf("begin run %s: %w", run.ID, err)
	}
	if err := e.Journal.Finish(context.WithoutCancel(ctx), run); err != nil {
		return fmt.Errorf("seal run %s: %w", run.ID, err)
	}
	return nil
}

// finish seals the run even when ctx has ended: a record outlives cancellation.
func (e *Engine) finish(ctx context.Context, r *runner, err error) (journal.Run, error) {
	run := judged(r, err)
	if interrupted(err) {
		return run, nil // left open: it resumes
	}
	run.Finished = e.Now()
	if err := e.Journal.Finish(context.WithoutCancel(ctx), run); err != nil {
		return run, fmt.Errorf("seal run %s: %w", run.ID, err)
	}
	return run, nil
}

// judged is the record of a run as far as it came.
func judged(r *runner, err error) journal.Run {
	run := r.record()
	switch {
	case err != nil:
		run.Error = Problem(err)
	case r.unsaved != nil:
		run.Error = Problem(r.unsaved)
	}
	if r.work.Finish != nil {
		r.work.Finish(&run, r.done)
	}
	run.Verdict = verdict(run)
	run.Exit = Exit(run, r.work.FailOn)
	return run
}

func interrupted(err error) bool { return errors.Is(err, context.Canceled) }

// Problem turns an error into its record.
func Problem(err error) *journal.Problem {
	id, args := service.ErrorID(err)
	return &journal.Problem{ID: id, Args: args, Detail: err.Error(), Code: code(err)}
}

func encode(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err)) // our own value types always encode
	}
	return text
}

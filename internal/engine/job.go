package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"upkeep/internal/journal"
	"upkeep/internal/service"
	"upkeep/internal/workflow"
)

// Job is a list of verbs, each a run of its own.
type Job struct {
	Run    journal.Run
	Steps  []workflow.Step    // each gives a journal.Step as JSON
	Keep   func(journal.Step) // told of each step that ended, also before a crash, before the next one begins
	Resume bool
}

// RunJob runs the verbs in order and seals the job's own record. Its exit code is
// the gravest of theirs.
func (e *Engine) RunJob(ctx context.Context, job Job) (journal.Run, error) {
	w := Work{Run: job.Run, Resume: job.Resume}
	unlock, err := e.lock(w)
	if err != nil {
		return job.Run, err
	}
	defer unlock()
	if err := e.begin(ctx, &w); err != nil {
		return job.Run, err
	}
	store, err := e.Workflow(ctx)
	if err != nil {
		return job.Run, fmt.Errorf("open the workflow store: %w", err)
	}
	run := w.Run
	run.Targets = []journal.Target{}
	var unsaved error
	err = store.Run(ctx, run.ID, job.Steps, func(i int, raw json.RawMessage) {
		var step journal.Step
		if err := json.Unmarshal(raw, &step); err != nil {
			step = journal.Step{Verb: job.Steps[i].Name, Error: Problem(err), Exit: ExitFailed}
		}
		run.Steps = append(run.Steps, step)
		if err := e.Journal.SaveStep(context.WithoutCancel(ctx), run.ID, step); err != nil {
			unsaved = errors.Join(unsaved, fmt.Errorf("record the result of %s: %w", step.Verb, err))
		}
		job.Keep(step)
	})
	if err == nil {
		err = unsaved
	}
	if job.Resume && errors.Is(err, service.ErrRefused) {
		return run, err // as in Run
	}
	return e.sealJob(ctx, run, err)
}

func (e *Engine) sealJob(ctx context.Context, run journal.Run, err error) (journal.Run, error) {
	codes := map[int]bool{}
	for _, s := range run.Steps {
		codes[s.Exit] = true
	}
	if err != nil {
		run.Error = Problem(err)
		codes[run.Error.Code] = true
	}
	run.Exit = Worst(codes)
	run.Verdict = ofCode(run.Exit)
	if interrupted(err) {
		return run, nil // left open: it resumes
	}
	run.Finished = e.Now()
	if err := e.Journal.Finish(context.WithoutCancel(ctx), run); err != nil {
		return run, fmt.Errorf("seal run %s: %w", run.ID, err)
	}
	return run, nil
}

package engine

import (
	"context"
	"errors"
	"fmt"

	"upkeep/internal/journal"
)

// Job is a list of verbs, each a run of its own. What its verbs came to is in the journal,
// and so is all that going on after a crash needs.
type Job struct {
	Run    journal.Run
	Steps  []JobStep
	Keep   func(journal.Step) // told of each step that ended, also before a crash, before the next one begins
	Resume bool
}

// JobStep is one verb of a job.
type JobStep struct {
	ID string // of its record
	// Do does the verb. It is called again where a crash came before its record was kept: it
	// must find its own work done. What went wrong is in the record; an error ends the job.
	Do func(ctx context.Context) (journal.Step, error)
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
	done, err := e.recorded(ctx, job)
	if err != nil {
		return job.Run, err
	}
	run := w.Run
	run.Targets = []journal.Target{}
	err = e.verbs(ctx, &run, job, done)
	return e.sealJob(ctx, run, err)
}

// recorded are the steps that ended before a crash, by ID.
func (e *Engine) recorded(ctx context.Context, job Job) (map[string]journal.Step, error) {
	done := map[string]journal.Step{}
	if !job.Resume {
		return done, nil
	}
	begun, err := e.Journal.Run(ctx, job.Run.ID)
	if err != nil {
		return nil, fmt.Errorf("read what job %s has done: %w", job.Run.ID, err)
	}
	for _, s := range begun.Steps {
		done[s.ID] = s
	}
	return done, nil
}

// verbs does the steps that are not done, and adds all to the run. A step that could not be
// recorded ends no job: the next ones still run, but it does not end as done.
func (e *Engine) verbs(ctx context.Context, run *journal.Run, job Job, done map[string]journal.Step) (unsaved error) {
	for _, s := range job.Steps {
		step, known := done[s.ID]
		if !known {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			var err error
			if step, err = s.Do(ctx); err != nil {
				return err
			}
			if err := e.Journal.SaveStep(context.WithoutCancel(ctx), run.ID, step); err != nil {
				unsaved = errors.Join(unsaved, fmt.Errorf("record the result of %s: %w", step.Verb, err))
			}
		}
		run.Steps = append(run.Steps, step)
		job.Keep(step)
	}
	return unsaved
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

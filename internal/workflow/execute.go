package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"
)

// execute begins a workflow or goes on with it, and returns when it has ended or
// ctx has.
func (e *executor) execute(ctx context.Context, id string, steps []Step, done func(int, json.RawMessage), begun bool) error {
	result := make(chan error, 1) // room for one: whoever sends it may find nobody waiting any more
	body := func(durable dbos.DBOSContext, _ []string) (bool, error) {
		err := perform(ctx, durable, steps, done)
		result <- err
		return err == nil, err
	}
	dbos.RegisterWorkflow(e.dbos, body, dbos.WithWorkflowName(workflowName))
	start := func() (dbos.WorkflowHandle[bool], error) {
		if begun {
			return e.resume(id)
		}
		return e.begin(id, body, names(steps))
	}
	handle, err := start()
	if err != nil {
		return err
	}
	select {
	case err = <-result:
	case <-ctx.Done():
		err = e.abandon(result)
	}
	if ctx.Err() == nil {
		err = settled(handle, err)
	}
	return err
}

func (e *executor) begin(id string, body dbos.Workflow[[]string, bool], names []string) (dbos.WorkflowHandle[bool], error) {
	if err := dbos.Launch(e.dbos); err != nil {
		return nil, err
	}
	return dbos.RunWorkflow(e.dbos, body, names, dbos.WithWorkflowID(id))
}

// glance is how often a resumed workflow's executor looks at its queue, and so
// about the time that resuming takes. A look costs a millisecond of a processor.
const glance = 200 * time.Millisecond

// resume takes over a workflow whose executor is dead, or which was interrupted.
// DBOS gives such work to whoever listens to a queue; here that is a queue of this
// workflow alone, so no other process can take it. It is put there after Launch:
// what an executor takes from a queue while it launches, Launch mistakes for work
// to recover and puts back, and the steps would be run through twice.
func (e *executor) resume(id string) (dbos.WorkflowHandle[bool], error) {
	queue := "resume " + id
	// RegisterQueue would keep the queue in the database, where other executors see it.
	//nolint:staticcheck // deprecated for queues that are shared
	dbos.NewWorkflowQueue(e.dbos, queue, dbos.WithQueueBasePollingInterval(glance))
	if err := dbos.Launch(e.dbos); err != nil {
		return nil, err
	}
	return dbos.ResumeWorkflow[bool](e.dbos, id, dbos.WithResumeQueue(queue))
}

// abandon waits for a step in progress to notice that the caller's context has
// ended. A workflow that was resumed may not even have started.
func (e *executor) abandon(result <-chan error) error {
	dbos.Shutdown(e.dbos, drain)
	select {
	case err := <-result:
		return err
	default:
		return nil
	}
}

// settled waits until the end of a workflow is recorded. The steps' own error
// comes first: what DBOS reads back is only its text.
func settled(handle dbos.WorkflowHandle[bool], err error) error {
	_, recorded := handle.GetResult(dbos.WithHandleTimeout(settle), dbos.WithHandlePollingInterval(2*time.Millisecond))
	if err != nil {
		return err
	}
	return recorded
}

// perform does the steps in order. Those that DBOS has a result for are not done.
func perform(ctx context.Context, durable dbos.DBOSContext, steps []Step, done func(int, json.RawMessage)) error {
	for i, step := range steps {
		result, err := dbos.RunAsStep(durable, func(inner context.Context) (json.RawMessage, error) {
			return do(ctx, inner, step)
		}, dbos.WithStepName(step.Name))
		if err != nil {
			return fmt.Errorf("step %s: %w", step.Name, err)
		}
		done(i, result)
	}
	return nil
}

// do does one step under the caller's context. DBOS's own, inner, carries its
// state, and a Run inside the step would be taken for part of this workflow.
func do(ctx, inner context.Context, step Step) (json.RawMessage, error) {
	if ctx.Err() != nil {
		return nil, cut(ctx, inner, ctx.Err())
	}
	result, err := step.Do(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, cut(ctx, inner, err)
	case err != nil:
		return nil, err
	case len(result) > 0 && !json.Valid(result):
		return nil, fmt.Errorf("its result is not JSON: %.40q", result)
	}
	return result, nil
}

// cut ends a step whose context has ended. DBOS does not record an error of a step
// when it knows of the interruption itself, which is a moment later.
func cut(ctx, inner context.Context, err error) error {
	<-inner.Done()
	if errors.Is(err, ctx.Err()) {
		return err
	}
	return fmt.Errorf("%w: %w", ctx.Err(), err)
}

package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"
	"github.com/gofrs/flock"
	"github.com/google/uuid"

	"upkeep/internal/database"
	"upkeep/internal/service"
)

const (
	application = "upkeep"
	// version is the same for every release: DBOS only continues workflows of its
	// own version, and a run must survive an upgrade. Step names guard the rest.
	version = "1"
	// workflowName is recorded with every workflow and must never change.
	workflowName = "steps"
	// drain outlasts any step. Shutdown goes on without a step that takes longer,
	// and what the step did would then not be recorded.
	drain = 30 * 24 * time.Hour
	// settle is how long the end of a workflow may take to reach the disk.
	settle = time.Minute
)

// executor is DBOS for one run. Its ID is unlike any other, so launching it
// recovers nothing.
type executor struct {
	dbos dbos.DBOSContext
	stop func() // lets go of the caller's context
}

// executor opens DBOS. It ends when ctx does but does not inherit the deadline,
// which DBOS would record and hold against whoever resumes.
func (s *Store) executor(ctx context.Context) (*executor, error) {
	own, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	e := &executor{stop: func() { stop(); cancel(nil) }}
	var err error
	if e.dbos, err = s.connect(own); err != nil {
		e.stop()
		return nil, err
	}
	return e, nil
}

func (s *Store) connect(ctx context.Context) (dbos.DBOSContext, error) {
	db, err := database.Open(ctx, s.path, nil)
	if err != nil {
		return nil, err
	}
	// DBOS does not expect two processes to create its tables at the same time.
	lock := flock.New(s.path+".lock", flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, 5*time.Millisecond); err != nil {
		return nil, fmt.Errorf("lock the workflow tables: %w", errors.Join(err, lock.Close(), db.Close()))
	}
	opened, err := dbos.NewDBOSContext(ctx, dbos.Config{
		AppName:            application,
		ApplicationVersion: version,
		ExecutorID:         uuid.NewString(),
		SqliteSystemDB:     db, // closed by Shutdown
		Logger:             s.log,
	})
	if err != nil {
		return nil, errors.Join(err, lock.Close(), db.Close())
	}
	return opened, lock.Close()
}

func (e *executor) shutdown() {
	dbos.Shutdown(e.dbos, drain)
	e.stop()
}

// lookUp returns what is recorded of a workflow, or nil when it was never begun.
func (e *executor) lookUp(id string, steps []Step) (*dbos.WorkflowStatus, error) {
	found, err := dbos.ListWorkflows(e.dbos, dbos.WithWorkflowIDs([]string{id}), dbos.WithLoadInput(true), dbos.WithLoadOutput(true))
	if err != nil || len(found) == 0 {
		return nil, err
	}
	var begun []string
	text, _ := found[0].Input.(string) // DBOS hands out the JSON
	if err := json.Unmarshal([]byte(text), &begun); err != nil {
		return nil, fmt.Errorf("read the names of its steps: %w", err)
	}
	if asked := names(steps); !slices.Equal(begun, asked) {
		return nil, &service.Fault{ID: "error.other-steps", Args: service.Args{"run": id},
			Err: fmt.Errorf("it was begun with steps %q, not %q: %w", begun, asked, service.ErrRefused)}
	}
	return &found[0], nil
}

func names(steps []Step) []string {
	all := make([]string, len(steps))
	for i, s := range steps {
		all[i] = s.Name
	}
	return all
}

func ended(s dbos.WorkflowStatusType) bool {
	return s == dbos.WorkflowStatusSuccess || s == dbos.WorkflowStatusError
}

// replay hands out the results of a workflow that has ended, and its error.
func (e *executor) replay(w dbos.WorkflowStatus, done func(int, json.RawMessage)) error {
	recorded, err := dbos.GetWorkflowSteps(e.dbos, w.ID, dbos.WithStepsLoadOutput(true))
	if err != nil {
		return fmt.Errorf("read its steps: %w", err)
	}
	for _, step := range recorded {
		if step.Error == nil {
			text, _ := step.Output.(string) // nil when there was no result
			done(step.StepID, json.RawMessage(text))
		}
	}
	if w.Status == dbos.WorkflowStatusError {
		return fmt.Errorf("it has failed before: %w", w.Error)
	}
	return nil
}

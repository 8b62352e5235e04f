// Package workflow runs lists of steps so that they survive a crash: what was
// done is recorded at once, and another process goes on where the first one died.
// It knows neither what steps do nor who may run them: callers hold a lock for the
// time of a run, or two processes would do the same steps.
//
// Behind it is DBOS on an SQLite file. Each Run has an executor of its own, which
// exists as long as the run: nothing polls while nothing runs, and no process ever
// picks up the work of another by itself.
package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"

	"upkeep/internal/service"
)

// Step is one unit that is done as a whole or again. Name is its identity from one
// process to the next, and never empty. Do returns a result that is kept: JSON,
// small, empty for none. Its context ends when Run's does; it must then return
// soon. An error ends the run for good: what may be tried again is a result.
type Step struct {
	Name string
	Do   func(ctx context.Context) (json.RawMessage, error)
}

// Pending is a run that was begun and has not ended. Whether somebody is at it
// right now only its lock can tell.
type Pending struct {
	ID    string
	Since time.Time
}

// Store runs workflows and remembers them. Its methods are safe for concurrent
// use, and a step may call Run with another ID.
type Store struct {
	path string
	log  *slog.Logger

	mu     sync.Mutex
	active int // calls in progress
	closed bool
	idle   chan struct{} // closed when closed and nothing is active
}

// Open returns the store in the file at path. It touches nothing yet: the file is
// made by the first Run. log gets what DBOS has to say, all of it as debug.
func Open(_ context.Context, path string, log *slog.Logger) (*Store, error) {
	// DBOS lets these override what it is told: one would give all processes the
	// same executor, so that each took over the live runs of the others; the last
	// connects to a service on the network.
	for _, name := range []string{"DBOS__VMID", "DBOS__APPVERSION", "DBOS__CLOUD"} {
		if os.Getenv(name) != "" {
			return nil, fmt.Errorf("environment variable %s is set; unset it: %w", name, service.ErrRefused)
		}
	}
	return &Store{path: path, log: slog.New(quiet{log.Handler()}), idle: make(chan struct{})}, nil
}

// Run does the steps in order as the workflow id and calls done with the result of
// each, one at a time, also with those that an earlier call has recorded: these
// are not done again. The step that was under way when an earlier call was killed
// is done once more.
//
// When ctx ends, Run returns an error wrapping ctx.Err() and the workflow stays
// pending: the same call goes on with it. A step's error is returned as it is; the
// workflow has then failed, and further calls return its text. An id that was
// begun with other steps is an error wrapping service.ErrRefused.
func (s *Store) Run(ctx context.Context, id string, steps []Step, done func(i int, result json.RawMessage)) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := interruption(ctx, s.run(ctx, id, steps, done)); err != nil {
		return fmt.Errorf("workflow %s: %w", id, err)
	}
	return nil
}

func (s *Store) run(ctx context.Context, id string, steps []Step, done func(int, json.RawMessage)) error {
	e, err := s.executor(ctx)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer e.shutdown()
	known, err := e.lookUp(id, steps)
	if err != nil {
		return fmt.Errorf("look up: %w", err)
	}
	if known != nil && ended(known.Status) {
		return e.replay(*known, done)
	}
	return e.execute(ctx, id, steps, done, known != nil)
}

// interruption says so when the caller's context ended before the work did.
func interruption(ctx context.Context, err error) error {
	switch {
	case ctx.Err() == nil:
		return err
	case err == nil, errors.Is(err, ctx.Err()), errors.Is(err, &dbos.DBOSError{Code: dbos.WorkflowCancelled}):
		return fmt.Errorf("interrupted: %w", ctx.Err())
	}
	return fmt.Errorf("interrupted: %w: %w", ctx.Err(), err)
}

// Pending returns the workflows that were begun and have not ended, the oldest
// first.
func (s *Store) Pending(ctx context.Context) ([]Pending, error) {
	if _, err := os.Stat(s.path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	e, err := s.executor(ctx)
	if err != nil {
		return nil, fmt.Errorf("open workflows: %w", err)
	}
	defer e.shutdown()
	open, err := dbos.ListWorkflows(e.dbos, dbos.WithStatus([]dbos.WorkflowStatusType{
		dbos.WorkflowStatusPending, dbos.WorkflowStatusEnqueued, dbos.WorkflowStatusCancelled}))
	if err != nil {
		return nil, fmt.Errorf("list pending workflows: %w", err)
	}
	pending := make([]Pending, len(open))
	for i, w := range open {
		pending[i] = Pending{ID: w.ID, Since: w.CreatedAt}
	}
	return pending, nil
}

// forgetAtOnce bounds how many workflows one Forget takes away.
const forgetAtOnce = 1000

// Forget removes workflows that ended before a time, some thousand at most. One of
// them would begin anew if it were run again: the time must lie far back.
func (s *Store) Forget(ctx context.Context, before time.Time) error {
	if _, err := os.Stat(s.path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	e, err := s.executor(ctx)
	if err != nil {
		return fmt.Errorf("open workflows: %w", err)
	}
	defer e.shutdown()
	old, err := dbos.ListWorkflows(e.dbos, dbos.WithCompletedBefore(before), dbos.WithLimit(forgetAtOnce),
		dbos.WithStatus([]dbos.WorkflowStatusType{dbos.WorkflowStatusSuccess, dbos.WorkflowStatusError}),
		dbos.WithLoadInput(false), dbos.WithLoadOutput(false))
	if err != nil {
		return fmt.Errorf("list ended workflows: %w", err)
	}
	ids := make([]string, len(old))
	for i, w := range old {
		ids[i] = w.ID
	}
	if err := dbos.DeleteWorkflows(e.dbos, ids); err != nil {
		return fmt.Errorf("remove ended workflows: %w", err)
	}
	return nil
}

// Close waits for the runs in progress, until ctx ends. It does not interrupt them:
// their own contexts do.
func (s *Store) Close(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed && s.active == 0 {
		close(s.idle)
	}
	s.closed = true
	s.mu.Unlock()
	select {
	case <-s.idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for running workflows: %w", ctx.Err())
	}
}

// enter refuses work on a closed store, but not that of a step still in progress.
func (s *Store) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed && s.active == 0 {
		return fmt.Errorf("workflow store is closed: %w", service.ErrRefused)
	}
	s.active++
	return nil
}

func (s *Store) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active--
	if s.closed && s.active == 0 {
		close(s.idle)
	}
}

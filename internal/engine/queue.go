package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"upkeep/internal/service"
)

// Queue bounds how many jobs of a system run at once, over all processes of this
// machine.
type Queue struct {
	System, Name string
	Concurrency  int
	Wait         time.Duration // how long a job may wait for its turn; 0 = as long as it takes
}

// queuePoll is how often a waiting job looks whether it is its turn.
const queuePoll = 200 * time.Millisecond

// ticket is a job's place in a queue: a file in the directory of the queue, locked as
// long as its process lives, so that a killed one holds nobody up. Its name says all:
// state, priority, when it came (nanoseconds), run.
type ticket struct {
	running  bool
	priority int
	came     int64
	run      string

	path string
	lock *flock.Flock // of our own ticket
}

func (t ticket) name() string {
	state := "waits"
	if t.running {
		state = "runs"
	}
	return fmt.Sprintf("%s_%d_%d_%s", state, t.priority, t.came, t.run)
}

func parseTicket(path string) (t ticket, ok bool) {
	parts := strings.SplitN(filepath.Base(path), "_", 4)
	if len(parts) != 4 {
		return t, false
	}
	priority, err := strconv.Atoi(parts[1])
	came, cameErr := strconv.ParseInt(parts[2], 10, 64)
	t = ticket{running: parts[0] == "runs", priority: priority, came: came, run: parts[3], path: path}
	return t, errors.Join(err, cameErr) == nil
}

// before orders who waits: the higher priority, then who came first.
func before(a, b ticket) int {
	return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(a.came, b.came), cmp.Compare(a.run, b.run))
}

// Enter waits until a run has its turn and returns what gives its place back. told is
// called once, when there is something to wait for, with a run that is ahead. The error
// wraps ErrBusy when the turn did not come in time.
func (e *Engine) Enter(ctx context.Context, q Queue, priority int, run string, told func(ahead string)) (leave func(), err error) {
	dir := filepath.Join(e.Locks, strings.TrimSuffix(lockName{"queue", q.System, q.Name}.file(), ".lock"))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("enter queue %s: %w", q.Name, errors.Join(service.ErrRefused, err))
	}
	own := &ticket{priority: priority, came: time.Now().UnixNano(), run: run}
	if err := own.take(ctx, dir); err != nil {
		return nil, fmt.Errorf("enter queue %s: %w", q.Name, err)
	}
	ahead, err := e.turn(ctx, q, dir, own, told)
	if err == nil {
		return func() { e.leave(own) }, nil
	}
	e.leave(own)
	if errors.Is(err, context.DeadlineExceeded) && q.Wait > 0 {
		return nil, &service.Fault{ID: "error.queue-busy", Args: service.Args{"queue": q.Name, "run": ahead, "waited": q.Wait.Seconds()},
			Err: fmt.Errorf("wait %s in queue %s: %w", q.Wait, q.Name, service.ErrBusy)}
	}
	return nil, fmt.Errorf("wait in queue %s: %w", q.Name, err)
}

// turn waits for the turn and returns who was ahead last.
func (e *Engine) turn(ctx context.Context, q Queue, dir string, own *ticket, told func(string)) (ahead string, err error) {
	if q.Wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, q.Wait)
		defer cancel()
	}
	tick := time.NewTicker(queuePoll)
	defer tick.Stop()
	for first := true; ; first = false {
		now, err := own.admit(ctx, dir, q.Concurrency)
		switch {
		case ctx.Err() != nil:
			return ahead, ctx.Err()
		case err != nil || now == "":
			return "", err
		}
		if ahead = now; first {
			told(ahead)
		}
		select {
		case <-ctx.Done():
			return ahead, ctx.Err()
		case <-tick.C:
		}
	}
}

// leave removes the ticket before its lock goes, so that nobody takes it for one of a
// process that was killed.
func (e *Engine) leave(own *ticket) {
	if err := errors.Join(os.Remove(own.path), own.lock.Close()); err != nil {
		e.Log.Warn("place in a queue not given back", "ticket", own.path, "error", err)
	}
}

// guarded does something while no other process looks at the queue.
func guarded(ctx context.Context, dir string, do func() error) error {
	guard := flock.New(filepath.Join(dir, "guard"), flock.SetPermissions(0o600))
	if _, err := guard.TryLockContext(ctx, 5*time.Millisecond); err != nil {
		return errors.Join(err, guard.Close())
	}
	return errors.Join(do(), guard.Close())
}

func (t *ticket) take(ctx context.Context, dir string) error {
	t.path = filepath.Join(dir, t.name())
	t.lock = flock.New(t.path, flock.SetPermissions(0o600))
	return guarded(ctx, dir, func() error {
		_, err := t.lock.TryLock() // nobody else has a ticket of this name
		return err
	})
}

// admit lets the ticket run when a place is free and nobody who waits goes before. Else
// it names a run that is ahead.
func (t *ticket) admit(ctx context.Context, dir string, places int) (ahead string, err error) {
	err = guarded(ctx, dir, func() error {
		all, err := alive(dir, t.path)
		if err != nil {
			return err
		}
		running, waiting := 0, []ticket{}
		for _, other := range all {
			if other.running {
				running++
				ahead = other.run
			} else if before(other, *t) < 0 {
				waiting = append(waiting, other)
			}
		}
		if running+len(waiting) >= places {
			if running < places {
				ahead = slices.MinFunc(waiting, before).run
			}
			return nil
		}
		ahead, t.running = "", true
		from := t.path
		t.path = filepath.Join(dir, t.name())
		return os.Rename(from, t.path)
	})
	return ahead, err
}

// alive lists the tickets of others whose processes live and removes the rest.
func alive(dir, own string) (all []ticket, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		other, is := parseTicket(filepath.Join(dir, entry.Name()))
		if !is || other.path == own {
			continue
		}
		lock := flock.New(other.path)
		dead, err := lock.TryLock()
		if dead {
			err = errors.Join(err, os.Remove(other.path))
		}
		if err := errors.Join(err, lock.Close()); err != nil {
			return nil, fmt.Errorf("look at ticket %s: %w", entry.Name(), err)
		}
		if !dead {
			all = append(all, other)
		}
	}
	return all, nil
}

package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gofrs/flock"

	"upkeep/internal/service"
)

// lock takes the run's own lock and those of its targets, or none. The kernel
// lets go of them when the process dies, so a crash leaves nothing to clear.
func (e *Engine) lock(w Work) (func(), error) {
	names := []string{"run-" + w.Run.ID}
	if w.Locked {
		names = append(names, targetLocks(w)...)
	}
	var held []*flock.Flock
	release := func() {
		for _, l := range slices.Backward(held) {
			if err := l.Close(); err != nil {
				e.Log.Warn("lock not released", "lock", l.Path(), "error", err)
			}
		}
	}
	for _, name := range names {
		l, err := e.take(name, w.Run.ID)
		if err != nil {
			release()
			return nil, err
		}
		held = append(held, l)
	}
	return release, nil
}

// targetLocks are sorted: two runs that share targets cannot wait for each other.
func targetLocks(w Work) []string {
	var names []string
	for _, s := range w.Steps {
		if s.Target != "" {
			names = append(names, "target-"+w.Run.System+"-"+s.Target)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (e *Engine) take(name, run string) (*flock.Flock, error) {
	path := filepath.Join(e.Locks, strings.ReplaceAll(name, "/", "_")+".lock")
	l := flock.New(path, flock.SetPermissions(0o600))
	taken, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("take lock %s: %w", name, errors.Join(service.ErrRefused, err))
	}
	if !taken {
		holder, _ := os.ReadFile(path) // only for the message: it may just have been released
		return nil, &service.Fault{ID: "error.locked", Args: service.Args{"lock": name, "run": string(holder)},
			Err: fmt.Errorf("lock %s is held by run %s: %w", name, holder, service.ErrBusy)}
	}
	if err := os.WriteFile(path, []byte(run), 0o600); err != nil {
		return nil, fmt.Errorf("sign lock %s: %w", name, errors.Join(err, l.Close()))
	}
	return l, nil
}

package engine

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
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
	own, err := e.own(w.Run.ID)
	if err != nil {
		return nil, err
	}
	held := []io.Closer{own}
	release := func() {
		for _, l := range slices.Backward(held) {
			if err := l.Close(); err != nil {
				e.Log.Warn("lock not released", "run", w.Run.ID, "error", err)
			}
		}
	}
	if !w.Locked {
		return release, nil
	}
	for _, name := range targetLocks(w) {
		l, err := e.take(name, w.Run.ID)
		if err != nil {
			release()
			return nil, err
		}
		held = append(held, l)
	}
	return release, nil
}

// own takes the lock of a run, which one process works on at a time.
func (e *Engine) own(run string) (io.Closer, error) {
	f, err := takeRun(e.Locks, run)
	if err != nil {
		return nil, fmt.Errorf("take the lock of run %s: %w", run, errors.Join(service.ErrRefused, err))
	}
	if f == nil {
		return nil, isHeld(lockName{kind: "run", name: run}, run)
	}
	return f, nil
}

// targetLocks are sorted: two runs that share targets cannot wait for each other.
func targetLocks(w Work) []lockName {
	var targets []string
	for _, s := range w.Steps {
		if s.Target != "" {
			targets = append(targets, s.Target)
		}
	}
	slices.Sort(targets)
	var locks []lockName
	for _, target := range slices.Compact(targets) {
		locks = append(locks, lockName{"target", w.Run.System, target})
	}
	return locks
}

// lockName says what a lock is for.
type lockName struct{ kind, system, name string }

// String is how people are told of it.
func (n lockName) String() string {
	if n.system == "" {
		return n.kind + " " + n.name
	}
	return n.kind + " " + n.system + "/" + n.name
}

// file is one name for one lock: what can be read of it for whoever looks into the
// directory, and a digest, because names may hold any bytes, be long, and meet
// when they are joined.
func (n lockName) file() string {
	readable := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, n.kind+"-"+n.name)
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", n.kind, n.system, n.name))
	return fmt.Sprintf("%.40s-%x.lock", readable, sum[:8])
}

func (e *Engine) take(name lockName, run string) (*flock.Flock, error) {
	path := filepath.Join(e.Locks, name.file())
	l := flock.New(path, flock.SetPermissions(0o600))
	taken, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("take lock %s: %w", name, errors.Join(service.ErrRefused, err))
	}
	if !taken {
		holder, _ := os.ReadFile(path) // only for the message: it may just have been released
		return nil, isHeld(name, string(holder))
	}
	if err := os.WriteFile(path, []byte(run), 0o600); err != nil {
		return nil, fmt.Errorf("sign lock %s: %w", name, errors.Join(err, l.Close()))
	}
	return l, nil
}

func isHeld(name lockName, holder string) error {
	return &service.Fault{ID: "error.locked", Args: service.Args{"lock": name.String(), "run": holder},
		Err: fmt.Errorf("lock %s is held by run %s: %w", name, holder, service.ErrBusy)}
}

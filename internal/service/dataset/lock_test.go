package dataset

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"upkeep/internal/quantity"
	"upkeep/internal/service"
)

// holding takes a lock as a writer does.
func (l *lain) holding(name string, how int) *os.File {
	l.t.Helper()
	file, err := os.OpenFile(filepath.Join(l.dir, name), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		l.t.Fatal(err)
	}
	if err := syscall.Flock(int(file.Fd()), how); err != nil {
		l.t.Fatal(err)
	}
	return file
}

func TestLocksOfWriters(t *testing.T) {
	l := lay(t)
	l.cfg.Locks, l.cfg.LockWait = []string{"absent.lock", "master.lock"}, quantity.Duration(50*time.Millisecond)
	l.write("master.lock", "4711")
	in, done := l.instance(), 0
	count := func() error { done++; return nil }
	for _, c := range []struct {
		name   string
		how    int
		shared bool
		want   error
	}{
		{"a writer keeps a reader out", syscall.LOCK_EX, true, service.ErrBusy},
		{"a writer keeps another one out", syscall.LOCK_EX, false, service.ErrBusy},
		{"readers share", syscall.LOCK_SH, true, nil},
		{"a reader keeps a writer out", syscall.LOCK_SH, false, service.ErrBusy},
		{"a file that nobody locks", syscall.LOCK_UN, false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			other := l.holding("master.lock", c.how)
			defer other.Close()
			done = 0
			err := in.locked(t.Context(), c.shared, count)
			if !errors.Is(err, c.want) || (c.want == nil) != (done == 1) {
				t.Errorf("%v, done %d times", err, done)
			}
		})
	}
	if text, err := os.ReadFile(filepath.Join(l.dir, "master.lock")); string(text) != "4711" || err != nil {
		t.Errorf("the lock file holds %q, %v", text, err)
	}
	if _, err := os.Stat(filepath.Join(l.dir, "absent.lock")); err == nil {
		t.Error("a lock file was made")
	}
}

// A lock on a file that lost its name locks nobody out: the one of that name is waited
// for.
func TestALockFileThatIsReplaced(t *testing.T) {
	l := lay(t)
	l.cfg.Locks = []string{"master.lock"}
	first := l.holding("master.lock", syscall.LOCK_EX)
	defer first.Close()
	second := l.holding("next.lock", syscall.LOCK_EX)
	entered, in := make(chan error, 1), l.instance()
	go func() { entered <- in.locked(t.Context(), false, func() error { return nil }) }()
	if err := errors.Join(os.Rename(filepath.Join(l.dir, "next.lock"), filepath.Join(l.dir, "master.lock")), first.Close()); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-entered:
		t.Fatalf("it went in beside the holder: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if err := errors.Join(second.Close(), <-entered); err != nil {
		t.Error(err)
	}
}

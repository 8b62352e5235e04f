package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep/internal/engine"
	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

// childDir tells a child process which state directory to work in.
const childDir = "ENGINE_TEST_DIR"

// child begins a locked run over target "a" and hangs in it.
func child() int {
	b, err := openBench(context.Background(), os.Getenv(childDir))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	w := work("child", targets(map[string]service.Kind{"a": servicetest.NewBucket(1).Kind()}), on("a"), func(context.Context, service.Task) (service.Outcome, error) {
		if err := os.WriteFile(filepath.Join(b.dir, "hangs"), nil, 0o600); err != nil {
			return service.Outcome{}, err
		}
		select {}
	})
	w.Locked = true
	_, err = b.Run(context.Background(), w)
	fmt.Println(err)
	return 1
}

func nothing(context.Context, service.Task) (service.Outcome, error) {
	return service.Outcome{}, nil
}

func locked(id string, names ...string) engine.Work {
	kinds := map[string]service.Kind{}
	for _, name := range names {
		kinds[name] = servicetest.NewBucket(1).Kind()
	}
	w := work(id, targets(kinds), on(names...), nothing)
	w.Locked = true
	return w
}

// during runs do while another engine on the same directory holds the work's locks.
func during(t *testing.T, b bench, w engine.Work, do func()) {
	t.Helper()
	other, err := openBench(t.Context(), b.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Journal.Close()
	w.Do = func(context.Context, service.Task) (service.Outcome, error) {
		if do != nil {
			do()
			do = nil
		}
		return service.Outcome{}, nil
	}
	if _, err := other.Run(t.Context(), w); err != nil {
		t.Fatal(err)
	}
}

func wantHeld(t *testing.T, err error, holder, what string) {
	t.Helper()
	id, args := service.ErrorID(err)
	if !errors.Is(err, service.ErrBusy) || id != "error.locked" || args["run"] != holder || args["lock"] != what {
		t.Errorf("error %v (%s %v), want a lock on %s held by %s", err, id, args, what, holder)
	}
}

func TestATargetHasOneRunAtATime(t *testing.T) {
	b := newBench(t)
	during(t, b, locked("first", "a", "b"), func() {
		_, err := b.Run(t.Context(), locked("second", "b", "c"))
		wantHeld(t, err, "first", "target shop/b")
		b.run(t, locked("third", "c")) // what the refused run had taken already is free again
		unlocked := locked("fourth", "a")
		unlocked.Locked = false
		b.run(t, unlocked)
	})
	b.run(t, locked("fifth", "a", "b"))
	if _, err := b.Journal.Run(t.Context(), "second"); !errors.Is(err, service.ErrNotFound) {
		t.Errorf("the refused run left a record: %v", err)
	}
}

func TestARunIsResumedByOneProcess(t *testing.T) {
	b := newBench(t)
	during(t, b, work("run", locked("", "a").Inventory, on("a"), nil), func() {
		w := work("run", nil, nil, nothing)
		w.Resume = true
		_, err := b.Run(t.Context(), w)
		wantHeld(t, err, "run", "run run")
	})
}

// TestRunsLeaveNoFilesBehind: state directories are kept for years.
func TestRunsLeaveNoFilesBehind(t *testing.T) {
	b := newBench(t)
	b.run(t, locked("first", "a"))
	before, err := os.ReadDir(b.Locks)
	if err != nil {
		t.Fatal(err)
	}
	b.run(t, locked("second", "a"))
	after, err := os.ReadDir(b.Locks)
	if err != nil || len(after) != len(before) {
		t.Errorf("%d files of locks after another run, %d before: %v", len(after), len(before), err)
	}
}

func TestOnlyARunThatGoesOnIsAlive(t *testing.T) {
	b := newBench(t)
	alive := func(run string) bool {
		is, err := engine.Alive(b.Locks, run)
		if err != nil {
			t.Fatal(err)
		}
		return is
	}
	if alive("one") {
		t.Error("a run is alive before there was any")
	}
	during(t, b, locked("one", "a"), func() {
		if !alive("one") || alive("two") {
			t.Errorf("run one alive: %v, two: %v", alive("one"), alive("two"))
		}
	})
	if alive("one") {
		t.Error("a run that has ended is alive")
	}
}

func TestNamesShareNoLock(t *testing.T) {
	long := strings.Repeat("数", 64)
	names := []string{"a/b", "a_b", "a-b", "a b", "../a", "", "数据库", "数据", long, long + "二", strings.Repeat("x", 300), "A", "a"}
	b := newBench(t)
	var nest func(rest []string)
	nest = func(rest []string) {
		if len(rest) == 0 {
			return
		}
		during(t, b, locked(fmt.Sprint("run-", len(rest)), rest[0]), func() { nest(rest[1:]) })
	}
	nest(names)
	// A system's dash does not meet a target's.
	one, two := locked("one", "b-c"), locked("two", "c")
	one.Run.System, two.Run.System = "a", "a-b"
	during(t, b, one, func() { b.run(t, two) })
	outside, err := filepath.Glob(filepath.Join(b.dir, "*.lock"))
	if err != nil || len(outside) > 0 {
		t.Errorf("locks outside their directory: %v %v", outside, err)
	}
}

func TestTheKernelLetsGoOfAKilledRunsLock(t *testing.T) {
	b := newBench(t)
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), childDir+"="+b.dir)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	killed := func() {
		_ = c.Process.Kill() // gone already when called again
		_ = c.Wait()
	}
	t.Cleanup(killed)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(filepath.Join(b.dir, "hangs")); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the child never came to its step")
		}
	}
	_, err := b.Run(t.Context(), locked("mine", "a"))
	wantHeld(t, err, "child", "target shop/a")
	killed()
	b.run(t, locked("mine", "a"))
	left, err := b.Journal.Run(t.Context(), "child")
	if err != nil || !left.Finished.IsZero() {
		t.Errorf("the killed run is %+v, %v", left, err)
	}
}

func TestALockThatCannotBeTakenRefuses(t *testing.T) {
	b := newBench(t)
	b.Locks = filepath.Join(b.dir, "missing")
	_, err := b.Run(t.Context(), locked("run", "a"))
	if !errors.Is(err, service.ErrRefused) {
		t.Errorf("error %v", err)
	}
}

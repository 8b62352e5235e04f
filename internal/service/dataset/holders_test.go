package dataset

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"upkeep/internal/quantity"
	"upkeep/internal/service"
)

// writer is a program that takes the lock and does what a shell is told.
func (l *lain) writer(name, script string) *exec.Cmd {
	l.t.Helper()
	path := filepath.Join(l.dir, name)
	ready := filepath.Join(l.t.TempDir(), "ready")
	cmd := exec.Command("sh", "-c", `exec 9<>"$0"; flock 9; : > "$1"; `+script, path, ready, "--api-key", "sk-never-to-be-seen")
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	for range 1000 {
		if _, err := os.Stat(ready); err == nil {
			return cmd
		}
		time.Sleep(10 * time.Millisecond)
	}
	l.t.Fatal("the writer never got its lock")
	return nil
}

// locked is what a check says of locks, so long after now.
func (l *lain) lockFindings(after time.Duration) (found []service.Finding) {
	l.t.Helper()
	in := l.instance()
	in.env.Now = func() time.Time { return time.Now().Add(after) }
	var v service.Verdict
	if err := in.judgeLocks(l.t.Context(), &v); err != nil {
		l.t.Fatal(err)
	}
	return v.Findings
}

func lockLaid(t *testing.T) *lain {
	l := lay(t)
	l.cfg.Locks = []string{"master.lock", "temp/.merger.lock"}
	return l
}

func TestALockFileThatNobodyHoldsIsNoFinding(t *testing.T) {
	l := lockLaid(t)
	l.write("master.lock", "4711")
	old := time.Now().Add(-40 * time.Hour)
	if err := os.Chtimes(filepath.Join(l.dir, "master.lock"), old, old); err != nil {
		t.Fatal(err)
	}
	for _, after := range []time.Duration{0, time.Hour} {
		if found := l.lockFindings(after); len(found) > 0 {
			t.Errorf("after %s: %v", after, found)
		}
	}
	if _, err := os.Stat(filepath.Join(l.dir, "temp/.merger.lock")); err == nil {
		t.Error("a lock file was made")
	}
}

// Who holds a lock is named when it is for long, and what it does instead of going on. The
// number in the file is another one: that is no holder.
func TestALockThatIsHeldForLong(t *testing.T) {
	l := lockLaid(t)
	l.write("master.lock", "1")
	cmd := l.writer("master.lock", "sleep 600")
	if found := l.lockFindings(0); len(found) > 0 {
		t.Fatalf("a lock that was just taken: %v", found)
	}
	found := l.lockFindings(11 * time.Minute)
	if len(found) != 1 || found[0].ID != "dataset.lock-held" || found[0].Severity != service.Warning {
		t.Fatalf("found %v", found)
	}
	args := found[0].Args
	if args["state"] != hung || args["named"] != 1 || !strings.Contains(fmt.Sprint(args["pids"]), fmt.Sprint(cmd.Process.Pid)) {
		t.Errorf("it says %v", args)
	}
	if command := fmt.Sprint(args["command"]); !strings.Contains(command, "flock 9") || strings.Contains(command, "sk-never") {
		t.Errorf("the command is shown as %q", command)
	}
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if found = l.lockFindings(0); len(found) == 1 && found[0].Args["state"] == stopped {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("a stopped holder gives %v", found)
}

// A writer that takes the lock again and again has not held it since it was first seen.
func TestALockThatIsHandedOn(t *testing.T) {
	l := lockLaid(t)
	l.writer("master.lock", "while :; do flock 9; sleep 0.05; flock -u 9; sleep 0.2; done")
	for range 100 { // until it is met
		if l.lockFindings(0); l.remembered() {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	for range 5 {
		if found := l.lockFindings(11 * time.Minute); len(found) > 0 {
			t.Fatalf("found %v", found)
		}
	}
}

func (l *lain) remembered() bool {
	text, err := l.env.State.Get(l.t.Context(), stateOfLocks)
	return err == nil && strings.Contains(text, "master.lock")
}

// Who removes the file with the lock lets a second one in beside the first.
func TestALockThatWasUnlinked(t *testing.T) {
	l := lockLaid(t)
	first := l.writer("master.lock", "exec sleep 600")
	if err := os.Remove(filepath.Join(l.dir, "master.lock")); err != nil {
		t.Fatal(err)
	}
	found := l.lockFindings(0)
	if len(found) != 1 || found[0].ID != "dataset.lock-unlinked" || found[0].Args["pid"] != first.Process.Pid || found[0].Args["other"] != 0 {
		t.Fatalf("one holder gives %v", found)
	}
	second := l.writer("master.lock", "exec sleep 600")
	found = l.lockFindings(0)
	if len(found) != 1 || found[0].Severity != service.Critical || found[0].Args["pid"] != first.Process.Pid || found[0].Args["other"] != second.Process.Pid {
		t.Errorf("two holders give %v", found)
	}
}

// A holder that cannot be seen is unknown when it holds for long, not fine.
func TestALockOfSomebodyUnseen(t *testing.T) {
	l := lockLaid(t)
	held := l.holding("master.lock", syscall.LOCK_EX) // of this process, which is never looked into
	defer held.Close()
	for after, want := range map[time.Duration]int{0: 0, 11 * time.Minute: 1} {
		look := &lockLook{in: l.instance(), cfg: l.cfg, v: &service.Verdict{}, now: lockMemory{Held: map[string]heldSince{}}, all: openers{blind: true}}
		look.last.Held = map[string]heldSince{"master.lock ?": {Since: time.Now().Add(-after)}}
		if err := look.unseen("master.lock", filepath.Join(l.dir, "master.lock")); err != nil {
			t.Fatal(err)
		}
		if f := look.v.Findings; len(f) != want || want == 1 && f[0].Severity != service.Unknown {
			t.Errorf("after %s: %v", after, f)
		}
	}
}

func TestCommandLinesAreShownWithoutSecrets(t *testing.T) {
	for _, c := range []struct {
		argv []string
		want string
	}{
		{[]string{"python", "runner.py", "--model", "qwen"}, "python runner.py --model qwen"},
		{[]string{"python", "--api-key", "abc", "--n", "3"}, "python --api-key … --n 3"},
		{[]string{"python", "--api-key=abc", "x"}, "python --api-key=… x"},
		{[]string{"env", "OPENAI_API_KEY=abc", "x"}, "env OPENAI_API_KEY=… x"},
		{[]string{"sh", "-c", `TOKEN="a b" run`}, "sh -c TOKEN=… run"},
		{[]string{"curl", "-H", "Authorization: Bearer abc", "u"}, "curl -H Authorization: … u"},
		{[]string{"x", "redis://me:abc@host/0"}, "x redis://me:…@host/0"},
		{[]string{"x", "sk-proj-0123456789"}, "x …"},
		{[]string{"x\x1b[2J", "\n"}, "x [2J  "},
	} {
		if got := shownCommand(c.argv); got != c.want {
			t.Errorf("%q is shown as %q, want %q", c.argv, got, c.want)
		}
	}
	if got := []rune(shownCommand([]string{strings.Repeat("最", 1000)})); len(got) != mostShown+1 {
		t.Errorf("a long one has %d characters", len(got))
	}
}

func TestLockAtMostIsLongerThanNothing(t *testing.T) {
	cfg := lay(t).cfg
	cfg.LockAtMost = quantity.Duration(0)
	if problems := fmt.Sprint(cfg.Validate()); !strings.Contains(problems, "lock_at_most") {
		t.Errorf("said %s", problems)
	}
}

// A process of somebody else may have a file open whose path is too long to be told; that says
// nothing of ours.
func TestAPathThatIsTooLongToBeToldIsNoneOfOurs(t *testing.T) {
	t.Chdir(t.TempDir())
	long := strings.Repeat("d", 250)
	for range 20 {
		if err := errors.Join(os.Mkdir(long, 0o700), os.Chdir(long)); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Create("master.lock")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command("sleep", "60")
	cmd.Stdin = f
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	if _, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/0", cmd.Process.Pid)); !errors.Is(err, syscall.ENAMETOOLONG) {
		t.Fatalf("its path is told: %v", err)
	}
	var its openers
	if err := its.look(cmd.Process.Pid, map[string]bool{"master.lock": true}); err != nil || len(its.found) > 0 || its.blind {
		t.Errorf("%+v, %v", its, err)
	}
}

package command_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"upkeep/internal/command"
)

func TestUnprivilegedTakesTheFirstUserThereIs(t *testing.T) {
	got, err := command.Unprivileged("no-such-user", "nobody", "root")
	switch {
	case err != nil:
		t.Fatal(err)
	case os.Getuid() != 0 && got != nil:
		t.Fatalf("not root, and yet it runs as %d", got.Uid)
	case os.Getuid() == 0 && (got == nil || got.Uid == 0):
		t.Fatalf("root gives it %v, want nobody", got)
	}
	if _, err := command.Unprivileged("no-such-user"); os.Getuid() == 0 && err == nil {
		t.Fatal("a user that does not exist was found")
	}
}

func TestKillInSparesWhatRunsElsewhere(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	inside, outside := sleeper(t, dir), sleeper(t, other)
	if err := command.KillIn(dir); err != nil {
		t.Fatal(err)
	}
	if state := ended(inside); state.Signal() != syscall.SIGKILL {
		t.Fatalf("the process in the directory ended with %v, want a kill", state)
	}
	if err := outside.Process.Signal(syscall.Signal(0)); err != nil {
		t.Fatalf("the process elsewhere is gone: %v", err)
	}
}

func sleeper(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sleep", "60")
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd
}

func ended(cmd *exec.Cmd) syscall.WaitStatus {
	_ = cmd.Wait() // the status tells how
	return cmd.ProcessState.Sys().(syscall.WaitStatus)
}

func TestKillInEndsWhatIsStartedBelowMeanwhile(t *testing.T) {
	dir := t.TempDir()
	below := filepath.Join(dir, "below")
	if err := os.Mkdir(below, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "while :; do (cd below && exec sleep 60 >/dev/null) & sleep 0.001; done")
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	if err := command.KillIn(dir); err != nil {
		t.Fatal(err)
	}
	ended(cmd)
	for _, link := range must(filepath.Glob("/proc/[0-9]*/cwd")) {
		if cwd, err := os.Readlink(link); err == nil && strings.HasPrefix(cwd, dir) {
			t.Errorf("%s still stands in %s", link, cwd)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

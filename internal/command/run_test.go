package command_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"upkeep/internal/command"
)

// TestMain lets the test binary be the parent that is killed.
func TestMain(m *testing.M) {
	if child := os.Getenv("RUN_AND_WAIT"); child != "" {
		var r command.Runner
		err := r.Run(context.Background(), command.Spec{Path: child, Args: []string{os.Args[1]}})
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for limit := time.Now().Add(30 * time.Second); time.Now().Before(limit); time.Sleep(10 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("never happened: %s", what)
}

func alive(pid int) bool {
	state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(state), ") Z ")
}

func readPID(t *testing.T, path string) (pid int) {
	t.Helper()
	eventually(t, path+" holds a process id", func() bool {
		content, err := os.ReadFile(path)
		pid, _ = strconv.Atoi(strings.TrimSpace(string(content)))
		return err == nil && pid > 0 && bytes.HasSuffix(content, []byte("\n"))
	})
	return pid
}

func TestDataGoesThroughAProgramUnchanged(t *testing.T) {
	var r command.Runner
	data := bytes.Repeat([]byte("0123456789abcdef\n\x00\xff"), 300_000)
	var out bytes.Buffer
	if err := r.Run(t.Context(), command.Spec{Path: "/bin/cat", Stdin: bytes.NewReader(data), Stdout: &out}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), data) {
		t.Errorf("%d bytes went in, %d came out", len(data), out.Len())
	}
}

func TestArgumentsNeverMeetAShell(t *testing.T) {
	var r command.Runner
	out, err := r.Output(t.Context(), []string{"echo", "$HOME; `id` $(id) *", "a  b"})
	if err != nil || string(out) != "$HOME; `id` $(id) * a  b\n" {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestEnvironmentIsMinimal(t *testing.T) {
	t.Setenv("PGPASSWORD", "must not be inherited")
	var r command.Runner
	var out bytes.Buffer
	if err := r.Run(t.Context(), command.Spec{Path: "/usr/bin/env", Env: []string{"EXTRA=1"}, Stdout: &out}); err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(out.String()) {
		name, _, _ := strings.Cut(line, "=")
		names = append(names, name)
	}
	if got := strings.Join(names, " "); got != "PATH HOME LANG LC_ALL TZ EXTRA" {
		t.Errorf("the child has %s", got)
	}
}

func TestFailureHasStatusAndTheEndOfTheMessages(t *testing.T) {
	var r command.Runner
	path := script(t, `head -c 100000 /dev/zero | tr '\0' x >&2; echo "could not log in with $DB_PASSWORD" >&2; exit 3`)
	err := r.Run(t.Context(), command.Spec{Path: path, Env: []string{"DB_PASSWORD=hunter2"}})
	var exit *command.ExitError
	if !errors.As(err, &exit) || exit.Code != 3 || exit.Program != "program" {
		t.Fatalf("got %v", err)
	}
	if len(exit.Stderr) > 9<<10 || !strings.HasSuffix(exit.Stderr, "could not log in with …") {
		t.Errorf("%d bytes of messages end with %q", len(exit.Stderr), exit.Stderr[max(0, len(exit.Stderr)-60):])
	}
	if err := r.Run(t.Context(), command.Spec{Path: script(t, "kill -9 $$")}); !errors.As(err, &exit) || exit.Code != -1 || !strings.Contains(err.Error(), "signal: killed") {
		t.Errorf("killed: %v", err)
	}
	if err := r.Run(t.Context(), command.Spec{Path: "/no/such"}); err == nil {
		t.Error("a program that is not there ran")
	}
}

func TestEndOfContextEndsTheWholeGroup(t *testing.T) {
	r := command.Runner{Grace: 100 * time.Millisecond}
	pids := filepath.Join(t.TempDir(), "pid")
	path := script(t, `trap "" TERM; sleep 1000 & echo $! > `+pids+`; wait`)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- r.Run(ctx, command.Spec{Path: path, Stdout: io.Discard}) }()
	pid := readPID(t, pids)
	cancel()
	if err := <-ran; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	eventually(t, "the grandchild is gone", func() bool { return !alive(pid) })
}

func TestProgramMayTidyUpBeforeItIsKilled(t *testing.T) {
	var r command.Runner
	dir := t.TempDir()
	path := script(t, `trap "touch `+dir+`/tidied; exit 1" TERM; echo $$ > `+dir+`/pid; while :; do sleep 0.01; done`)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	ran := make(chan error, 1)
	go func() { ran <- r.Run(ctx, command.Spec{Path: path}) }()
	readPID(t, dir+"/pid")
	cancel()
	if err := <-ran; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(dir + "/tidied"); err != nil {
		t.Error("it had no time to tidy up")
	}
}

func TestGrandchildOutsideTheGroupDoesNotHoldUpTheEnd(t *testing.T) {
	r := command.Runner{Grace: 100 * time.Millisecond}
	pids := filepath.Join(t.TempDir(), "pid")
	path := script(t, `setsid sleep 1000 & echo $! > `+pids)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- r.Run(ctx, command.Spec{Path: path, Stdout: &bytes.Buffer{}}) }()
	pid := readPID(t, pids)
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	cancel()
	if err := <-ran; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestChildDiesWithUpkeepEvenWhenItIsKilled(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pid")
	child := script(t, `echo $$ > $1; exec sleep 1000`)
	parent := exec.Command(os.Args[0], pids)
	parent.Env = append(os.Environ(), "RUN_AND_WAIT="+child)
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	pid := readPID(t, pids)
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := parent.Wait(); err == nil {
		t.Error("the parent was not killed")
	}
	eventually(t, "the child is gone", func() bool { return !alive(pid) })
}

type slowly struct {
	took int
	wait chan struct{}
}

func (s *slowly) Write(p []byte) (int, error) {
	if s.took == 0 {
		<-s.wait
	}
	s.took += len(p)
	return len(p), nil
}

func TestSlowConsumerGetsEverythingAfterTheProgramEnded(t *testing.T) {
	var r command.Runner
	marker := filepath.Join(t.TempDir(), "ended")
	out := &slowly{wait: make(chan struct{})}
	go func() {
		for {
			if _, err := os.Stat(marker); err == nil {
				close(out.wait)
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if err := r.Run(t.Context(), command.Spec{Path: script(t, `head -c 60000 /dev/zero; touch `+marker), Stdout: out}); err != nil {
		t.Fatal(err)
	}
	if out.took != 60000 {
		t.Errorf("got %d bytes", out.took)
	}
}

// broken fails after some bytes, as a reader and as a writer.
type broken struct{ left int }

var errBroken = errors.New("connection lost")

func (b *broken) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errBroken
	}
	b.left -= len(p)
	return len(p), nil
}

func (b *broken) Write(p []byte) (int, error) {
	n, err := b.Read(p)
	return n, err
}

func TestBrokenStreamsEndTheProgramBeforeItTakesThemForWhole(t *testing.T) {
	var r command.Runner
	done := filepath.Join(t.TempDir(), "done")
	err := r.Run(t.Context(), command.Spec{Path: script(t, `cat > /dev/null; touch `+done), Stdin: &broken{left: 100_000}})
	if !errors.Is(err, errBroken) {
		t.Errorf("input: %v", err)
	}
	if _, err := os.Stat(done); err == nil {
		t.Error("the program took broken input for the whole")
	}
	err = r.Run(t.Context(), command.Spec{Path: "/bin/cat", Args: []string{"/dev/zero"}, Stdout: &broken{left: 100_000}})
	if !errors.Is(err, errBroken) {
		t.Errorf("output: %v", err)
	}
}

func TestProgramThatStopsReadingIsJudgedByItsStatus(t *testing.T) {
	var r command.Runner
	endless := io.LimitReader(neverEnding{}, 10<<20)
	if err := r.Run(t.Context(), command.Spec{Path: "/usr/bin/head", Args: []string{"-c", "10"}, Stdin: endless}); err != nil {
		t.Error(err)
	}
}

type neverEnding struct{}

func (neverEnding) Read(p []byte) (int, error) { return len(p), nil }

func TestOutputIsBounded(t *testing.T) {
	var r command.Runner
	if _, err := r.Output(t.Context(), []string{"cat", "/dev/zero"}); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("got %v", err)
	}
}

func TestRunsAsAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	var r command.Runner
	var out bytes.Buffer
	if err := r.Run(t.Context(), command.Spec{Path: script(t, ""), User: "nobody", Stdout: &out}); err == nil {
		t.Error("nobody could run a program in a private directory")
	}
	if err := r.Run(t.Context(), command.Spec{Path: "/usr/bin/id", Args: []string{"-un"}, User: "postgres", Stdout: &out}); err != nil || out.String() != "postgres\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
	for _, name := range []string{"no-such-user", "1:x", "x:1", "-1:0"} {
		if err := r.Run(t.Context(), command.Spec{Path: "/usr/bin/id", User: name}); err == nil {
			t.Errorf("ran as %s", name)
		}
	}
	out.Reset()
	if err := r.Run(t.Context(), command.Spec{Path: "/usr/bin/id", User: "4711:4712", Stdout: &out}); err != nil || out.String() != "uid=4711 gid=4712 groups=4712\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

func TestAnotherUserMaySearchAndNotWrite(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	var r command.Runner
	for body, wanted := range map[string]map[bool]bool{
		"true":             {false: false, true: true}, // it is in a private directory
		"/bin/cat $0":      {false: false, true: true},
		"test -r $0":       {false: false, true: true}, // which asks in its user's name
		"echo x > $0.more": {false: false, true: false},
		"grep -q 'CapEff:.*0000000000000004$' /proc/self/status": {false: false, true: true}, // it has no other right
	} {
		for search, well := range wanted {
			err := r.Run(t.Context(), command.Spec{Path: script(t, body), User: "4711:4712", Search: search})
			if (err == nil) != well {
				t.Errorf("%s, search %t: %v", body, search, err)
			}
		}
	}
}

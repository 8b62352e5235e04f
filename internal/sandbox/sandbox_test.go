package sandbox_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"upkeep/internal/sandbox"
	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wanted is a place that has a shell.
var wanted = sandbox.Wanted{Purpose: "test", Users: []string{"no-such-user", "nobody"},
	Choose: func(ctx context.Context, find sandbox.Find) (string, error) {
		path, _, err := find(ctx, "sh", 0)
		return path, err
	}}

func opened(t *testing.T, env service.Env) *sandbox.Sandbox {
	t.Helper()
	s, err := sandbox.Open(t.Context(), env, wanted)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// script is a server that runs a line of shell.
func script(t *testing.T, s *sandbox.Sandbox, line string) *sandbox.Server {
	return s.Start(t.Context(), service.Cmd{Program: s.Program, Args: []string{"-c", line}, Dir: s.Dir, End: syscall.SIGKILL})
}

// there waits for a file that a server makes.
func there(path string) func(context.Context) (bool, error) {
	return func(context.Context) (bool, error) {
		_, err := os.Stat(path)
		return true, err
	}
}

func TestAServerRunsAsNobodyUntilItIsStopped(t *testing.T) {
	s := opened(t, servicetest.Env(t)) // which fails the test over directories that remain
	mark := filepath.Join(s.Dir, "up")
	server := script(t, s, "sleep 8881 & touch up; wait")
	must(t, server.Await(t.Context(), time.Millisecond, there(mark)))
	var made syscall.Stat_t
	must(t, syscall.Stat(mark, &made))
	if os.Getuid() == 0 && made.Uid == 0 {
		t.Error("it runs as root")
	}
	for range 2 {
		must(t, server.Stop())
	}
	if server.Running() || standing(t, s.Dir) {
		t.Error("it still runs, or what it started")
	}
	must(t, script(t, s, "touch again; sleep 8882").Await(t.Context(), time.Millisecond, there(filepath.Join(s.Dir, "again"))))
	for range 2 {
		must(t, s.Close())
	}
	if standing(t, s.Dir) {
		t.Error("something outlives the sandbox")
	}
}

// standing reports whether a process has the directory as its own.
func standing(t *testing.T, dir string) bool {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cwd")
	must(t, err)
	for _, link := range all {
		if cwd, err := os.Readlink(link); err == nil && cwd == dir {
			return true
		}
	}
	return false
}

func TestAServerThatEndsSaysWhy(t *testing.T) {
	s := opened(t, servicetest.Env(t))
	never := func(context.Context) (bool, error) { return true, errors.New("not yet") }
	err := script(t, s, "echo on the one; echo on the other >&2; exit 3").Await(t.Context(), time.Millisecond, never)
	var ended *sandbox.Ended
	if !errors.As(err, &ended) || ended.Said != "on the one\non the other" || !errors.Is(err, service.ErrNoScratch) {
		t.Errorf("it says %v", err)
	}
	err = s.Start(t.Context(), service.Cmd{Program: "/no/such/program"}).Await(t.Context(), time.Millisecond, never)
	if !errors.As(err, &ended) || !strings.Contains(ended.Said, "/no/such/program") {
		t.Errorf("one that is not there says %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := script(t, s, "sleep 8883").Await(ctx, time.Millisecond, never); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "not yet") {
		t.Errorf("one that never answers gives %v", err)
	}
	wrong := errors.New("wrong server")
	if err := script(t, s, "sleep 8884").Await(t.Context(), time.Millisecond, func(context.Context) (bool, error) { return false, wrong }); !errors.Is(err, wrong) {
		t.Errorf("a wrong answer gives %v", err)
	}
}

func TestWithoutAPlaceItSaysWhy(t *testing.T) {
	env, none := servicetest.Env(t), wanted
	none.Choose = func(ctx context.Context, find sandbox.Find) (string, error) {
		_, _, err := find(ctx, "no-such-program", 0)
		return "", err
	}
	if _, err := sandbox.Open(t.Context(), env, none); !errors.Is(err, service.ErrNoTool) {
		t.Errorf("no program: %v", err)
	}
	env.RunsIn = service.Place{Target: "stack", Unit: "db"} // which is not declared
	if _, err := sandbox.Open(t.Context(), env, none); !errors.Is(err, service.ErrNoTool) || !errors.Is(err, service.ErrUndeclared) {
		t.Errorf("no program and no stack: %v", err)
	}
	nobody := wanted
	nobody.Users = []string{"no-such-user"}
	if _, err := sandbox.Open(t.Context(), env, nobody); os.Getuid() == 0 && !errors.Is(err, service.ErrNoScratch) {
		t.Errorf("no user: %v", err)
	}
}

// unreachable is a target whose engine does not answer.
type unreachable struct {
	service.Containers
	asked *[]string
}

func (unreachable) Close() error { return nil }
func (u unreachable) Discard(_ context.Context, dirs []string) error {
	*u.asked = append(*u.asked, dirs...)
	return service.ErrUnreachable
}

// stopped is a target whose service does not run; its image has one program.
type stopped struct {
	service.Containers
	program string
	open    *int
}

func (stopped) Close() error { return nil }

func (stopped) Exec(context.Context, string, service.Cmd) error { return service.ErrUnreachable }

func (s stopped) Disposable(context.Context, string, service.Disposable) (service.Container, error) {
	*s.open++
	return image{s}, nil
}

type image struct{ stopped }

func (i image) Run(_ context.Context, c service.Cmd) error {
	if c.Program != i.program {
		return service.ErrNoTool
	}
	_, err := io.WriteString(c.Stdout, c.Program+" 7.1\n")
	return err
}

func (image) Memory() int64 { return 0 }

func (image) Forward(context.Context, int) (string, error) { return "", service.ErrUnsupported }

func (i image) Close() error { *i.open--; return nil }

func TestWhatDoesNotRunIsLookedForInItsImage(t *testing.T) {
	env, open := servicetest.Env(t), 0
	env.RunsIn = service.Place{Target: "stack", Unit: "db"}
	env.Peer = func(string) (service.Instance, error) { return stopped{program: "no-such-server", open: &open}, nil }
	for program, want := range map[string]service.Need{
		"no-such-server": {Found: "no-such-server 7.1", Container: "stack/db", Image: true},
		"no-such-tool":   {},
	} {
		if got := sandbox.Need(t.Context(), env, service.Need{}, program, 7, nil); got != want {
			t.Errorf("%s: %+v", program, got)
		}
	}
	if got := sandbox.Need(t.Context(), env, service.Need{}, "no-such-server", 8, nil); got.Found != "" {
		t.Errorf("one that is too old: %+v", got)
	}
	if open != 0 {
		t.Errorf("%d containers are left", open)
	}
}

func TestSweepKeepsADirectoryWhoseContainerMayStillRun(t *testing.T) {
	env := servicetest.Env(t)
	here, _, err := env.Dir("test")
	must(t, err)
	inside, _, err := env.Dir("test")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(inside, "in-container"), []byte("stack"), 0o600))
	later, asked := servicetest.Later(t, env), []string{}
	later.Peer = func(target string) (service.Instance, error) {
		if target != "stack" {
			t.Errorf("it opens %q", target)
		}
		return unreachable{asked: &asked}, nil
	}
	if err := sandbox.Sweep(t.Context(), later, "test"); !errors.Is(err, service.ErrUnreachable) {
		t.Errorf("it gives %v", err)
	}
	if _, err := os.Stat(here); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what ran on this machine is left: %v", err)
	}
	if _, err := os.Stat(inside); err != nil || len(asked) != 1 || asked[0] != inside {
		t.Errorf("%v, and the engine was asked about %q", err, asked)
	}
	must(t, os.RemoveAll(inside))
}

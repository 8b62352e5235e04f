package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

func TestOnlyTheExactCommandLineMatches(t *testing.T) {
	name := program(t)
	child(t, "wait", "vim", name)                  // an argument, not the program
	child(t, "wait", "bash", "-c", name+" run.py") // a substring
	child(t, "wait", name+"3", "run.py")           // longer
	child(t, "wait", name, "run.py.bak")           // another script
	child(t, "wait", name)                         // too short
	real := child(t, "wait", "/opt/bin/"+name, "run.py", "--fast")
	in := watch(t, servicetest.Env(t), "command: ["+name+", run.py]")
	got, facts := check(t, in)
	if len(got) > 0 || fmt.Sprint(facts["pids"]) != "["+real.pid()+"]" {
		t.Errorf("found %v with %v, want only %s", got, facts["pids"], real.pid())
	}
	if facts["rss_bytes"].(int64) <= 0 || facts["started"] == nil {
		t.Errorf("facts are %v", facts)
	}
	real.end()
	if got, _ := check(t, in); got["absent"].Severity != service.Critical {
		t.Errorf("found %v after it ended", got)
	}
	elsewhere := watch(t, servicetest.Env(t), "command: [/usr/bin/"+name+", run.py]")
	child(t, "wait", "/opt/bin/"+name, "run.py")
	if got, _ := check(t, elsewhere); got["absent"].ID == "" {
		t.Errorf("a declared path matched another path")
	}
}

func TestNeverMatchesItself(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	in := watch(t, servicetest.Env(t), "exe: "+exe)
	if got, facts := check(t, in); got["absent"].ID == "" {
		t.Errorf("found %v: %v while this is %d", got, facts["pids"], os.Getpid())
	}
	c := child(t, "wait", "any", "words")
	if got, facts := check(t, in); len(got) > 0 || fmt.Sprint(facts["pids"]) != "["+c.pid()+"]" {
		t.Errorf("found %v: %v", got, facts["pids"])
	}
}

func TestCountAndExpectation(t *testing.T) {
	cases := []struct {
		name     string
		expect   Expect
		count    Count
		running  int
		want     string
		severity service.Severity
	}{
		{"none where one must be", Alive, Count{Min: 1}, 0, "absent", service.Critical},
		{"one is enough", Alive, Count{Min: 1}, 1, "", ""},
		{"alive means at least one", Alive, Count{}, 0, "absent", service.Critical},
		{"one of two", Alive, Count{Min: 2}, 1, "too-few", service.Warning},
		{"three of at most two", Alive, Count{Max: 2}, 3, "too-many", service.Warning},
		{"absent as declared", Absent, Count{Min: 1}, 0, "", ""},
		{"running though absent was declared", Absent, Count{Min: 1}, 1, "unexpected", service.Warning},
		{"idle is right", Either, Count{Min: 1}, 0, "", ""},
		{"busy is right", Either, Count{Min: 1}, 1, "", ""},
		{"too many of a batch", Either, Count{Max: 1}, 2, "too-many", service.Warning},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cfg := Config{Command: []string{program(t)}, Expect: c.expect, Count: c.count}
			for range c.running {
				child(t, "wait", cfg.Command[0])
			}
			in, err := open(servicetest.Env(t), cfg)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := check(t, in)
			if c.want == "" && len(got) > 0 || got[c.want].Severity != c.severity {
				t.Errorf("found %v, want %q", got, c.want)
			}
		})
	}
}

func TestUserDecides(t *testing.T) {
	name := program(t)
	child(t, "wait", name)
	mine := watch(t, servicetest.Env(t), fmt.Sprintf("{command: [%s], user: %d}", name, os.Geteuid()))
	if got, _ := check(t, mine); len(got) > 0 {
		t.Errorf("found %v", got)
	}
	other := watch(t, servicetest.Env(t), "{command: ["+name+"], user: nobody}")
	if got, _ := check(t, other); got["absent"].ID == "" {
		t.Errorf("found %v", got)
	}
	unknown := watch(t, servicetest.Env(t), "{command: ["+name+"], user: no-such-user}")
	if _, err := unknown.Check(t.Context()); err == nil {
		t.Error("a user that does not exist is no error")
	}
}

func TestPidfile(t *testing.T) {
	env := servicetest.Env(t)
	file := filepath.Join(env.Base, "run.pid")
	write := func(content string, age time.Duration) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		when := time.Now().Add(-age)
		if err := os.Chtimes(file, when, when); err != nil {
			t.Fatal(err)
		}
	}
	in := watch(t, env, "pidfile: run.pid") // relative to the declaration
	if got, _ := check(t, in); got["absent"].ID == "" {
		t.Errorf("without a file: %v", got)
	}
	c := child(t, "wait", program(t))
	write(c.pid()+"\n/data\n", 0)
	if got, facts := check(t, in); len(got) > 0 || facts["running"] != 1 {
		t.Errorf("running: %v, %v", got, facts)
	}
	write(c.pid(), time.Hour) // the file is older than the process that has the number now
	if got, _ := check(t, in); got["pidfile-stale"].Severity != service.Critical {
		t.Errorf("number used again: %v", got)
	}
	named := watch(t, env, "{pidfile: run.pid, command: ["+program(t)+"]}")
	if got, _ := check(t, named); len(got) > 0 {
		t.Errorf("the command proves it: %v", got)
	}
	other := watch(t, env, "{pidfile: run.pid, command: [something, else]}")
	if got, _ := check(t, other); got["pidfile-stale"].ID == "" {
		t.Errorf("another command has the number: %v", got)
	}
	write(c.pid(), 0)
	c.end()
	if got, _ := check(t, in); got["pidfile-stale"].ID == "" {
		t.Errorf("ended: %v", got)
	}
	write("not a number", 0)
	if _, err := in.Check(t.Context()); err == nil {
		t.Error("a broken file is no error")
	}
}

func TestHiddenProcessesAreNotAbsent(t *testing.T) {
	var v service.Verdict
	in := watch(t, servicetest.Env(t), "exe: /usr/bin/python3")
	in.judgeCount(group{undecided: 7}, &v)
	if len(v.Findings) != 1 || v.Findings[0].ID != "not-visible" || v.Findings[0].Severity != service.Unknown {
		t.Errorf("found %v", v.Findings)
	}
	hidden, err := openAt(servicetest.Env(t), in.cfg, bootOnly(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hidden.Check(t.Context()); !errors.Is(err, service.ErrDenied) {
		t.Errorf("error is %v", err)
	}
}

// bootOnly is a process file system that shows no process but this one's boot.
func bootOnly(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "sys/kernel/random")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "boot_id"), []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return root
}

package neo4j

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upkeep/internal/service"
)

func TestWithoutAProgramThereIsNoScratch(t *testing.T) {
	s := sharedServer(t)
	in := declare(t, s, func(_ *Config, env *service.Env) {
		env.Find = func(_ context.Context, program string, major int) (string, string, error) {
			return "", "", fmt.Errorf("%s %d: %w", program, major, service.ErrNoTool)
		}
	})
	c := backup(t, in, nil)
	_, err := in.Scratch(t.Context(), c, service.Report{})
	var fault *service.Fault
	if !errors.Is(err, service.ErrNoScratch) || !errors.As(err, &fault) || fault.Args["major"] != 5 {
		t.Errorf("without a program: %v", err)
	}
	if needs := in.Probe(t.Context()); len(needs) != 1 || needs[0].Found != "" {
		t.Errorf("needs %v", needs)
	}
}

// launcherIn is the process that stands in a directory and has the settings of the
// virtual machine in its arguments, below /proc.
func launcherIn(t *testing.T, dir string) string {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cwd")
	must(t, err)
	for _, link := range all {
		proc := filepath.Dir(link) + "/"
		argv, _ := os.ReadFile(proc + "cmdline") // it may have ended
		if cwd, err := os.Readlink(link); err == nil && cwd == dir && strings.Contains(string(argv), "-Xmx") {
			return proc
		}
	}
	t.Fatalf("no server stands in %s", dir)
	return ""
}

// TestAScratchServerIsNobodyElses looks at the process: an ordinary user's, without
// a password in its arguments, and gone after Close.
func TestAScratchServerIsNobodyElses(t *testing.T) {
	in := declare(t, sharedServer(t))
	scratch, err := in.Scratch(t.Context(), backup(t, in, nil), service.Report{})
	must(t, err)
	srv := scratch.(*sibling).srv
	proc := launcherIn(t, srv.box.Dir)
	argv, err := os.ReadFile(proc + "cmdline")
	must(t, err)
	environ, err := os.ReadFile(proc + "environ")
	must(t, err)
	if strings.Contains(string(argv)+string(environ), srv.password) || !strings.Contains(string(argv), "-Xmx512m") {
		t.Errorf("arguments %q", argv)
	}
	status, err := os.ReadFile(proc + "status")
	must(t, err)
	if os.Getuid() == 0 && strings.Contains(string(status), "\nUid:\t0\t") {
		t.Error("it runs as root")
	}
	must(t, scratch.Close())
	if _, err := os.Stat(proc); err == nil {
		t.Error("it is still there")
	}
	if _, err := os.Stat(srv.box.Dir); err == nil {
		t.Error("its directory is still there")
	}
}

package command_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"upkeep/internal/command"
)

// program writes a program that prints said for --version and counts its runs.
func program(t *testing.T, dir, name, said string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	script := fmt.Sprintf("#!/bin/sh\necho x >> %s.runs\n/bin/cat <<'E'\n%s\nE\n", path, said)
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFindsInstalledPrograms(t *testing.T) {
	var r command.Runner
	for _, name := range []string{"pg_dump", "redis-server"} {
		path, version, err := r.Find(t.Context(), name, 0)
		if err != nil || !regexp.MustCompile(`^[0-9]+\.[0-9.]+$`).MatchString(version) {
			t.Fatalf("%s: %s %q, %v", name, path, version, err)
		}
		major, err := strconv.Atoi(strings.Split(version, ".")[0])
		if err != nil {
			t.Fatal(err)
		}
		if exact, _, err := r.Find(t.Context(), name, major); err != nil || exact != path {
			t.Errorf("%s %d is %s, %v; want %s", name, major, exact, err, path)
		}
		if target, err := filepath.EvalSymlinks(path); err != nil || filepath.Base(target) == "pg_wrapper" {
			t.Errorf("%s is Debian's wrapper, %v", path, err)
		}
	}
	if path, _, err := r.Find(t.Context(), "true", 0); err != nil {
		t.Errorf("a program without versions is not found: %s, %v", path, err)
	}
}

func TestTakesTheLowestVersionThatWillDo(t *testing.T) {
	dirs := map[string]string{}
	r := command.Runner{PATH: "/nowhere"}
	for dir, said := range map[string]string{
		"a": "tool (Tool) 14.9", "b": "tool (Tool) 16.2", "c": "tool (Tool) 16.10", "d": "Tool server v=17.1 sha=00000000", "e": "no number here",
	} {
		dirs[dir] = t.TempDir()
		program(t, dirs[dir], "tool", said)
		r.Paths = append(r.Paths, dirs[dir])
	}
	for _, c := range []struct {
		major        int
		dir, version string
	}{{0, "d", "17.1"}, {14, "a", "14.9"}, {15, "c", "16.10"}, {16, "c", "16.10"}, {17, "d", "17.1"}} {
		path, version, err := r.Find(t.Context(), "tool", c.major)
		if err != nil || path != filepath.Join(dirs[c.dir], "tool") || version != c.version {
			t.Errorf("%d or newer: %s %s, %v; want %s", c.major, path, version, err, c.version)
		}
	}
	_, _, err := r.Find(t.Context(), "tool", 18)
	if !errors.Is(err, command.ErrNotFound) || !strings.Contains(err.Error(), "tool 18 or newer") || !strings.Contains(err.Error(), "is 17.1") || !strings.Contains(err.Error(), "of an unknown version") {
		t.Errorf("the error does not say what was found: %v", err)
	}
	runs, err := os.ReadFile(filepath.Join(dirs["a"], "tool.runs"))
	if err != nil || string(runs) != "x\n" {
		t.Errorf("the program was asked for its version %d times, %v; want once", strings.Count(string(runs), "x"), err)
	}
}

func TestAnUpgradedProgramIsAskedAgain(t *testing.T) {
	dir := t.TempDir()
	r := command.Runner{Paths: []string{dir}, PATH: "/nowhere"}
	program(t, dir, "tool", "tool 14.1")
	if _, _, err := r.Find(t.Context(), "tool", 15); !errors.Is(err, command.ErrNotFound) {
		t.Fatalf("got %v", err)
	}
	program(t, dir, "tool", "tool 15.1.0")
	if _, version, err := r.Find(t.Context(), "tool", 15); err != nil || version != "15.1.0" {
		t.Errorf("got %s, %v", version, err)
	}
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	r := command.Runner{Paths: []string{"relative"}}
	for _, name := range []string{"no-such-program", "/no/such/program", "../bin/cat", "/etc/passwd"} {
		if path, _, err := r.Find(t.Context(), name, 0); !errors.Is(err, command.ErrNotFound) {
			t.Errorf("%s: found %s, %v", name, path, err)
		}
	}
	if _, err := r.Output(t.Context(), nil); !errors.Is(err, command.ErrNotFound) {
		t.Errorf("empty argv: %v", err)
	}
}

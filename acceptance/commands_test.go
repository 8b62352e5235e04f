package acceptance

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/tidwall/gjson"
)

// commands are what scripts can do beside running programs. README.md in this
// folder lists them for whoever writes a script.
func commands() map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	return map[string]func(ts *testscript.TestScript, neg bool, args []string){
		"exits":  exits,
		"expand": expand,
		"json":   jsonValue,
		"start":  start,
		"server": control,
		"sql":    sql,
		"redis":  redisCommand,
		"seed":   seedData,
		"damage": damage,
		"save":   save,
		"until":  until,
	}
}

// exits CODE PROGRAM ARG…: runs a program and wants this exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var failed *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &failed):
		got = failed.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("%s exited with %d, not %d", strings.Join(args[1:], " "), got, want)
	}
}

// expand FILE…: replaces $NAME in files by the script's environment.
func expand(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		path := ts.MkAbs(name)
		text, err := os.ReadFile(path)
		ts.Check(err)
		ts.Check(os.WriteFile(path, []byte(os.Expand(string(text), ts.Getenv)), 0o644))
	}
}

// json [FILE] PATH VALUE: compares a value in the last output, or in FILE, found
// by a gjson path. VALUE is compared as text; ! wants another one.
func jsonValue(ts *testscript.TestScript, neg bool, args []string) {
	file := "stdout"
	if len(args) == 3 {
		file, args = args[0], args[1:]
	}
	if len(args) != 2 {
		ts.Fatalf("usage: json [FILE] PATH VALUE")
	}
	text := ts.ReadFile(file)
	if !gjson.Valid(text) {
		ts.Fatalf("%s is no JSON:\n%s", file, text)
	}
	got := gjson.Get(text, args[0])
	if !got.Exists() && !neg {
		ts.Fatalf("%s is not in\n%s", args[0], text)
	}
	if (got.String() == args[1]) == neg {
		ts.Fatalf("%s is %q (wanted: %v %q) in\n%s", args[0], got.String(), !neg, args[1], text)
	}
}

// save NAME PATH: keeps a value of the last output's JSON in the environment.
func save(ts *testscript.TestScript, _ bool, args []string) {
	got := gjson.Get(ts.ReadFile("stdout"), args[1])
	if !got.Exists() {
		ts.Fatalf("%s is not in\n%s", args[1], ts.ReadFile("stdout"))
	}
	ts.Setenv(args[0], got.String())
}

// until SECONDS PROGRAM ARG…: repeats a program until it succeeds. For waiting on
// a state, never for trying again what must work.
func until(ts *testscript.TestScript, _ bool, args []string) {
	seconds, err := strconv.Atoi(args[0])
	ts.Check(err)
	for end := time.Now().Add(time.Duration(seconds) * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%s: still %v after %d s", strings.Join(args[1:], " "), err, seconds)
		}
	}
}

// damage flip|truncate|delete REPOSITORY: harms the largest data pack in it.
func damage(ts *testscript.TestScript, _ bool, args []string) {
	pack := largestPack(ts, ts.MkAbs(args[1]))
	content, err := os.ReadFile(pack)
	ts.Check(err)
	ts.Check(os.Chmod(pack, 0o600))
	switch args[0] {
	case "flip":
		content[len(content)/3] ^= 1 // within the content: the index stands at the end
		ts.Check(os.WriteFile(pack, content, 0o600))
	case "truncate":
		ts.Check(os.Truncate(pack, int64(len(content)/3)))
	case "delete":
		ts.Check(os.Remove(pack))
	default:
		ts.Fatalf("damage flip, truncate or delete, not %s", args[0])
	}
	ts.Logf("%s: %s", args[0], filepath.Base(pack))
}

// largestPack finds the biggest file whose name begins with p: content of parts.
func largestPack(ts *testscript.TestScript, dir string) string {
	var best string
	var size int64
	ts.Check(filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() && inPack(dir, path) && info.Size() > size {
			best, size = path, info.Size()
		}
		return err
	}))
	if best == "" {
		ts.Fatalf("no pack in %s", dir)
	}
	return best
}

func inPack(dir, path string) bool {
	relative, err := filepath.Rel(dir, path)
	return err == nil && strings.HasPrefix(relative, "p")
}

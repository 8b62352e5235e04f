package acceptance

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"upkeep/lab"
)

// commands are what scripts can do beside running programs. README.md in this
// folder lists them for whoever writes a script.
func commands() map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	all := map[string]func(ts *testscript.TestScript, neg bool, args []string){
		"alter":       alter,
		"cotstudio":   cotStudio,
		"cut":         cut,
		"cypher":      cypherCommand,
		"damage":      damage,
		"exits":       exits,
		"expand":      expand,
		"hold":        hold,
		"json":        jsonValue,
		"letters":     letters,
		"mails":       mails,
		"needs":       needs,
		"number":      number,
		"objects":     objects,
		"port":        port,
		"rabbitmqctl": rabbitmqctl,
		"redis":       redisCommand,
		"results":     resultsCommand,
		"save":        save,
		"seed":        seedData,
		"server":      control,
		"sessions":    sessions,
		"shape":       shape,
		"sql":         sqlCommand,
		"start":       start,
		"tasks":       tasks,
		"finds":       finds,
		"until":       until,
		"watched":     watched,
		"web":         web,
		"web-answer":  webAnswer,
		"web-asked":   webAsked,
		"web-got":     webGot,
		"web-stop":    webStop,
	}
	maps.Copy(all, faultCommands())
	return all
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

// needs COMPONENT…: says at once what is missing, and how to get it.
func needs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: needs COMPONENT…")
	}
	lab.Need(scriptTB{ts}, args...)
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

// until SECONDS PROGRAM ARG…: repeats a program until it succeeds; ! until it fails.
// For waiting on a state, never for trying again what must work.
func until(ts *testscript.TestScript, neg bool, args []string) {
	seconds, err := strconv.Atoi(args[0])
	ts.Check(err)
	for end := time.Now().Add(time.Duration(seconds) * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		if (err != nil) == neg {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%s: still %v after %d s", strings.Join(args[1:], " "), err, seconds)
		}
	}
}

// finds SECONDS ID PROGRAM ARG…: repeats a program with --json until a finding of that
// ID is in its answer. For waiting until a fault has come, whatever else is found.
func finds(ts *testscript.TestScript, _ bool, args []string) {
	seconds, err := strconv.Atoi(args[0])
	ts.Check(err)
	for end := time.Now().Add(time.Duration(seconds) * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := ts.Exec(args[2], append(args[3:len(args):len(args)], "--json")...)
		answer := ts.ReadFile("stdout")
		if strings.Contains(answer, `"id": "`+args[1]+`"`) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%s: no %s after %d s (%v)", strings.Join(args[2:], " "), args[1], seconds, err)
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

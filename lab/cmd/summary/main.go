// Command summary reads the output of "go test -json" and prints what a person
// wants to know: each package, each failure with its output, each skipped test
// with its reason, the slowest tests, and one line of numbers. It ends with 1 when a
// test failed, and with -no-skips also when one was skipped: a skipped test has shown
// nothing.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// event is one line of go test -json.
type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

func main() {
	noSkips := flag.Bool("no-skips", false, "a skipped test is a failure")
	flag.Parse()
	ok, err := summarize(os.Stdin, os.Stdout, *noSkips)
	if err != nil {
		fmt.Fprintln(os.Stderr, "summary:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// tally collects one run.
type tally struct {
	out                      io.Writer
	passed, failed, packages int
	skipped                  []string
	took                     []event                     // that have ended
	said                     map[string]*strings.Builder // output of tests and packages that have not ended
}

// summarize reports whether all is well.
func summarize(in io.Reader, out io.Writer, noSkips bool) (bool, error) {
	t := &tally{out: out, said: map[string]*strings.Builder{}}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Fprintln(out, lines.Text()) // the go command itself speaks
			continue
		}
		t.take(e)
	}
	for _, one := range t.skipped {
		fmt.Fprintln(out, "SKIP", one)
	}
	t.slowest()
	fmt.Fprintf(out, "%d tests passed, %d failed, %d skipped, %d packages\n", t.passed, t.failed, len(t.skipped), t.packages)
	if noSkips && len(t.skipped) > 0 {
		fmt.Fprintln(out, "skipped tests count as failed here (CI=true)")
	}
	return t.failed == 0 && t.packages > 0 && (!noSkips || len(t.skipped) == 0), lines.Err()
}

func (t *tally) take(e event) {
	key := e.Package + e.ImportPath + " " + e.Test
	switch e.Action {
	case "output", "build-output":
		t.keep(key, e.Output)
	case "pass", "fail", "skip":
		t.end(e, t.text(key))
	case "build-fail":
		fmt.Fprint(t.out, t.text(key))
	}
}

func (t *tally) keep(key, text string) {
	if t.said[key] == nil {
		t.said[key] = &strings.Builder{}
	}
	t.said[key].WriteString(text)
}

// text is what was said under a key, which is then forgotten.
func (t *tally) text(key string) string {
	b := t.said[key]
	if b == nil {
		return ""
	}
	delete(t.said, key)
	return b.String()
}

// end counts tests without a name as packages: those fail by themselves when they
// do not compile or panic.
func (t *tally) end(e event, text string) {
	name := strings.TrimSpace(e.Package + " " + e.Test)
	switch {
	case e.Test == "" && e.Action == "skip": // no test files
	case e.Test == "":
		t.packages++
		fmt.Fprintf(t.out, "%-4s %s  %.1f s\n", e.Action, e.Package, e.Elapsed)
		if e.Action == "fail" {
			t.failed++
			fmt.Fprint(t.out, text)
		}
	case e.Action == "fail":
		t.failed++
		fmt.Fprintf(t.out, "FAIL %s\n%s", name, text)
	case e.Action == "skip":
		t.skipped = append(t.skipped, name+": "+reason(text))
	default:
		t.passed++
	}
	if e.Test != "" {
		t.took = append(t.took, e)
	}
}

// slowest names the tests that took longest. The time of one that ran beside others holds its waiting for them.
func (t *tally) slowest() {
	const most, least = 20, 10 // tests, seconds
	slices.SortStableFunc(t.took, func(a, b event) int { return cmp.Compare(b.Elapsed, a.Elapsed) })
	for _, e := range t.took[:min(most, len(t.took))] {
		if e.Elapsed >= least {
			fmt.Fprintf(t.out, "slow %6.1f s  %s %s\n", e.Elapsed, e.Package, e.Test)
		}
	}
}

// reason is the line that a test gave for skipping.
func reason(text string) string {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			return line
		}
	}
	return "no reason given"
}

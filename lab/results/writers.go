package results

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"upkeep/lab"
	"upkeep/lab/results/writer"
)

// Writers are programs that write into a store at the same time.
type Writers struct {
	t    lab.TB
	logs string // directory of their logs
	all  []*running
}

type running struct {
	cmd   *exec.Cmd
	stdin io.Closer // its end ends the program, and so does the end of ours
	said  *strings.Builder
}

// stopTime bounds how long a writer takes to finish its batch: it may wait for a lock.
const stopTime = 40 * time.Second

// StartWriters starts n programs for the length of one test. Further arguments are flags of
// lab/cmd/writer: -pause, -batch, -atomic, -json=false, -keys.
func StartWriters(t lab.TB, dir string, n int, flags ...string) *Writers {
	t.Helper()
	logs, err := os.MkdirTemp("", "upkeep-writers-")
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	w := &Writers{t: t, logs: logs}
	t.Cleanup(func() {
		w.Stop()
		if err := os.RemoveAll(logs); err != nil {
			t.Fatalf("lab: %v", err)
		}
	})
	program := filepath.Join(logs, "writer")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "upkeep/lab/cmd/writer").CombinedOutput(); err != nil {
		t.Fatalf("lab: build the writer: %v\n%s", err, out)
	}
	for i := range n {
		if err := w.start(program, append([]string{"-dir", dir, "-number", strconv.Itoa(i), "-log", w.log(i)}, flags...)); err != nil {
			t.Fatalf("lab: start writer %d: %v", i, err)
		}
	}
	return w
}

func (w *Writers) log(i int) string { return filepath.Join(w.logs, strconv.Itoa(i)+".log") }

func (w *Writers) start(program string, args []string) error {
	r := &running{cmd: exec.Command(program, args...), said: &strings.Builder{}} //nolint:noctx // it ends with its input
	r.cmd.Stderr = r.said
	stdin, err := r.cmd.StdinPipe()
	if err != nil {
		return err
	}
	r.stdin = stdin
	if err := r.cmd.Start(); err != nil {
		return err
	}
	w.all = append(w.all, r)
	return nil
}

// Stop lets all writers finish the batch that they are in. It may be called twice.
func (w *Writers) Stop() {
	w.t.Helper()
	all := w.all
	w.all = nil
	for _, r := range all {
		_ = r.stdin.Close() // a writer that ended by itself has closed its end
	}
	for i, r := range all {
		if err := r.wait(); err != nil {
			w.t.Fatalf("lab: writer %d: %v: %s", i, err, r.said)
		}
	}
}

func (r *running) wait() error {
	late := time.AfterFunc(stopTime, func() { _ = r.cmd.Process.Kill() }) // Wait says how it ended
	defer late.Stop()
	return r.cmd.Wait()
}

// Written counts the test_ids that the writers have written to increments so far. After
// Stop it is all of them; before, the batch that a writer is in may be missing.
func (w *Writers) Written() map[string]int { return w.entries(writer.Increment) }

// Left counts the test_ids that are in files of temp_results.
func (w *Writers) Left() map[string]int { return w.entries(writer.Temp) }

func (w *Writers) entries(place string) map[string]int {
	w.t.Helper()
	counts := map[string]int{}
	logs, err := filepath.Glob(filepath.Join(w.logs, "*.log"))
	for _, log := range logs {
		err = errors.Join(err, count(log, place, counts))
	}
	if err != nil {
		w.t.Fatalf("lab: read what was written: %v", err)
	}
	return counts
}

func count(log, place string, counts map[string]int) error {
	file, err := os.Open(log)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		at, id, whole := strings.Cut(lines.Text(), " ")
		if !whole {
			return fmt.Errorf("%s: %q is no entry", log, lines.Text())
		}
		if at == place {
			counts[id]++
		}
	}
	return lines.Err()
}

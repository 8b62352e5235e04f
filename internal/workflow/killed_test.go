package workflow_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep/internal/workflow"
)

// Environment of a child process: the store's file, the file it notes in what it
// does, the step in which it waits to be killed, and the ID of its job.
const (
	childPath  = "WORKFLOW_TEST_STORE"
	childNotes = "WORKFLOW_TEST_NOTES"
	childStop  = "WORKFLOW_TEST_STOP"
	childJob   = "WORKFLOW_TEST_JOB"
)

// child runs the job of this test until it is killed.
func child() int {
	s, err := workflow.Open(context.Background(), os.Getenv(childPath), slog.New(slog.DiscardHandler))
	if err == nil {
		err = job(context.Background(), s, os.Getenv(childJob), os.Getenv(childNotes), os.Getenv(childStop))
	}
	if err == nil {
		err = s.Close(context.Background())
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// job is a workflow with a workflow in its second step. It notes every step that
// it does, and hangs for ever in the one named stop.
func job(ctx context.Context, s *workflow.Store, id, notes, stop string) error {
	step := func(name string, inside func(context.Context) error) workflow.Step {
		return workflow.Step{Name: name, Do: func(ctx context.Context) (json.RawMessage, error) {
			if err := note(notes, name); err != nil {
				return nil, err
			}
			if name == stop {
				select {}
			}
			if inside == nil {
				return json.Marshal(name)
			}
			return json.RawMessage(`"inside"`), inside(ctx)
		}}
	}
	done := func(scope string) func(int, json.RawMessage) {
		return func(i int, result json.RawMessage) {
			if err := note(notes, fmt.Sprintf("%s%d=%s", scope, i, result)); err != nil {
				panic(err)
			}
		}
	}
	backup := func(ctx context.Context) error {
		return s.Run(ctx, id+"/backup", []workflow.Step{step("db", nil), step("files", nil)}, done("backup."))
	}
	return s.Run(ctx, id, []workflow.Step{step("check", nil), step("backup", backup), step("report", nil)}, done("job."))
}

func note(path, line string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(line + "\n")
	return err
}

func noted(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(text)), " ")
}

// startChild starts a process on the store and waits until it hangs in a step.
func startChild(t *testing.T, path, notes, stop string) (kill func()) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), childPath+"="+path, childNotes+"="+notes, childStop+"="+stop, childJob+"=job")
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = c.Process.Kill() // SIGKILL; gone already when called again
		_ = c.Wait()
		if said.Len() > 0 {
			t.Errorf("child said %s", &said)
		}
	}
	t.Cleanup(kill)
	for deadline := time.Now().Add(30 * time.Second); !strings.HasSuffix(noted(t, notes), stop); {
		if time.Now().After(deadline) {
			t.Fatalf("child never came to %s: %s", stop, noted(t, notes))
		}
		time.Sleep(time.Millisecond)
	}
	return kill
}

func TestAKilledWorkflowIsResumedByAnotherProcess(t *testing.T) {
	for name, tc := range map[string]struct {
		stops []string // where one process after the other is killed
		want  string   // what the last one then does
	}{
		"in the first step":     {[]string{"check"}, `check job.0="check" backup db backup.0="db" files backup.1="files" job.1="inside" report job.2="report"`},
		"in a workflow inside":  {[]string{"files"}, `job.0="check" backup backup.0="db" files backup.1="files" job.1="inside" report job.2="report"`},
		"in the last step":      {[]string{"report"}, `job.0="check" job.1="inside" report job.2="report"`},
		"again in the same":     {[]string{"files", "files"}, `job.0="check" backup backup.0="db" files backup.1="files" job.1="inside" report job.2="report"`},
		"again, further on":     {[]string{"check", "db", "report"}, `job.0="check" job.1="inside" report job.2="report"`},
		"before the one inside": {[]string{"backup"}, `job.0="check" backup db backup.0="db" files backup.1="files" job.1="inside" report job.2="report"`},
	} {
		t.Run(name, func(t *testing.T) {
			path := file(t)
			for i, stop := range tc.stops {
				startChild(t, path, filepath.Join(t.TempDir(), fmt.Sprint(i)), stop)()
			}
			s := open(t, path)
			if open := pending(t, s); !strings.HasPrefix(open, "job") {
				t.Errorf("pending: %q", open)
			}
			notes := filepath.Join(t.TempDir(), "notes")
			if err := job(t.Context(), s, "job", notes, ""); err != nil {
				t.Fatal(err)
			}
			if got := noted(t, notes); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if open := pending(t, s); open != "" {
				t.Errorf("pending: %q", open)
			}
		})
	}
}

// A process that works on the same file leaves the live runs of others alone.
func TestALiveWorkflowIsNotTakenOver(t *testing.T) {
	path, notes := file(t), filepath.Join(t.TempDir(), "notes")
	kill := startChild(t, path, notes, "files")
	before := noted(t, notes)
	s := open(t, path)
	var tr trace
	// Longer than DBOS takes to look at its queues.
	wait := tr.failing("wait", func(context.Context) error { time.Sleep(1500 * time.Millisecond); return nil })
	if err := s.Run(t.Context(), "other", []workflow.Step{wait}, tr.done); err != nil {
		t.Fatal(err)
	}
	if after := noted(t, notes); after != before {
		t.Errorf("done meanwhile: %s", strings.TrimPrefix(after, before))
	}
	kill()
	if err := job(t.Context(), s, "job", notes, ""); err != nil {
		t.Fatal(err)
	}
}

func TestProcessesMayMakeTheStoreTogether(t *testing.T) {
	path := file(t)
	dir := t.TempDir()
	var all []*exec.Cmd
	for i := range 4 {
		c := exec.Command(os.Args[0], "-test.run=^$")
		c.Env = append(os.Environ(), childPath+"="+path, childNotes+"="+filepath.Join(dir, fmt.Sprint(i)), childStop+"=x", childJob+"="+fmt.Sprint("job-", i))
		all = append(all, c)
	}
	for _, c := range all {
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range all {
		if err := c.Wait(); err != nil {
			t.Errorf("process %d: %v: %s", i, err, noted(t, filepath.Join(dir, fmt.Sprint(i))))
		}
	}
}

package workflow_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"upkeep/internal/service"
	"upkeep/internal/workflow"
)

func TestMain(m *testing.M) {
	if os.Getenv(childPath) != "" {
		os.Exit(child())
	}
	goleak.VerifyTestMain(m)
}

func open(t testing.TB, path string) *workflow.Store {
	t.Helper()
	s, err := workflow.Open(t.Context(), path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func file(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "workflow.db")
}

// trace notes in order what steps did and which results arrived.
type trace struct {
	mu    sync.Mutex
	lines []string
}

func (tr *trace) add(line string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.lines = append(tr.lines, line)
}

func (tr *trace) done(i int, result json.RawMessage) {
	tr.add(fmt.Sprintf("%d=%s", i, result))
}

func (tr *trace) String() string { return strings.Join(tr.lines, " ") }

// step does nothing but note its name and return it.
func (tr *trace) step(name string) workflow.Step {
	return workflow.Step{Name: name, Do: func(context.Context) (json.RawMessage, error) {
		tr.add(name)
		return json.Marshal(name)
	}}
}

func (tr *trace) failing(name string, do func(ctx context.Context) error) workflow.Step {
	return workflow.Step{Name: name, Do: func(ctx context.Context) (json.RawMessage, error) {
		tr.add(name)
		return nil, do(ctx)
	}}
}

func expect(t *testing.T, tr *trace, want string) {
	t.Helper()
	if tr.String() != want {
		t.Errorf("got  %s\nwant %s", tr, want)
	}
}

func pending(t *testing.T, s *workflow.Store) string {
	t.Helper()
	all, err := s.Pending(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, p := range all {
		ids = append(ids, p.ID)
		if age := time.Since(p.Since); age < 0 || age > time.Hour {
			t.Errorf("%s is pending since %v", p.ID, p.Since)
		}
	}
	return strings.Join(ids, " ")
}

func TestStepsAreDoneInOrderAndOnce(t *testing.T) {
	path := file(t)
	var tr trace
	if err := open(t, path).Run(t.Context(), "run", []workflow.Step{tr.step("a"), tr.step("b"), tr.step("c")}, tr.done); err != nil {
		t.Fatal(err)
	}
	expect(t, &tr, `a 0="a" b 1="b" c 2="c"`)
	var again trace
	s := open(t, path)
	if err := s.Run(t.Context(), "run", []workflow.Step{again.step("a"), again.step("b"), again.step("c")}, again.done); err != nil {
		t.Fatal(err)
	}
	expect(t, &again, `0="a" 1="b" 2="c"`)
	if open := pending(t, s); open != "" {
		t.Errorf("pending: %s", open)
	}
}

func TestResultsComeBackAsTheyWere(t *testing.T) {
	results := []json.RawMessage{nil, json.RawMessage(`null`), json.RawMessage(`{"a":[1,2.50,"<&>\u4e2d"],"b":9007199254740993}`)}
	var steps []workflow.Step
	for i, r := range results {
		steps = append(steps, workflow.Step{Name: fmt.Sprint(i), Do: func(context.Context) (json.RawMessage, error) { return r, nil }})
	}
	path := file(t)
	for range 2 { // done, and read back
		seen := 0
		err := open(t, path).Run(t.Context(), "run", steps, func(i int, got json.RawMessage) {
			seen++
			if len(results[i]) == 0 && len(got) == 0 {
				return
			}
			var plain, escaped bytes.Buffer
			if json.Compact(&plain, got) != nil || json.Compact(&escaped, results[i]) != nil ||
				plain.String() != escaped.String() && canonical(t, got) != canonical(t, results[i]) {
				t.Errorf("result %d is %s, want %s", i, got, results[i])
			}
		})
		if err != nil || seen != len(results) {
			t.Errorf("%d results, %v", seen, err)
		}
	}
}

func canonical(t *testing.T, text json.RawMessage) string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(v)
}

func TestAResultThatIsNotJSONFails(t *testing.T) {
	bad := workflow.Step{Name: "bad", Do: func(context.Context) (json.RawMessage, error) { return json.RawMessage("oops"), nil }}
	var tr trace
	err := open(t, file(t)).Run(t.Context(), "run", []workflow.Step{bad}, tr.done)
	if err == nil || !strings.Contains(err.Error(), "bad") || len(tr.lines) != 0 {
		t.Errorf("got %v, %s", err, &tr)
	}
}

func TestAStepsErrorEndsTheWorkflow(t *testing.T) {
	path, cause := file(t), errors.New("disk on fire")
	run := func() (*trace, error) {
		var tr trace
		steps := []workflow.Step{tr.step("a"), tr.failing("b", func(context.Context) error { return cause }), tr.step("c")}
		return &tr, open(t, path).Run(t.Context(), "run", steps, tr.done)
	}
	tr, err := run()
	expect(t, tr, `a 0="a" b`)
	if !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	tr, err = run()
	expect(t, tr, `0="a"`)
	if err == nil || !strings.Contains(err.Error(), cause.Error()) {
		t.Errorf("later: %v", err)
	}
	if open := pending(t, open(t, path)); open != "" {
		t.Errorf("pending: %s", open)
	}
}

func TestAnInterruptedWorkflowGoesOn(t *testing.T) {
	// How the step ends when its context does.
	for name, end := range map[string]func(ctx context.Context) error{
		"context's error": func(ctx context.Context) error { return ctx.Err() },
		"error of its own": func(context.Context) error {
			return errors.New("signal: killed")
		},
		"no error": func(context.Context) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			path := file(t)
			s := open(t, path)
			ctx, cancel := context.WithCancel(t.Context())
			var tr trace
			cut := tr.failing("b", func(ctx context.Context) error {
				cancel()
				<-ctx.Done()
				return end(ctx)
			})
			err := s.Run(ctx, "run", []workflow.Step{tr.step("a"), cut, tr.step("c")}, tr.done)
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v", err)
			}
			if slices.Contains(tr.lines, "c") {
				t.Errorf("a step was begun after the end: %s", &tr)
			}
			if open := pending(t, s); open != "run" {
				t.Errorf("pending: %q", open)
			}
			var later trace
			if err := open(t, path).Run(t.Context(), "run", []workflow.Step{later.step("a"), later.step("b"), later.step("c")}, later.done); err != nil {
				t.Fatal(err)
			}
			want := `0="a" b 1="b" c 2="c"`
			if name == "no error" {
				want = `0="a" 1= c 2="c"` // what was done is done
			}
			expect(t, &later, want)
			if open := pending(t, s); open != "" {
				t.Errorf("pending: %q", open)
			}
		})
	}
}

// dated has a deadline that passes unnoticed.
type dated struct {
	context.Context
	deadline time.Time
}

func (d dated) Deadline() (time.Time, bool) { return d.deadline, true }

func TestADeadlineDoesNotOutliveItsCall(t *testing.T) {
	s := open(t, file(t))
	ctx, cancel := context.WithCancel(t.Context())
	var tr trace
	cut := tr.failing("a", func(context.Context) error { cancel(); return ctx.Err() })
	past := dated{ctx, time.Now().Add(-time.Hour)}
	if err := s.Run(past, "run", []workflow.Step{cut}, tr.done); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if err := s.Run(t.Context(), "run", []workflow.Step{tr.step("a")}, tr.done); err != nil {
		t.Fatal(err)
	}
	expect(t, &tr, `a a 0="a"`)
}

func TestACallThatIsOverBeforeItBeginsDoesNothing(t *testing.T) {
	s := open(t, file(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var tr trace
	if err := s.Run(ctx, "run", []workflow.Step{tr.step("a")}, tr.done); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	expect(t, &tr, "")
}

func TestOtherStepsAreRefused(t *testing.T) {
	for name, other := range map[string][]string{
		"renamed": {"a", "x"}, "reordered": {"b", "a"}, "fewer": {"a"}, "more": {"a", "b", "c"}, "none": {},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, file(t))
			ctx, cancel := context.WithCancel(t.Context())
			var tr trace
			cut := tr.failing("b", func(context.Context) error { cancel(); return ctx.Err() })
			if err := s.Run(ctx, "run", []workflow.Step{tr.step("a"), cut}, tr.done); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			var wrong trace
			var steps []workflow.Step
			for _, n := range other {
				steps = append(steps, wrong.step(n))
			}
			if err := s.Run(t.Context(), "run", steps, wrong.done); !errors.Is(err, service.ErrRefused) {
				t.Errorf("got %v", err)
			}
			expect(t, &wrong, "")
			var right trace
			if err := s.Run(t.Context(), "run", []workflow.Step{right.step("a"), right.step("b")}, right.done); err != nil {
				t.Error(err)
			}
			expect(t, &right, `0="a" b 1="b"`)
		})
	}
}

func TestAStepMayRunAWorkflow(t *testing.T) {
	path := file(t)
	s := open(t, path)
	job := func(ctx context.Context, tr *trace, stop func()) error {
		verb := func(name string) workflow.Step {
			return workflow.Step{Name: name, Do: func(ctx context.Context) (json.RawMessage, error) {
				tr.add(name)
				last := tr.failing("2", func(ctx context.Context) error {
					if name == "backup" && stop != nil {
						stop()
					}
					return ctx.Err()
				})
				err := s.Run(ctx, "job/"+name, []workflow.Step{tr.step("1"), last}, tr.done)
				return json.RawMessage(`true`), err
			}}
		}
		return s.Run(ctx, "job", []workflow.Step{verb("check"), verb("backup")}, tr.done)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var tr, later trace
	if err := job(ctx, &tr, cancel); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	expect(t, &tr, `check 1 0="1" 2 1= 0=true backup 1 0="1" 2`)
	if open := pending(t, s); open != "job job/backup" {
		t.Errorf("pending: %s", open)
	}
	if err := job(t.Context(), &later, nil); err != nil {
		t.Fatal(err)
	}
	expect(t, &later, `0=true backup 0="1" 2 1= 1=true`)
	if open := pending(t, s); open != "" {
		t.Errorf("pending: %s", open)
	}
}

func TestManyRunAtOnce(t *testing.T) {
	s := open(t, file(t))
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			var tr trace
			if err := s.Run(t.Context(), fmt.Sprint("run-", i), []workflow.Step{tr.step("a"), tr.step("b")}, tr.done); err != nil {
				t.Error(err)
			}
			if tr.String() != `a 0="a" b 1="b"` {
				t.Errorf("run %d: %s", i, &tr)
			}
		})
	}
	group.Wait()
}

func TestOpeningTouchesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "workflow.db")
	s := open(t, path)
	if open := pending(t, s); open != "" {
		t.Errorf("pending: %s", open)
	}
	if _, err := os.Stat(filepath.Dir(path)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was made: %v", err)
	}
}

func TestOverridesFromOutsideAreRefused(t *testing.T) {
	for _, name := range []string{"DBOS__VMID", "DBOS__APPVERSION", "DBOS__CLOUD"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "true")
			_, err := workflow.Open(t.Context(), file(t), slog.New(slog.DiscardHandler))
			if !errors.Is(err, service.ErrRefused) || !strings.Contains(err.Error(), name) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCloseWaitsForRuns(t *testing.T) {
	s, err := workflow.Open(t.Context(), file(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	began, release, ended := make(chan bool), make(chan bool), make(chan error)
	slow := workflow.Step{Name: "slow", Do: func(ctx context.Context) (json.RawMessage, error) {
		close(began)
		<-release
		var tr trace // a store that closes still serves the steps in progress
		return nil, s.Run(ctx, "inner", []workflow.Step{tr.step("a")}, tr.done)
	}}
	go func() { ended <- s.Run(t.Context(), "run", []workflow.Step{slow}, func(int, json.RawMessage) {}) }()
	<-began
	brief, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.Close(brief); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("closed under a run: %v", err)
	}
	close(release)
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Run(t.Context(), "late", nil, nil); !errors.Is(err, service.ErrRefused) {
		t.Errorf("run on a closed store: %v", err)
	}
}

// What DBOS says is debug, also what it calls an error.
func TestLogIsQuiet(t *testing.T) {
	var info, debug bytes.Buffer
	for level, out := range map[slog.Level]*bytes.Buffer{slog.LevelInfo: &info, slog.LevelDebug: &debug} {
		s, err := workflow.Open(t.Context(), file(t), slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level})))
		if err != nil {
			t.Fatal(err)
		}
		var tr trace
		ctx, cancel := context.WithCancel(t.Context())
		steps := []workflow.Step{tr.failing("a", func(context.Context) error { cancel(); return ctx.Err() })}
		if err := s.Run(ctx, "run", steps, tr.done); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if info.Len() > 0 || debug.Len() == 0 {
		t.Errorf("%d bytes of debug, and at other levels: %s", debug.Len(), &info)
	}
}

func BenchmarkRun(b *testing.B) {
	s := open(b, file(b))
	for i := 0; b.Loop(); i++ {
		var tr trace
		if err := s.Run(b.Context(), fmt.Sprint(i), []workflow.Step{tr.step("a"), tr.step("b"), tr.step("c")}, tr.done); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkResume(b *testing.B) {
	s := open(b, file(b))
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		ctx, cancel := context.WithCancel(b.Context())
		var tr trace
		cut := tr.failing("a", func(context.Context) error { cancel(); return ctx.Err() })
		if err := s.Run(ctx, fmt.Sprint(i), []workflow.Step{cut}, tr.done); !errors.Is(err, context.Canceled) {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := s.Run(b.Context(), fmt.Sprint(i), []workflow.Step{tr.step("a")}, tr.done); err != nil {
			b.Fatal(err)
		}
	}
}

func TestForgetTakesOnlyWhatEndedBefore(t *testing.T) {
	s := open(t, file(t))
	ran := 0
	steps := []workflow.Step{{Name: "only", Do: func(context.Context) (json.RawMessage, error) { ran++; return nil, nil }}}
	run := func(id string) {
		if err := s.Run(t.Context(), id, steps, func(int, json.RawMessage) {}); err != nil {
			t.Fatal(err)
		}
	}
	run("a")
	between := time.Now().Add(50 * time.Millisecond)
	time.Sleep(100 * time.Millisecond)
	run("b")
	if err := s.Forget(t.Context(), between); err != nil {
		t.Fatal(err)
	}
	run("b") // replayed: still known
	if ran != 2 {
		t.Errorf("what ended later was done again: %d times", ran)
	}
	run("a") // begins anew: forgotten
	if ran != 3 {
		t.Errorf("what ended earlier is still known: done %d times", ran)
	}
}

package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep/internal/config"
	"upkeep/internal/engine"
	"upkeep/internal/inventory"
	"upkeep/internal/journal"
	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
	"upkeep/internal/workflow"
)

func TestMain(m *testing.M) {
	if os.Getenv(childDir) != "" {
		os.Exit(child())
	}
	os.Exit(m.Run())
}

// begun is when the tests' runs start: the engine's clock stands still.
var begun = time.Date(2026, 11, 22, 2, 0, 0, 0, time.FixedZone("", 8*3600))

// bench is an engine over a state directory.
type bench struct {
	*engine.Engine
	dir string
}

func newBench(t *testing.T) bench {
	t.Helper()
	b, err := openBench(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Journal.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func openBench(ctx context.Context, dir string) (bench, error) {
	now := func() time.Time { return begun }
	j, err := journal.Open(ctx, filepath.Join(dir, "journal.db"), now)
	if err == nil {
		err = os.MkdirAll(filepath.Join(dir, "locks"), 0o700)
	}
	log := slog.New(slog.DiscardHandler)
	open := func(ctx context.Context) (*workflow.Store, error) {
		return workflow.Open(ctx, filepath.Join(dir, "workflow.db"), log)
	}
	return bench{&engine.Engine{Journal: j, Workflow: open, Locks: filepath.Join(dir, "locks"), Log: log, Now: now}, dir}, err
}

// targets declares services by name, in the order of the names.
func targets(kinds map[string]service.Kind, accept ...config.Acceptance) *inventory.Inventory {
	cfg := &config.Config{System: "shop", Accept: accept}
	for _, name := range sorted(kinds) {
		cfg.Services = append(cfg.Services, config.Service{Name: name, Kind: kinds[name], Config: kinds[name].NewConfig()})
	}
	return inventory.New(cfg, func(target string) service.Env {
		return service.Env{Target: target, Log: slog.New(slog.DiscardHandler), Now: time.Now}
	})
}

func sorted(kinds map[string]service.Kind) []string {
	var names []string
	for name := range kinds {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// on is a step for each of the targets.
func on(names ...string) []service.Step {
	var steps []service.Step
	for _, name := range names {
		steps = append(steps, service.Step{ID: "step " + name, Target: name, Risk: service.ReadOnly})
	}
	return steps
}

func work(id string, inv *inventory.Inventory, steps []service.Step, do func(context.Context, service.Task) (service.Outcome, error)) engine.Work {
	return engine.Work{Run: journal.Run{ID: id, System: "shop", Verb: "test"}, Inventory: inv, Steps: steps, Do: do}
}

// check asks the target's Checker, as the verb does.
func check(ctx context.Context, task service.Task) (service.Outcome, error) {
	checker, err := service.As[service.Checker](task.Instance)
	if err != nil {
		return service.Outcome{}, err
	}
	v, err := checker.Check(ctx)
	return service.Outcome{Verdict: v}, err
}

func found(severity service.Severity) service.Outcome {
	return service.Outcome{Verdict: service.Verdict{Findings: []service.Finding{{ID: "x", Severity: severity}}}}
}

// run does the work and wants a sealed record that reads back the same.
func (b bench) run(t *testing.T, w engine.Work) journal.Run {
	t.Helper()
	run, err := b.Run(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := b.Journal.Run(t.Context(), w.Run.ID)
	if err != nil {
		t.Fatal(err)
	}
	if kept.Exit != run.Exit || kept.Verdict != run.Verdict || len(kept.Targets) != len(run.Targets) || kept.Finished.IsZero() {
		t.Errorf("the journal has %+v, the run was %+v", kept, run)
	}
	if _, err := b.Journal.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	return run
}

// summary is "name:verdict(error)" of every target.
func summary(run journal.Run) string {
	var parts []string
	for _, t := range run.Targets {
		text := t.Target + ":" + string(t.Verdict)
		if t.Error != nil {
			text += "(" + t.Error.ID + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " ")
}

func expect(t *testing.T, run journal.Run, exit int, want string) {
	t.Helper()
	if run.Exit != exit {
		t.Errorf("exit code %d, want %d", run.Exit, exit)
	}
	if got := summary(run); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTargetsSideBySideAreRecordedInTheOrderOfTheSteps(t *testing.T) {
	kinds := map[string]service.Kind{}
	var names []string
	for i := range 40 {
		name := fmt.Sprintf("t%02d", i)
		kinds[name], names = servicetest.NewBucket(1).Kind(), append(names, name)
	}
	// Every step waits for the one after it: they end in the opposite order.
	ended := make([]chan struct{}, len(names)+1)
	for i := range ended {
		ended[i] = make(chan struct{})
	}
	close(ended[len(names)])
	w := work("run", targets(kinds), on(names...), func(ctx context.Context, task service.Task) (service.Outcome, error) {
		i := slices.Index(names, task.Step.Target)
		<-ended[i+1]
		defer close(ended[i])
		return check(ctx, task)
	})
	w.Side = len(names)
	run := newBench(t).run(t, w)
	if run.Exit != 0 || len(run.Targets) != len(names) || len(run.Steps) != len(names) {
		t.Fatalf("exit %d, %d targets, %d steps", run.Exit, len(run.Targets), len(run.Steps))
	}
	for i, name := range names {
		if run.Targets[i].Target != name || run.Targets[i].Kind != "fake" || run.Steps[i].ID != "step "+name {
			t.Errorf("place %d has target %s (%s) and %s", i, run.Targets[i].Target, run.Targets[i].Kind, run.Steps[i].ID)
		}
	}
}

func TestOneTargetsTroubleIsItsOwn(t *testing.T) {
	for name, tc := range map[string]struct {
		kind service.Kind
		exit int
		want string
	}{
		"never answers": {servicetest.Slow(), 5, "a:ok b:unknown(error.timeout) c:ok"},
		"panics":        {servicetest.Faulty(servicetest.NewBucket(1), servicetest.CheckPanics), 5, "a:ok b:unknown(error.unexpected) c:ok"},
		"fails":         {servicetest.Faulty(servicetest.NewBucket(1), servicetest.CheckFails), 5, "a:ok b:unknown(error.unexpected) c:ok"},
	} {
		for _, side := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s, %d at once", name, side), func(t *testing.T) {
				inv := targets(map[string]service.Kind{"a": servicetest.NewBucket(1).Kind(), "b": tc.kind, "c": servicetest.NewBucket(1).Kind()})
				w := work("run", inv, on("a", "b", "c"), check)
				w.Side, w.Deadline = side, 50*time.Millisecond
				expect(t, newBench(t).run(t, w), tc.exit, tc.want)
			})
		}
	}
}

func TestAPanicSaysWhereButNotWhatItHeld(t *testing.T) {
	inv := targets(map[string]service.Kind{"a": servicetest.NewBucket(1).Kind()})
	run := newBench(t).run(t, work("run", inv, on("a"), func(context.Context, service.Task) (service.Outcome, error) {
		panic("redis://:s3cret@host")
	}))
	if run.Exit != engine.ExitFailed || strings.Contains(run.Targets[0].Error.Detail, "s3cret") {
		t.Errorf("exit %d: %+v", run.Exit, run.Targets[0].Error)
	}
	var none []int
	run = newBench(t).run(t, work("run", inv, on("a"), func(context.Context, service.Task) (service.Outcome, error) {
		return service.Outcome{}, fmt.Errorf("%d", none[len(os.Args)])
	}))
	if !strings.Contains(run.Targets[0].Error.Detail, "index out of range") {
		t.Errorf("a mistake of the program is not told: %+v", run.Targets[0].Error)
	}
}

func TestAFailedStepSkipsLaterOnesOfItsTargetOnly(t *testing.T) {
	inv := targets(map[string]service.Kind{"a": servicetest.NewBucket(1).Kind(), "b": servicetest.NewBucket(1).Kind()})
	steps := []service.Step{{ID: "a1", Target: "a"}, {ID: "b1", Target: "b"}, {ID: "own"}, {ID: "a2", Target: "a"}, {ID: "b2", Target: "b"}}
	for i := range steps {
		steps[i].Risk = service.ReadOnly
	}
	var done []string
	w := work("run", inv, steps, func(_ context.Context, task service.Task) (service.Outcome, error) {
		done = append(done, task.Step.ID)
		if task.Step.ID == "a1" {
			return service.Outcome{}, service.ErrUnreachable
		}
		if task.Step.ID == "own" && (task.Instance != nil || !task.Earlier["a1"].Failed || task.Earlier["b1"].Failed) {
			t.Errorf("the step without target got %+v", task)
		}
		return service.Outcome{Result: json.RawMessage(`1`)}, nil
	})
	run := newBench(t).run(t, w)
	expect(t, run, engine.ExitPartly, "a:unknown(error.unreachable) b:ok")
	if got := strings.Join(done, " "); got != "a1 b1 own b2" {
		t.Errorf("done: %s", got)
	}
	if s := run.Steps[3]; s.ID != "a2" || !s.Skipped {
		t.Errorf("a2 was not recorded as skipped: %+v", s)
	}
}

func TestAStepWithoutTargetThatFailsFailsTheRun(t *testing.T) {
	inv := targets(map[string]service.Kind{"a": servicetest.NewBucket(1).Kind()})
	steps := append(on("a"), service.Step{ID: "seal", Risk: service.ReadOnly})
	run := newBench(t).run(t, work("run", inv, steps, func(_ context.Context, task service.Task) (service.Outcome, error) {
		if task.Step.ID == "seal" {
			return service.Outcome{}, service.ErrNoSpace
		}
		return service.Outcome{}, nil
	}))
	expect(t, run, engine.ExitFailed, "a:ok")
	if run.Error == nil || run.Error.ID != "error.no-space" || run.Verdict != service.Unknown {
		t.Errorf("verdict %s, error %+v", run.Verdict, run.Error)
	}
}

func TestAStepWithoutTargetMayJudgeSeveral(t *testing.T) {
	inv := targets(map[string]service.Kind{"a": servicetest.NewBucket(1).Kind(), "b": servicetest.NewBucket(1).Kind()})
	steps := append(on("a", "b"), service.Step{ID: "all", Risk: service.ReadOnly})
	run := newBench(t).run(t, work("run", inv, steps, func(_ context.Context, task service.Task) (service.Outcome, error) {
		switch task.Step.ID {
		case "step a":
			return service.Outcome{}, service.ErrUnreachable
		case "step b":
			return service.Outcome{Verdict: service.Verdict{Facts: service.Facts{"n": 1}}}, nil
		}
		return service.Outcome{Targets: map[string]service.Verdict{
			"a": found(service.Warning).Verdict, "b": found(service.Critical).Verdict, "gone": found(service.Warning).Verdict}}, nil
	}))
	// What was said before stays: the error of a, the fact of b.
	expect(t, run, engine.ExitPartly, "a:unknown(error.unreachable) b:critical gone:warning")
	if b := run.Targets[1]; b.Facts["n"] != 1 || b.Findings[0].ID != "fake.x" {
		t.Errorf("b is %+v", b)
	}
}

func TestRisksThatWereNotApprovedAreRefused(t *testing.T) {
	for _, tc := range []struct {
		risk, allow service.Risk
		done        bool
	}{
		{service.ReadOnly, "", true},
		{service.Harmless, "", false},
		{service.Harmless, service.Harmless, true},
		{service.Reversible, service.Harmless, false},
		{service.Disruptive, service.Reversible, false},
		{service.Destructive, service.Disruptive, false},
		{service.Destructive, service.Destructive, true},
		{"", service.Destructive, false}, // whoever planned it forgot to say
		{"apocalyptic", service.Destructive, false},
	} {
		t.Run(fmt.Sprintf("%q under %q", tc.risk, tc.allow), func(t *testing.T) {
			did := false
			inv := targets(map[string]service.Kind{"a": servicetest.NewBucket(1).Kind()})
			w := work("run", inv, []service.Step{{ID: "s", Target: "a", Risk: tc.risk}}, func(context.Context, service.Task) (service.Outcome, error) {
				did = true
				return service.Outcome{}, nil
			})
			w.Allow = tc.allow
			run := newBench(t).run(t, w)
			if did != tc.done || (run.Exit == engine.ExitRefused) == tc.done {
				t.Errorf("done %v, exit %d", did, run.Exit)
			}
		})
	}
}

func TestAStepIsStaleWhenTheTargetIsAnother(t *testing.T) {
	down := servicetest.NewBucket(1)
	down.SetDown(true)
	for name, tc := range map[string]struct {
		bucket *servicetest.Bucket
		seen   string
		exit   int
	}{
		"the same":      {servicetest.NewBucket(1), "bucket", 0},
		"another":       {servicetest.NewBucket(1), "yesterday's bucket", engine.ExitRefused},
		"no answer":     {down, "bucket", engine.ExitUnknown},
		"bound to none": {down, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			inv := targets(map[string]service.Kind{"a": tc.bucket.Kind()})
			steps := []service.Step{{ID: "s", Target: "a", Seen: tc.seen, Risk: service.ReadOnly}}
			run := newBench(t).run(t, work("run", inv, steps, func(context.Context, service.Task) (service.Outcome, error) {
				return service.Outcome{}, nil
			}))
			if run.Exit != tc.exit {
				t.Errorf("exit %d, want %d: %+v", run.Exit, tc.exit, run.Targets)
			}
		})
	}
}

// A step that a crash cut off has changed the target itself.
func TestOnlyTheFirstStepOfAResumedRunMayFindAnotherTarget(t *testing.T) {
	b := newBench(t)
	inv := targets(map[string]service.Kind{"a": servicetest.NewBucket(1).Kind(), "b": servicetest.NewBucket(1).Kind()})
	steps := on("a", "b")
	steps[0].Seen, steps[1].Seen = "before the crash", "before the crash"
	w := work("run", inv, steps, func(context.Context, service.Task) (service.Outcome, error) { return service.Outcome{}, nil })
	if err := b.Journal.Begin(t.Context(), w.Run); err != nil {
		t.Fatal(err)
	}
	w.Resume = true
	expect(t, b.run(t, w), engine.ExitPartly, "a:ok b:unknown(error.stale)")
}

func TestWhatJSONCannotHoldIsAnErrorOfItsTarget(t *testing.T) {
	for _, durable := range []bool{false, true} {
		inv := targets(map[string]service.Kind{"a": servicetest.NewBucket(1).Kind(), "b": servicetest.NewBucket(1).Kind()})
		w := work("run", inv, on("a", "b"), func(_ context.Context, task service.Task) (o service.Outcome, _ error) {
			if task.Step.Target == "a" {
				o.Verdict.Set("ratio", math.NaN())
			}
			return o, nil
		})
		w.Durable = durable
		expect(t, newBench(t).run(t, w), engine.ExitPartly, "a:unknown(error.unexpected) b:ok")
	}
}

func TestAnInterruptionThatNobodyAskedForDoesNotLeaveTheRunOpen(t *testing.T) {
	inv := targets(map[string]service.Kind{"a": servicetest.NewBucket(1).Kind()})
	run := newBench(t).run(t, work("run", inv, on("a"), func(context.Context, service.Task) (service.Outcome, error) {
		return service.Outcome{}, fmt.Errorf("ask: %w", context.Canceled)
	}))
	expect(t, run, engine.ExitFailed, "a:unknown(error.unexpected)")
	w := work("run", inv, on("a"), func(ctx context.Context, _ service.Task) (service.Outcome, error) {
		<-ctx.Done()
		return service.Outcome{}, fmt.Errorf("ask: %w", context.Canceled) // as a killed program says it
	})
	w.Deadline = time.Millisecond
	expect(t, newBench(t).run(t, w), engine.ExitUnknown, "a:unknown(error.timeout)")
}

func TestTheClaimDecidesBeforeAnythingIsRecorded(t *testing.T) {
	b := newBench(t)
	w := work("run", targets(nil), nil, nil)
	w.Claim = func(context.Context) error { return service.ErrRefused }
	if _, err := b.Run(t.Context(), w); !errors.Is(err, service.ErrRefused) {
		t.Errorf("error %v", err)
	}
	if _, err := b.Journal.Run(t.Context(), "run"); !errors.Is(err, service.ErrNotFound) {
		t.Errorf("the run was begun: %v", err)
	}
}

func TestAWatcherHearsOfEveryStep(t *testing.T) {
	b := newBench(t)
	var heard []string
	b.Watch = func(e engine.Event) {
		text := fmt.Sprintf("%s %s %s", e.Run, e.Step, e.State)
		if e.State == engine.Moving {
			text += fmt.Sprintf(" %d/%d", e.Done, e.Total)
		}
		if e.Result != nil {
			text += " " + string(e.Result.Verdict)
		}
		heard = append(heard, text)
	}
	inv := targets(map[string]service.Kind{"a": servicetest.NewBucket(1).Kind()})
	b.run(t, work("run", inv, on("a"), func(_ context.Context, task service.Task) (service.Outcome, error) {
		task.Report.Add(3, 7)
		return found(service.Warning), nil
	}))
	want := "run step a started, run step a moving 3/7, run step a finished warning"
	if got := strings.Join(heard, ", "); got != want {
		t.Errorf("heard %s\nwant  %s", got, want)
	}
}

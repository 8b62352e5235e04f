package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep/internal/config"
	"upkeep/internal/database"
	"upkeep/internal/engine"
	"upkeep/internal/journal"
	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

func TestFindingsAreCompletedAgedAndWaived(t *testing.T) {
	b := newBench(t)
	accepted := func(until time.Time) config.Acceptance {
		return config.Acceptance{Finding: "fake.x", Target: "a", Until: config.Date{Time: until}, Why: "restart planned"}
	}
	kinds := map[string]service.Kind{"a": servicetest.NewBucket(1).Kind()}
	now, day := begun, 24*time.Hour
	b.Now = func() time.Time { return now }
	judge := func(id string, a config.Acceptance) journal.Run {
		return b.run(t, work(id, targets(kinds, a), on("a"), func(context.Context, service.Task) (service.Outcome, error) {
			return found(service.Critical), nil
		}))
	}
	for i, tc := range []struct {
		until  time.Time
		waived string
		exit   int
	}{
		{begun.Add(day), "restart planned", 0},
		{begun.Add(2 * day), "restart planned", 0},
		{begun.Add(2 * day), "", 1}, // the day has come
	} {
		now = begun.Add(time.Duration(i) * day)
		run := judge(fmt.Sprint("run", i), accepted(tc.until))
		f := run.Targets[0].Findings[0]
		if f.ID != "fake.x" || f.Waived != tc.waived || run.Exit != tc.exit || !f.Since.Equal(begun) {
			t.Errorf("on day %d: exit %d, %+v", i, run.Exit, f)
		}
		if verdict := map[int]service.Severity{0: service.OK, 1: service.Critical}[tc.exit]; run.Verdict != verdict {
			t.Errorf("on day %d: verdict %s", i, run.Verdict)
		}
	}
}

func TestASeverityThatNobodyKnowsIsUnknown(t *testing.T) {
	for _, s := range []service.Severity{"", "catastrophic"} {
		inv := targets(map[string]service.Kind{"a": servicetest.NewBucket(1).Kind()})
		run := newBench(t).run(t, work("run", inv, on("a"), func(context.Context, service.Task) (service.Outcome, error) {
			return found(s), nil
		}))
		expect(t, run, engine.ExitUnknown, "a:unknown")
	}
}

// refuseRecords makes the journal fail as a full disk does, for one kind of record.
func refuseRecords(t *testing.T, b bench, kind journal.Kind) {
	t.Helper()
	db, err := database.Open(t.Context(), filepath.Join(b.dir, "journal.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = db.ExecContext(t.Context(), "CREATE TRIGGER full BEFORE INSERT ON records WHEN NEW.kind = '"+string(kind)+"' BEGIN SELECT RAISE(ABORT, 'disk full'); END")
	if err != nil {
		t.Fatal(err)
	}
}

func TestAJournalThatTakesNoRecordsIsNotSilent(t *testing.T) {
	for _, kind := range []journal.Kind{journal.StepDone, journal.TargetResult} {
		t.Run(string(kind), func(t *testing.T) {
			b := newBench(t)
			refuseRecords(t, b, kind)
			inv := targets(map[string]service.Kind{"a": servicetest.NewBucket(1).Kind(), "b": servicetest.NewBucket(1).Kind(), "c": servicetest.NewBucket(1).Kind()})
			steps := on("a", "b", "c")
			steps[2].Risk = service.Harmless
			var done []string
			w := work("run", inv, steps, func(_ context.Context, task service.Task) (service.Outcome, error) {
				done = append(done, task.Step.Target)
				return service.Outcome{}, nil
			})
			w.Allow = service.Harmless
			run := b.run(t, w)
			if run.Error == nil || !strings.Contains(run.Error.Detail, "disk full") || run.Verdict != service.Unknown {
				t.Errorf("the run ended as %s with %+v", run.Verdict, run.Error)
			}
			// What reads goes on, what changes something does not begin.
			expect(t, run, engine.ExitPartly, "a:ok b:ok c:unknown(error.refused)")
			if strings.Join(done, "") != "ab" {
				t.Errorf("done: %v", done)
			}
		})
	}
}

func TestARunThatCannotBeSealedIsAnError(t *testing.T) {
	b := newBench(t)
	refuseRecords(t, b, journal.RunFinished)
	_, err := b.Run(t.Context(), work("run", targets(nil), nil, nothing))
	if err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("error %v", err)
	}
}

func TestARunThatCannotBeBegunDoesNothing(t *testing.T) {
	b := newBench(t)
	refuseRecords(t, b, journal.RunStarted)
	w := work("run", targets(map[string]service.Kind{"a": servicetest.NewBucket(1).Kind()}), on("a"), func(context.Context, service.Task) (service.Outcome, error) {
		t.Error("the step was done")
		return service.Outcome{}, nil
	})
	if _, err := b.Run(t.Context(), w); err == nil {
		t.Error("no error")
	}
}

// durable is work of three steps that notes what it does; the second one ends
// with stop.
func durable(b bench, done *[]string, stop func(context.Context) error) engine.Work {
	inv := targets(map[string]service.Kind{"a": servicetest.NewBucket(1).Kind(), "b": servicetest.NewBucket(1).Kind(), "c": servicetest.NewBucket(1).Kind()})
	w := work("run", inv, on("a", "b", "c"), func(ctx context.Context, task service.Task) (service.Outcome, error) {
		*done = append(*done, task.Step.Target)
		if task.Step.Target == "b" {
			if err := stop(ctx); err != nil {
				return service.Outcome{}, err
			}
		}
		o := found(service.Warning)
		o.Result = json.RawMessage(fmt.Sprintf("%q", task.Step.Target))
		if task.Step.Target == "c" {
			for _, earlier := range []string{"a", "b"} {
				var said string
				if err := task.Earlier["step "+earlier].Decode(&said); err != nil || said != earlier {
					return o, fmt.Errorf("step %s gave %q, %v", earlier, said, err)
				}
			}
		}
		return o, nil
	})
	w.Durable = true
	return w
}

func TestAnInterruptedRunStaysOpenAndGoesOn(t *testing.T) {
	b := newBench(t)
	var done []string
	ctx, cancel := context.WithCancel(t.Context())
	run, err := b.Run(ctx, durable(b, &done, func(ctx context.Context) error {
		cancel()
		<-ctx.Done()
		return fmt.Errorf("ask: %w", service.ErrUnreachable)
	}))
	if err != nil || run.Exit != engine.ExitInterrupted || run.Error == nil || run.Error.ID != "error.interrupted" {
		t.Fatalf("interrupted: exit %d, %+v, %v", run.Exit, run.Error, err)
	}
	open, err := b.Journal.Run(t.Context(), "run")
	if err != nil || !open.Finished.IsZero() || summary(open) != "a:warning" {
		t.Fatalf("the journal has %+v, %v", open, err)
	}
	if _, err := b.Journal.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	b.Now = func() time.Time { return begun.Add(time.Hour) }
	done = nil
	again := durable(b, &done, func(context.Context) error { return nil })
	again.Resume, again.Run.Started = true, begun.Add(time.Hour)
	run = b.run(t, again)
	expect(t, run, 0, "a:warning b:warning c:warning")
	if strings.Join(done, "") != "bc" {
		t.Errorf("done after the resume: %v", done)
	}
	if !run.Started.Equal(begun) || !run.Finished.Equal(begun.Add(time.Hour)) || !run.Targets[0].Findings[0].Since.Equal(begun) {
		t.Errorf("started %v, finished %v, since %v", run.Started, run.Finished, run.Targets[0].Findings[0].Since)
	}
}

func TestADurableFailureIsNotTriedAgain(t *testing.T) {
	b := newBench(t)
	var done []string
	expect(t, b.run(t, durable(b, &done, func(context.Context) error { return service.ErrUnreachable })),
		engine.ExitPartly, "a:warning b:unknown(error.unreachable) c:unknown(error.unexpected)")
	again := durable(b, &done, nil)
	again.Resume = true
	if _, err := b.Run(t.Context(), again); !errors.Is(err, service.ErrRefused) {
		t.Errorf("a finished run was resumed: %v", err)
	}
}

func TestWhatWasNeverBegunCannotBeResumed(t *testing.T) {
	w := work("run", targets(nil), nil, nothing)
	w.Resume = true
	if _, err := newBench(t).Run(t.Context(), w); !errors.Is(err, service.ErrNotFound) {
		t.Errorf("error %v", err)
	}
}

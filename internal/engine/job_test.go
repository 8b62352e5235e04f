package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"upkeep/internal/engine"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// verbs is a job whose verbs end with the given codes.
func verbs(codes ...int) engine.Job {
	job := engine.Job{Run: journal.Run{ID: "job", System: "shop", Verb: "run"}, Keep: func(journal.Step) {}}
	for i, code := range codes {
		name := string(rune('a' + i))
		job.Steps = append(job.Steps, engine.JobStep{ID: name, Do: func(context.Context) (journal.Step, error) {
			return journal.Step{ID: name, Verb: name, Exit: code}, nil
		}})
	}
	return job
}

func TestAJobEndsWithTheGravestOfItsVerbs(t *testing.T) {
	for _, tc := range []struct {
		codes   []int
		exit    int
		verdict service.Severity
	}{
		{[]int{0, 0}, 0, service.OK},
		{[]int{1, 0}, 1, service.Critical},
		{[]int{1, 3, 6}, 6, service.Unknown},
		{[]int{5, 4}, 5, service.Unknown},
	} {
		run, err := newBench(t).RunJob(t.Context(), verbs(tc.codes...))
		if err != nil || run.Exit != tc.exit || run.Verdict != tc.verdict || len(run.Steps) != len(tc.codes) || run.Finished.IsZero() {
			t.Errorf("%v: %+v, %v", tc.codes, run, err)
		}
	}
}

func TestAJobWhoseVerbsAreNotRecordedDoesNotEndAsDone(t *testing.T) {
	b := newBench(t)
	refuseRecords(t, b, journal.StepDone)
	run, err := b.RunJob(t.Context(), verbs(0))
	if err != nil || run.Exit != engine.ExitFailed || !strings.Contains(run.Error.Detail, "disk full") {
		t.Errorf("%+v, %v", run, err)
	}
}

func TestAnInterruptedJobGoesOnAtItsVerb(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	job := verbs(1, 0)
	last := job.Steps[1].Do
	job.Steps[1].Do = func(ctx context.Context) (journal.Step, error) {
		cancel()
		return journal.Step{}, errors.Join(service.ErrUnreachable, ctx.Err())
	}
	run, err := b.RunJob(ctx, job)
	if err != nil || run.Exit != engine.ExitInterrupted || !run.Finished.IsZero() {
		t.Fatalf("%+v, %v", run, err)
	}
	var kept []string
	job.Resume, job.Keep = true, func(s journal.Step) { kept = append(kept, s.Verb) }
	job.Steps[0].Do = func(context.Context) (journal.Step, error) { return journal.Step{}, errors.New("done twice") }
	job.Steps[1].Do = last
	run, err = b.RunJob(t.Context(), job)
	if err != nil || run.Exit != engine.ExitFound || strings.Join(kept, "") != "ab" {
		t.Errorf("%+v, %v, kept %v", run, err, kept)
	}
}

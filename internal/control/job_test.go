package control_test

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"upkeep/internal/control"
	"upkeep/internal/engine"
	"upkeep/internal/service/servicetest"
)

const daily = "jobs: {daily: {do: [check, backup, verify, drill, report]}, proof: {do: [verify, drill]}}"

func TestAJobRunsItsVerbsInOrder(t *testing.T) {
	l := newLab(t, daily, "a", "b")
	app := l.open(t)
	run, err := app.RunJob(t.Context(), "daily")
	if err != nil || run.Exit != 0 || steps(run) != "check 0, backup 0, verify 0, drill 0, report 0" {
		t.Fatalf("exit %d, %v: %s", run.Exit, err, steps(run))
	}
	_, children, err := app.Run(t.Context(), run.ID)
	if err != nil || len(children) != 5 {
		t.Fatalf("%d runs, %v", len(children), err)
	}
	seen := map[string]bool{run.ID: true}
	for _, c := range children {
		if seen[c.ID] || c.Parent != run.ID || c.Finished.IsZero() {
			t.Errorf("run %+v", c)
		}
		seen[c.ID] = true
	}
	if point := children[1].Point; point == "" || children[2].Point != point || children[3].Point != point || children[3].Proof == nil {
		t.Errorf("backup took %s, verify read %s, drill %s (%v)", point, children[2].Point, children[3].Point, children[3].Proof)
	}
	if pages, err := filepath.Glob(l.path("reports", "*-daily.html")); err != nil || len(pages) != 1 || children[4].Output == "" {
		t.Errorf("reports %v, %v, output %q", pages, err, children[4].Output)
	}
	l.later()
	if run, err := app.RunJob(t.Context(), "proof"); err != nil || run.Exit != 0 || steps(run) != "verify 0, drill 0" {
		t.Errorf("a job without a backup: exit %d, %v: %s", run.Exit, err, steps(run))
	}
}

func TestAfterAFailedBackupNothingOlderIsProvenInItsPlace(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(l *lab)
		want  string
		exit  int
	}{
		"all targets down": {func(l *lab) { l.buckets["a"].SetDown(true); l.buckets["b"].SetDown(true) },
			"check 3, backup 3, verify skipped, drill skipped, report 0", engine.ExitUnknown},
		"one target down": {func(l *lab) { l.buckets["b"].SetDown(true) },
			"check 5, backup 5, verify skipped, drill skipped, report 0", engine.ExitPartly},
		"one cannot be read": {func(l *lab) { l.kinds["a"] = servicetest.Faulty(l.buckets["a"], servicetest.ListFails) },
			"check 0, backup 5, verify skipped, drill skipped, report 0", engine.ExitPartly},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, daily, "a", "b")
			l.backup(t, l.open(t)) // there is an older point
			tc.spoil(l)
			l.later()
			run, err := l.open(t).RunJob(t.Context(), "daily")
			if err != nil || run.Exit != tc.exit || steps(run) != tc.want {
				t.Errorf("exit %d, %v: %s", run.Exit, err, steps(run))
			}
		})
	}
}

func TestAJobGoesOnAtTheVerbWhereItStopped(t *testing.T) {
	for _, stop := range []string{"check a", "backup a", "read", "drill b"} {
		t.Run(stop, func(t *testing.T) {
			l := newLab(t, daily, "a", "b")
			ctx, cancel := context.WithCancel(t.Context())
			l.watch = func(e engine.Event) {
				if e.Step == stop && e.State == engine.Started {
					cancel()
				}
			}
			run, err := l.open(t).RunJob(ctx, "daily")
			if err != nil || run.Exit != engine.ExitInterrupted || !run.Finished.IsZero() {
				t.Fatalf("exit %d, %v: %s", run.Exit, err, steps(run))
			}
			begun := map[string]int{}
			l.watch = func(e engine.Event) {
				if e.State == engine.Started {
					begun[e.Verb]++
				}
			}
			app := l.open(t)
			run, err = app.Resume(t.Context(), run.ID)
			if err != nil || run.Exit != 0 || steps(run) != "check 0, backup 0, verify 0, drill 0, report 0" {
				t.Fatalf("exit %d, %v: %s", run.Exit, err, steps(run))
			}
			order := []string{"check", "backup", "verify", "drill"}
			at := map[string]int{"check a": 0, "backup a": 1, "read": 2, "drill b": 3}[stop]
			for i, verb := range order {
				if (begun[verb] > 0) != (i >= at) {
					t.Errorf("%d steps of %s after the resume", begun[verb], verb)
				}
			}
			if points, err := app.Points(t.Context()); err != nil || len(points) != 1 || points[0].Proven.IsZero() {
				t.Errorf("points %+v, %v", points, err)
			}
		})
	}
}

func TestAJobThatWasChangedIsNotResumed(t *testing.T) {
	l := newLab(t, daily, "a")
	ctx, cancel := context.WithCancel(t.Context())
	l.watch = func(engine.Event) { cancel() }
	run, err := l.open(t).RunJob(ctx, "daily")
	if err != nil || run.Exit != engine.ExitInterrupted {
		t.Fatalf("exit %d, %v", run.Exit, err)
	}
	l.yaml = strings.Replace(l.yaml, "verify, drill, report", "report", 1)
	_, err = l.open(t).Resume(t.Context(), run.ID)
	wantProblem(t, err, "error.stale", engine.ExitRefused)
}

// samplesOf are the lines of these families.
func samplesOf(text string, families ...string) (lines string) {
	for line := range strings.Lines(text) {
		if name, _, ok := strings.Cut(line, "{"); ok && slices.Contains(families, name) {
			lines += line
		}
	}
	return lines
}

func TestSamplesOfAllTargetsAreOneText(t *testing.T) {
	l := newLab(t, "", "c", "a", "b", "w")
	l.buckets["b"].SetDown(true)
	l.kinds["w"] = panicking(l.buckets["w"])
	for range 5 { // the order does not depend on who answers first
		var out, errs bytes.Buffer
		code, err := l.open(t).Collect(t.Context(), nil, &out, &errs)
		if err != nil || code != engine.ExitPartly {
			t.Errorf("code %d, %v", code, err)
		}
		want := `fake_objects{instance="a",job="fake",system="shop",target="a"} 3.0
fake_objects{instance="c",job="fake",system="shop",target="c"} 3.0
up{instance="a",job="fake",system="shop",target="a"} 1.0
up{instance="b",job="fake",system="shop",target="b"} 0.0
up{instance="c",job="fake",system="shop",target="c"} 1.0
up{instance="w",job="wild",system="shop",target="w"} 0.0
`
		if got := samplesOf(out.String(), "fake_objects", "up"); got != want || !strings.HasSuffix(out.String(), "\n# EOF\n") {
			t.Errorf("got\n%swant\n%s", &out, want)
		}
		if lines := strings.Split(strings.TrimSpace(errs.String()), "\n"); len(lines) != 2 || !strings.HasPrefix(lines[0], "b: ") || !strings.HasPrefix(lines[1], "w: ") {
			t.Errorf("errors:\n%s", &errs)
		}
	}
	var out, errs bytes.Buffer
	if code, err := l.open(t).Collect(t.Context(), []string{"b"}, &out, &errs); err != nil || code != engine.ExitUnknown || samplesOf(out.String(), "fake_objects") != "" {
		t.Errorf("code %d, %v: %s", code, err, &out)
	}
	if _, err := l.open(t).Collect(t.Context(), []string{"nope"}, &out, &errs); err == nil {
		t.Error("a target that does not exist was asked")
	}
	if _, err := l.open(t).Submit(t.Context(), control.Request{Verb: "collect"}); err == nil {
		t.Error("collect is no run")
	}
}

package control_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"upkeep/internal/control"
	"upkeep/internal/engine"
	"upkeep/internal/journal"
	"upkeep/internal/repository"
	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

// planned makes a plan and has it approved.
func planned(t *testing.T, app *control.App, req control.Request) journal.Plan {
	t.Helper()
	plan, err := app.MakePlan(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if plan.Approved.IsZero() {
		plan, err = app.Approve(t.Context(), plan.Digest[:len("sha256:")+8])
	}
	if err != nil || plan.By != "li" {
		t.Fatalf("%+v, %v", plan, err)
	}
	return plan
}

func restored(t *testing.T, app *control.App, req control.Request) journal.Run {
	t.Helper()
	run, err := app.Apply(t.Context(), planned(t, app, req).Digest)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func wantProblem(t *testing.T, err error, id string, code int) {
	t.Helper()
	if p := problem(err); p.ID != id || p.Code != code {
		t.Errorf("%s (%d), want %s (%d): %v", p.ID, p.Code, id, code, err)
	}
}

func problem(err error) journal.Problem {
	if err == nil {
		return journal.Problem{}
	}
	return *engine.Problem(err)
}

// same reports whether the bucket holds what a new one of three objects does.
func same(t *testing.T, l *lab, app *control.App, point, target string) bool {
	t.Helper()
	steps, err := app.Steps(t.Context(), control.Request{Verb: "check", Targets: []string{target}})
	if err != nil || len(steps) == 0 {
		t.Fatal(err)
	}
	in, err := l.buckets[target].Kind().Open(service.Env{}, l.buckets[target].Kind().NewConfig())
	if err != nil {
		t.Fatal(err)
	}
	r, err := app.Repository(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := r.Copy(t.Context(), point, target)
	if err != nil {
		t.Fatal(err)
	}
	v, err := in.(service.Verifier).Verify(t.Context(), c, service.Report{})
	if err != nil {
		t.Fatal(err)
	}
	return len(v.Findings) == 0
}

func TestAPlansDigestNamesWhatItDoes(t *testing.T) {
	l := newLab(t, "", "a", "b")
	l.backup(t, l.open(t))
	digest := func(req control.Request) string {
		t.Helper()
		l.later()
		plan, err := l.open(t).MakePlan(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		return plan.Digest
	}
	req := control.Request{Verb: "restore", Point: "latest", Targets: []string{"a"}}
	first := digest(req)
	if again := digest(req); again != first {
		t.Errorf("the same request a day later is %s, was %s", again, first)
	}
	seen := map[string]string{first: "the request"}
	for name, other := range map[string]control.Request{
		"another target":  {Verb: "restore", Point: "latest", Targets: []string{"b"}},
		"one object only": {Verb: "restore", Point: "latest", Targets: []string{"a"}, Only: "object-000001"},
		"unsaved":         {Verb: "restore", Point: "latest", Targets: []string{"a"}, Discard: []string{"a"}},
		"a backup":        {Verb: "backup", Targets: []string{"a"}},
	} {
		d := digest(other)
		if seen[d] != "" {
			t.Errorf("%s has the digest of %s", name, seen[d])
		}
		seen[d] = name
	}
	l.backup(t, l.open(t))
	if after := digest(req); after == first {
		t.Error("latest is another point now, and the digest is the same")
	}
	l.yaml += "# a comment\n"
	if after := digest(req); seen[after] != "" {
		t.Error("the declaration changed, and the digest is the same")
	}
}

func TestARestoreIsApprovedAppliedOnceAndUndone(t *testing.T) {
	l := newLab(t, "", "a")
	app := l.open(t)
	point := l.backup(t, app)
	l.buckets["a"].Put("object-000001", "spoilt")
	l.buckets["a"].Delete("object-000002")
	req := control.Request{Verb: "restore", Point: "latest"}
	_, err := app.Submit(t.Context(), req)
	wantProblem(t, err, "error.refused", engine.ExitRefused)
	plan, err := app.MakePlan(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	_, err = app.Apply(t.Context(), plan.Digest)
	wantProblem(t, err, "error.approval-missing", engine.ExitRefused)
	if same(t, l, app, point, "a") {
		t.Fatal("restored without approval")
	}
	l.later()
	run := restored(t, app, req)
	if run.Exit != 0 || run.Plan != plan.Digest || run.Point != point || !same(t, l, app, point, "a") {
		t.Fatalf("exit %d: %s", run.Exit, describe(run))
	}
	_, err = app.Apply(t.Context(), plan.Digest)
	wantProblem(t, err, "error.refused", engine.ExitRefused)
	saved, err := app.Point(t.Context(), run.ID)
	if err != nil || saved.Reason != repository.ReasonBeforeRestore || !saved.Complete || saved.Expires.IsZero() {
		t.Errorf("saved %+v, %v", saved, err)
	}
	if latest, err := app.Point(t.Context(), "latest"); err != nil || latest.ID != point {
		t.Errorf("latest is %s, %v, want %s", latest.ID, err, point)
	}
	back, err := app.Undo(t.Context(), run.ID)
	if err != nil {
		t.Fatal(err)
	}
	l.later()
	if run := restored(t, app, back); run.Exit != 0 || same(t, l, app, point, "a") || !same(t, l, app, saved.ID, "a") {
		t.Errorf("undone, exit %d: %s", run.Exit, describe(run))
	}
}

func TestWhatChangedNothingIsNotUndone(t *testing.T) {
	l := newLab(t, "", "a")
	app := l.open(t)
	run := submit(t, app, control.Request{Verb: "check"})
	_, err := app.Undo(t.Context(), run.ID)
	wantProblem(t, err, "error.refused", engine.ExitRefused)
	l.yaml = strings.Replace(l.yaml, "system: shop", "system: other", 1)
	for name, ask := range map[string]func(*control.App) error{
		"undo":   func(a *control.App) error { _, err := a.Undo(t.Context(), run.ID); return err },
		"resume": func(a *control.App) error { _, err := a.Resume(t.Context(), run.ID); return err },
	} {
		if err := ask(l.open(t)); !errors.Is(err, service.ErrRefused) || !strings.Contains(err.Error(), "shop") {
			t.Errorf("%s of another system's run: %v", name, err)
		}
	}
}

func TestAPlanIsStaleWhenTheWorldMoved(t *testing.T) {
	for name, move := range map[string]func(t *testing.T, l *lab){
		"another declaration": func(_ *testing.T, l *lab) { l.yaml += "# a comment\n" },
		"another latest":      func(t *testing.T, l *lab) { l.backup(t, l.open(t)) },
		"another server":      func(_ *testing.T, l *lab) { l.kinds["a"] = elsewhere(l.buckets["a"]) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, "", "a")
			app := l.open(t)
			l.backup(t, app)
			plan := planned(t, app, control.Request{Verb: "restore", Point: "latest"})
			l.buckets["a"].Put("new", "content")
			move(t, l)
			_, err := l.open(t).Apply(t.Context(), plan.Digest)
			wantProblem(t, err, "error.stale", engine.ExitRefused)
		})
	}
}

// elsewhere is the bucket at another address.
func elsewhere(b *servicetest.Bucket) service.Kind {
	open := func(env service.Env, _ struct{}) (moved, error) {
		in, err := b.Kind().Open(env, b.Kind().NewConfig())
		return moved{everything: in.(everything)}, err
	}
	return service.Define("fake", open, []byte("findings: {}"), nil)
}

type everything interface {
	service.Instance
	service.Source
	service.Restorer
	service.Verifier
}

type moved struct{ everything }

func (moved) Identity(context.Context) (string, error) { return "another bucket", nil }

func TestNothingIsReplacedThatWasNotSaved(t *testing.T) {
	l := newLab(t, "", "a", "b")
	point := l.backup(t, l.open(t))
	for _, b := range l.buckets {
		b.Put("object-000001", "changed since")
	}
	l.kinds["a"] = servicetest.Faulty(l.buckets["a"], servicetest.ListFails)
	app := l.open(t)
	l.later()
	run := restored(t, app, control.Request{Verb: "restore", Point: "latest"})
	if run.Exit != engine.ExitFailed || !strings.Contains(describe(run), "b:unknown(error.refused") {
		t.Errorf("exit %d: %s", run.Exit, describe(run))
	}
	if same(t, l, app, point, "a") || same(t, l, app, point, "b") {
		t.Error("a target was replaced whose content was not saved")
	}
	// Whoever gives the content up says so.
	l.later()
	run = restored(t, app, control.Request{Verb: "restore", Point: "latest", Discard: []string{"a", "b"}})
	if run.Exit != 0 || !same(t, l, app, point, "a") || !same(t, l, app, point, "b") {
		t.Errorf("exit %d: %s", run.Exit, describe(run))
	}
	if _, err := app.Undo(t.Context(), run.ID); !errors.Is(err, service.ErrNotFound) {
		t.Errorf("undo of what was given up: %v", err)
	}
}

func TestAnInterruptedRestoreGoesOnWhereItStopped(t *testing.T) {
	l := newLab(t, "", "a")
	point := l.backup(t, l.open(t))
	l.buckets["a"].Put("object-000001", "spoilt")
	ctx, cancel := context.WithCancel(t.Context())
	app := l.open(t)
	plan := planned(t, app, control.Request{Verb: "restore", Point: "latest"})
	l.watch = func(e engine.Event) {
		if e.Step == "put-back a" {
			cancel()
		}
	}
	run, err := app.Apply(ctx, plan.Digest)
	if err != nil || run.Exit != engine.ExitInterrupted {
		t.Fatalf("exit %d, %v: %s", run.Exit, err, describe(run))
	}
	// Nobody is asked again who it is: a half restored server may not answer that.
	l.kinds["a"] = mute(l.buckets["a"])
	var begun []string
	l.watch = func(e engine.Event) {
		if e.State == engine.Started {
			begun = append(begun, e.Step)
		}
	}
	again := l.open(t)
	run, err = again.Resume(t.Context(), run.ID)
	if err != nil || run.Exit != 0 || !same(t, l, again, point, "a") {
		t.Fatalf("exit %d, %v: %s", run.Exit, err, describe(run))
	}
	if got := strings.Join(begun, ", "); got != "put-back a, compare a" {
		t.Errorf("done after the resume: %s", got)
	}
	if _, err := again.Resume(t.Context(), run.ID); !errors.Is(err, service.ErrRefused) {
		t.Errorf("resumed twice: %v", err)
	}
}

// mute is the bucket, but does not say who it is.
func mute(b *servicetest.Bucket) service.Kind {
	open := func(env service.Env, _ struct{}) (silent, error) {
		in, err := b.Kind().Open(env, b.Kind().NewConfig())
		return silent{everything: in.(everything)}, err
	}
	return service.Define("fake", open, []byte("findings: {}"), nil)
}

type silent struct{ everything }

func (silent) Identity(context.Context) (string, error) { return "", service.ErrUnreachable }

func TestAHeldLockDoesNotUseUpAPlan(t *testing.T) {
	l := newLab(t, "", "a")
	app := l.open(t)
	l.backup(t, app)
	plan := planned(t, app, control.Request{Verb: "restore", Point: "latest"})
	other := l.open(t)
	tried := false
	l.watch = func(e engine.Event) {
		if tried || e.State != engine.Started {
			return
		}
		tried = true
		_, err := other.Apply(t.Context(), plan.Digest)
		wantProblem(t, err, "error.locked", engine.ExitRefused)
	}
	submit(t, app, control.Request{Verb: "drill"})
	if run, err := other.Apply(t.Context(), plan.Digest); !tried || err != nil || run.Exit != 0 {
		t.Errorf("tried %v, %v: %s", tried, err, describe(run))
	}
}

func TestExportedFilesArePrivateAndWhole(t *testing.T) {
	l := newLab(t, "", "a")
	l.backup(t, l.open(t))
	app := l.open(t)
	file := l.path("copy.tar.zst")
	n, err := app.Export(t.Context(), "latest", file, "")
	info, statErr := os.Stat(file)
	if err = errors.Join(err, statErr); err != nil || info.Mode().Perm() != 0o600 || info.Size() != n || n == 0 {
		t.Errorf("%v, %d bytes, %v", info, n, err)
	}
	if _, err := app.Export(t.Context(), "latest", file, ""); !errors.Is(err, service.ErrRefused) {
		t.Errorf("over an existing file: %v", err)
	}
	if files, err := app.Extract(t.Context(), "latest", nil, "", l.path("out")); err != nil || files != 5 {
		t.Errorf("%d files, %v", files, err)
	}
	if _, err := app.Extract(t.Context(), "latest", nil, "", l.path("out")); !errors.Is(err, service.ErrRefused) {
		t.Errorf("into a directory that is not empty: %v", err)
	}
	before := l.tree(t)
	if _, err := app.Export(t.Context(), "latest", l.path("encrypted"), "age1nonsense"); err == nil {
		t.Error("encrypted to nobody")
	}
	l.kinds["a"] = servicetest.Faulty(l.buckets["a"], servicetest.ExtractOut)
	hostile := l.open(t)
	if _, err := hostile.Export(t.Context(), "latest", l.path("hostile"), ""); !errors.Is(err, service.ErrRefused) {
		t.Errorf("a name that leads out: %v", err)
	}
	if after := l.tree(t); after != before {
		t.Errorf("a failure left something:\nbefore %s\nafter  %s", before, after)
	}
	if _, err := hostile.Extract(t.Context(), "latest", nil, "", l.path("hostile")); !errors.Is(err, service.ErrRefused) {
		t.Errorf("a name that leads out: %v", err)
	}
	if _, err := os.Stat(l.path("README.md")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it came out: %v", err)
	}
}

package control_test

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upkeep/internal/catalogue"
	"upkeep/internal/control"
	"upkeep/internal/engine"
	"upkeep/internal/repository"
	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

func TestEveryWordIsThereInBothLanguages(t *testing.T) {
	texts, err := control.Texts(service.NewRegistry(), catalogue.Source{Prefix: "cli", Text: []byte("messages: {}")})
	if err == nil {
		err = texts.Check()
	}
	if err != nil {
		t.Error(err)
	}
}

func TestWhatOnlyLooksLeavesNoTrace(t *testing.T) {
	l := newLab(t, "jobs: {daily: {do: [check, backup, verify, drill, report]}}", "a", "b")
	app := l.open(t)
	for _, req := range []control.Request{{Verb: "check"}, {Verb: "backup"}, {Verb: "run", Job: "daily"}} {
		steps, err := app.Steps(t.Context(), req)
		if err != nil || len(steps) < 3 {
			t.Errorf("%s: %v, %v", req.Verb, steps, err)
		}
	}
	for _, verb := range []string{"verify", "drill", "restore"} {
		if _, err := app.Steps(t.Context(), control.Request{Verb: verb}); !errors.Is(err, service.ErrNotFound) {
			t.Errorf("steps of %s: %v", verb, err)
		}
		if _, err := app.Submit(t.Context(), control.Request{Verb: verb}); !errors.Is(err, service.ErrNotFound) {
			t.Errorf("%s: %v", verb, err)
		}
	}
	if points, err := app.Points(t.Context()); err != nil || len(points) > 0 {
		t.Errorf("points: %v, %v", points, err)
	}
	if rules, err := app.KeptBy(t.Context()); err != nil || len(rules) > 0 {
		t.Errorf("kept by: %v, %v", rules, err)
	}
	if _, err := app.Doctor(t.Context()); err != nil {
		t.Error(err)
	}
	if left := l.tree(t); left != "" || len(l.shown) > 0 {
		t.Errorf("left %q, passwords shown: %d", left, len(l.shown))
	}
	// A check is recorded, and makes nothing else.
	if run := submit(t, app, control.Request{Verb: "check"}); run.Exit != 0 {
		t.Error(describe(run))
	}
	if left := l.tree(t); strings.Contains(left, "copies") || strings.Contains(left, "scratch") || strings.Contains(left, "workflow") {
		t.Errorf("left %q", left)
	}
}

func TestOnlyTheFirstBackupMakesAPassword(t *testing.T) {
	l := newLab(t, "", "a")
	l.backup(t, l.open(t))
	l.backup(t, l.open(t))
	file := l.path("state", "copies.password")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	text, err := os.ReadFile(file)
	if err != nil || len(l.shown) != 1 || strings.TrimSpace(string(text)) != l.shown[0] {
		t.Errorf("shown %d times, %v", len(l.shown), err)
	}
	// Without it nothing can be read; a new one would only hide that.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	app := l.open(t)
	_, err = app.Points(t.Context())
	if id, _ := service.ErrorID(err); id != "error.wrong-password" || !errors.Is(err, repository.ErrPassword) || !strings.Contains(err.Error(), file) {
		t.Errorf("error %v", err)
	}
	if run := submit(t, app, control.Request{Verb: "backup"}); run.Exit != engine.ExitFailed {
		t.Error(describe(run))
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) || len(l.shown) != 1 {
		t.Errorf("another password was made: %v", err)
	}
}

func TestARepositoryThatWasThereIsNotMadeAnew(t *testing.T) {
	l := newLab(t, "repository: {path: disk/copies, password: file:password}", "a")
	if err := os.WriteFile(l.path("password"), []byte("correct horse"), 0o600); err != nil {
		t.Fatal(err)
	}
	l.backup(t, l.open(t))
	// Another machine takes the repository over: it has made none itself.
	if err := os.RemoveAll(l.path("state")); err != nil {
		t.Fatal(err)
	}
	l.backup(t, l.open(t))
	if err := os.Rename(l.path("disk"), l.path("unmounted")); err != nil {
		t.Fatal(err)
	}
	run := submit(t, l.open(t), control.Request{Verb: "backup"})
	if run.Exit != engine.ExitRefused || run.Targets[0].Error.ID != "error.repository-gone" {
		t.Errorf("exit %d: %s", run.Exit, describe(run))
	}
	if len(l.shown) > 0 {
		t.Error("a declared password was shown")
	}
}

func TestARepositoryIsNotMadeAmongOtherFiles(t *testing.T) {
	l := newLab(t, "repository: {path: here, password: file:password}", "a")
	for path, text := range map[string]string{"password": "correct horse", "here/letter": "dear all"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(l.path(path)), 0o700), os.WriteFile(l.path(path), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	run := submit(t, l.open(t), control.Request{Verb: "backup"})
	if run.Exit != engine.ExitRefused || run.Targets[0].Error.ID != "error.repository-occupied" {
		t.Errorf("exit %d: %s", run.Exit, describe(run))
	}
}

func TestLatestIsTheNewestWholePointOfABackup(t *testing.T) {
	l := newLab(t, "", "a", "b")
	app := l.open(t)
	whole := l.backup(t, app)
	l.later()
	l.buckets["b"].SetDown(true)
	run := submit(t, app, control.Request{Verb: "backup"})
	if run.Exit != engine.ExitPartly || run.Point != "" || !strings.Contains(describe(run), "a:ok, b:unknown(error.unreachable") {
		t.Errorf("exit %d: %s", run.Exit, describe(run))
	}
	points, err := app.Points(t.Context())
	if err != nil || len(points) != 2 || points[0].Complete {
		t.Fatalf("points %+v, %v", points, err)
	}
	for _, id := range []string{"", "latest", whole, whole[:len(whole)-2]} {
		if p, err := app.Point(t.Context(), id); err != nil || p.ID != whole {
			t.Errorf("%q is %s, %v, want %s", id, p.ID, err, whole)
		}
	}
	if _, err := app.Point(t.Context(), "2020"); !errors.Is(err, service.ErrNotFound) {
		t.Errorf("error %v", err)
	}
	for _, verb := range []string{"verify", "drill"} {
		if run := submit(t, app, control.Request{Verb: verb}); run.Exit != 0 || run.Point != whole {
			t.Errorf("%s of %s, exit %d: %s", verb, run.Point, run.Exit, describe(run))
		}
	}
	p, err := app.Point(t.Context(), whole)
	if err != nil || p.Verified.IsZero() || p.Proven.IsZero() || p.Proof == nil || p.Proof.Compared["objects"] != 6 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestKeepIsAppliedAfterABackup(t *testing.T) {
	l := newLab(t, "keep: {last: 2}", "a")
	app := l.open(t)
	var taken []string
	for range 4 {
		taken = append(taken, l.backup(t, app))
	}
	points, err := app.Points(t.Context())
	if err != nil || len(points) != 2 || points[0].ID != taken[3] || points[1].ID != taken[2] {
		t.Errorf("points %+v, %v", points, err)
	}
	rules, err := app.KeptBy(t.Context())
	if err != nil || len(rules[taken[3]]) == 0 {
		t.Errorf("rules %v, %v", rules, err)
	}
}

func TestNamesThatDoNotExistAreRefusedBeforeAnythingIsDone(t *testing.T) {
	l := newLab(t, "jobs: {daily: {do: [check]}}", "a", "b")
	app := l.open(t)
	l.backup(t, app)
	for name, ask := range map[string]func() error{
		"a target to check": func() error {
			_, err := app.Submit(t.Context(), control.Request{Verb: "check", Targets: []string{"c"}})
			return err
		},
		"a target to drill": func() error {
			_, err := app.Submit(t.Context(), control.Request{Verb: "drill", Targets: []string{"c"}})
			return err
		},
		"a target to restore": func() error {
			_, err := app.MakePlan(t.Context(), control.Request{Verb: "restore", Targets: []string{"c"}})
			return err
		},
		"a point": func() error {
			_, err := app.Submit(t.Context(), control.Request{Verb: "verify", Point: "1999"})
			return err
		},
		"a job":  func() error { _, err := app.RunJob(t.Context(), "hourly"); return err },
		"a run":  func() error { _, err := app.Resume(t.Context(), "1999"); return err },
		"a plan": func() error { _, err := app.Apply(t.Context(), "sha256:0000"); return err },
		"what nothing is in": func() error {
			_, err := app.Extract(t.Context(), "latest", []string{"c"}, "", l.path("out"))
			return err
		},
	} {
		if err := ask(); !errors.Is(err, service.ErrNotFound) && !errors.Is(err, service.ErrUndeclared) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if run := submit(t, app, control.Request{Verb: "drill", Targets: []string{"shop/a"}}); run.Exit != 0 || run.Proof != nil {
		t.Errorf("a drill of one target of two: exit %d, proof %v", run.Exit, run.Proof)
	}
	for _, verb := range []string{"", "maintain", "run"} {
		if _, err := app.Submit(t.Context(), control.Request{Verb: verb}); !errors.Is(err, service.ErrUnsupported) {
			t.Errorf("%q: %v", verb, err)
		}
	}
}

func TestTheConfirmationCountsForItsRepository(t *testing.T) {
	l := newLab(t, "", "a")
	app := l.open(t)
	l.backup(t, app)
	wants := func(app *control.App, asked bool) {
		t.Helper()
		if run := submit(t, app, control.Request{Verb: "check"}); strings.Contains(describe(run), "upkeep.password-not-kept") != asked {
			t.Errorf("asked: %v, want %v: %s", !asked, asked, describe(run))
		}
	}
	wants(app, true)
	if err := app.ConfirmPassword(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants(app, false)
	l.yaml = "repository: {path: elsewhere, password: file:password}\n" + l.yaml
	if err := errors.Join(os.WriteFile(l.path("password"), []byte("x"), 0o600), os.Mkdir(l.path("elsewhere"), 0o700)); err != nil {
		t.Fatal(err)
	}
	wants(l.open(t), true)
}

func TestAuditLogShowsAlteredTables(t *testing.T) {
	l := newLab(t, "", "a")
	app := l.open(t)
	l.backup(t, app)
	records, heads, err := app.VerifyLog(t.Context())
	if err != nil || records < 4 || heads != 1 {
		t.Fatalf("%d records, %d heads, %v", records, heads, err)
	}
	alter(t, filepath.Join(app.StateDir(), "journal.db"), `UPDATE runs SET body = replace(body, '"backup"', '"check"')`)
	_, _, err = app.VerifyLog(t.Context())
	if id, args := service.ErrorID(err); id != "error.history-altered" || engine.Problem(err).Code != engine.ExitFailed {
		t.Errorf("error %v (%v)", err, args)
	}
	if _, _, err = app.VerifyLog(t.Context()); err != nil {
		t.Errorf("once mended: %v", err)
	}
}

func TestAStateDirectoryThatMayNotBeWrittenRefuses(t *testing.T) {
	l := newLab(t, "", "a")
	l.yaml = strings.Replace(l.yaml, "state: state", "state: /sys/upkeep", 1) // not even root may
	_, err := l.open(t).Submit(t.Context(), control.Request{Verb: "check"})
	if id, _ := service.ErrorID(err); id != "error.state-not-writable" {
		t.Errorf("error %v", err)
	}
}

func TestAPanickingSnapshotIsItsTargetsError(t *testing.T) {
	l := newLab(t, "", "a", "b")
	l.kinds["b"] = panicking(l.buckets["b"])
	run := submit(t, l.open(t), control.Request{Verb: "backup"})
	if run.Exit != engine.ExitPartly || !strings.Contains(describe(run), "a:ok, b:unknown(error.unexpected") {
		t.Errorf("exit %d: %s", run.Exit, describe(run))
	}
}

func TestOneTargetThatDoesNotAnswerACheck(t *testing.T) {
	l := newLab(t, "", "a", "b")
	l.kinds["b"] = servicetest.Slow()
	l.opt = func(o *control.Options) { o.Timeout = 50e6 }
	run := submit(t, l.open(t), control.Request{Verb: "check"})
	if run.Exit != engine.ExitPartly || !strings.Contains(describe(run), "a:ok, b:unknown(error.timeout") {
		t.Errorf("exit %d: %s", run.Exit, describe(run))
	}
}

// damage flips a bit in the largest pack of the repository.
func damage(t *testing.T, l *lab) {
	t.Helper()
	var pack string
	var size int64
	err := filepath.WalkDir(l.path("state", "copies"), func(path string, e os.DirEntry, err error) error {
		name, _ := filepath.Rel(l.path("state", "copies"), path)
		if err != nil || e.IsDir() || !strings.HasPrefix(name, "p") {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Size() > size {
			pack, size = path, info.Size()
		}
		return err
	})
	if err != nil || pack == "" {
		t.Fatalf("pack %q, %v", pack, err)
	}
	content, err := os.ReadFile(pack)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/3] ^= 1
	if err := errors.Join(os.Chmod(pack, 0o600), os.WriteFile(pack, content, 0o600)); err != nil {
		t.Fatal(err)
	}
}

func TestADamagedCopyIsFoundAndNotProven(t *testing.T) {
	l := newLab(t, "", "a")
	content := make([]byte, 1<<20)
	rand.Read(content) // never fails; nothing packs it, so it fills its pack
	l.buckets["a"].Put("large", string(content))
	point := l.backup(t, l.open(t))
	damage(t, l)
	app := l.open(t)
	for verb, want := range map[string]string{"verify": "verify.part-damaged", "drill": "drill.not-restorable"} {
		run := submit(t, app, control.Request{Verb: verb})
		if run.Exit != engine.ExitFound || run.Verdict != service.Critical || run.Proof != nil || !strings.Contains(describe(run), want) {
			t.Errorf("%s: exit %d: %s", verb, run.Exit, describe(run))
		}
	}
	if p, err := app.Point(t.Context(), point); err != nil || !p.Verified.IsZero() || !p.Proven.IsZero() {
		t.Errorf("%+v, %v", p, err)
	}
}

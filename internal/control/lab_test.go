package control_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"upkeep/internal/config"
	"upkeep/internal/control"
	"upkeep/internal/database"
	"upkeep/internal/engine"
	"upkeep/internal/journal"
	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

// lab is a declared system of buckets in memory. Every app that it opens is as a
// process of its own.
type lab struct {
	dir     string
	yaml    string
	kinds   map[string]service.Kind // by target; "fake" where nothing is said
	buckets map[string]*servicetest.Bucket
	now     time.Time
	shown   []string // passwords
	mu      sync.Mutex
	watch   func(engine.Event)
	opt     func(*control.Options)
}

// newLab declares targets by name, each a bucket with three objects. more is
// added to the declaration.
func newLab(t *testing.T, more string, targets ...string) *lab {
	t.Helper()
	l := &lab{dir: t.TempDir(), kinds: map[string]service.Kind{}, buckets: map[string]*servicetest.Bucket{},
		now: time.Date(2026, 11, 22, 2, 0, 0, 0, time.Local)}
	l.yaml = "system: shop\nstate: state\nscratch: {dir: scratch}\n" + more + "\nservices:\n"
	for _, name := range targets {
		l.yaml += "  " + name + ": {kind: fake}\n"
		l.buckets[name] = servicetest.NewBucket(3)
		l.kinds[name] = l.buckets[name].Kind()
	}
	return l
}

func (l *lab) config(t *testing.T) *config.Config {
	t.Helper()
	file := filepath.Join(l.dir, "upkeep.yaml")
	if err := os.WriteFile(file, []byte(l.yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	registry := l.registry()
	all, problems := config.Load([]string{file}, registry)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	for i, s := range all[0].Services {
		all[0].Services[i].Kind = l.kinds[s.Name]
	}
	return all[0]
}

func (l *lab) registry() *service.Registry {
	return service.NewRegistry(servicetest.NewBucket(0).Kind())
}

// open opens the system; it is closed when the test ends.
func (l *lab) open(t *testing.T) *control.App {
	t.Helper()
	texts, err := control.Texts(l.registry())
	if err != nil {
		t.Fatal(err)
	}
	opt := control.Options{Kinds: l.registry(), Getenv: func(string) string { return "" }, Now: func() time.Time { return l.now },
		Log: slog.New(slog.DiscardHandler), User: "li", FailOn: service.Critical, Words: texts.Words("en"),
		NewPassword: func(_, password string) { l.shown = append(l.shown, password) },
		Watch: func(e engine.Event) {
			l.mu.Lock() // steps run side by side
			defer l.mu.Unlock()
			if l.watch != nil {
				l.watch(e)
			}
		}}
	if l.opt != nil {
		l.opt(&opt)
	}
	app := control.Open(l.config(t), opt)
	t.Cleanup(func() {
		if err := app.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return app
}

// later lets a day go by: no two points have the same time.
func (l *lab) later() { l.now = l.now.Add(24 * time.Hour) }

func (l *lab) path(name ...string) string {
	return filepath.Join(append([]string{l.dir}, name...)...)
}

func submit(t *testing.T, app *control.App, req control.Request) journal.Run {
	t.Helper()
	run, err := app.Submit(t.Context(), req)
	if err != nil {
		t.Fatalf("%s: %v", req.Verb, err)
	}
	return run
}

// backup takes a point and wants it whole.
func (l *lab) backup(t *testing.T, app *control.App) string {
	t.Helper()
	l.later()
	run := submit(t, app, control.Request{Verb: "backup"})
	if run.Exit != 0 || run.Point != run.ID {
		t.Fatalf("backup ended with %d: %s", run.Exit, describe(run))
	}
	return run.Point
}

// describe is a run in one line: targets and what was found of them.
func describe(run journal.Run) string {
	var parts []string
	for _, t := range run.Targets {
		text := t.Target + ":" + string(t.Verdict)
		if t.Error != nil {
			text += "(" + t.Error.ID + " " + t.Error.Detail + ")"
		}
		for _, f := range t.Findings {
			text += " " + f.ID
		}
		parts = append(parts, text)
	}
	if run.Error != nil {
		parts = append(parts, fmt.Sprintf("error %s: %s", run.Error.ID, run.Error.Detail))
	}
	return strings.Join(parts, ", ")
}

// steps is what became of a job's verbs: "backup 4, verify skipped".
func steps(run journal.Run) string {
	var parts []string
	for _, s := range run.Steps {
		if s.Skipped {
			parts = append(parts, s.Verb+" skipped")
			continue
		}
		parts = append(parts, fmt.Sprintf("%s %d", s.Verb, s.Exit))
	}
	return strings.Join(parts, ", ")
}

// tree is every path below the lab's directory but the declaration.
func (l *lab) tree(t *testing.T) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(l.dir, func(path string, _ os.DirEntry, err error) error {
		if name, _ := filepath.Rel(l.dir, path); name != "." && name != "upkeep.yaml" {
			all = append(all, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

// alter changes a database as somebody would who goes round the program.
func alter(t *testing.T, path, statement string) {
	t.Helper()
	db, err := database.Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// wild is an instance whose Snapshot and Collect panic.
type wild struct{ service.Instance }

func (wild) Snapshot(context.Context, service.Previous, service.Report) (service.Snapshot, error) {
	panic("no view")
}

func (wild) Collect(context.Context, func(*dto.MetricFamily)) error { panic("no samples") }

func panicking(b *servicetest.Bucket) service.Kind {
	open := func(env service.Env, _ struct{}) (wild, error) {
		in, err := b.Kind().Open(env, b.Kind().NewConfig())
		return wild{in}, err
	}
	return service.Define("wild", open, []byte("findings: {}"), nil)
}

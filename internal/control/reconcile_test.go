package control_test

import (
	"strings"
	"testing"

	"upkeep/internal/control"
	"upkeep/internal/engine"
	"upkeep/internal/journal"
)

const rule = `reconcile: [{name: objects, rows: {target: a, query: names}, objects: {target: b, key: "{name}"}}]`

// named returns the keys that a run's findings of this ID name.
func named(run journal.Run, id string) (all []string) {
	for _, target := range run.Targets {
		for _, f := range target.Findings {
			if f.ID == id {
				keys, _ := f.Args["keys"].([]any)
				for _, key := range keys {
					all = append(all, target.Target+"/"+key.(string))
				}
			}
		}
	}
	return all
}

// reread brings a run back from the journal, as whoever asks later sees it.
func reread(t *testing.T, app *control.App, id string) journal.Run {
	t.Helper()
	run, _, err := app.Run(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func TestStoresThatDifferAreNamedThingByThing(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil              func(l *lab)
		id, want           string
		live, drilled      int
		provenNevertheless bool
	}{
		"equal":         {spoil: func(*lab) {}, provenNevertheless: true},
		"an object":     {func(l *lab) { l.buckets["b"].Delete("object-000001") }, "reconcile.missing", "a/object-000001", 1, 1, false},
		"a row":         {func(l *lab) { l.buckets["a"].Delete("object-000002") }, "reconcile.unclaimed", "b/object-000002", 0, 0, true},
		"another size":  {func(l *lab) { l.buckets["b"].Put("object-000000", "x") }, "reconcile.resized", "a/object-000000", 1, 1, false},
		"not one of it": {func(l *lab) { l.buckets["b"].SetDown(true) }, "", "", engine.ExitUnknown, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, rule, "a", "b")
			app := l.open(t)
			down := name == "not one of it"
			if down {
				l.backup(t, app)
			}
			tc.spoil(l)
			live := submit(t, app, control.Request{Verb: "reconcile"})
			if got := strings.Join(named(reread(t, app, live.ID), tc.id), " "); live.Exit != tc.live || got != tc.want {
				t.Errorf("live: exit %d, named %q: %s", live.Exit, got, describe(live))
			}
			if !down {
				l.backup(t, app)
			}
			drill := submit(t, app, control.Request{Verb: "drill"})
			if got := strings.Join(named(reread(t, app, drill.ID), tc.id), " "); drill.Exit != tc.drilled || !down && got != tc.want {
				t.Errorf("drill: exit %d, named %q: %s", drill.Exit, got, describe(drill))
			}
			if (drill.Proof != nil) != tc.provenNevertheless {
				t.Errorf("proof %v", drill.Proof)
			}
			if strings.Contains(l.tree(t), "ledger") {
				t.Errorf("the ledger stays behind: %s", l.tree(t))
			}
		})
	}
}

func TestARestoreIsReconciledToo(t *testing.T) {
	l := newLab(t, rule, "a", "b")
	app := l.open(t)
	point := l.backup(t, app)
	l.buckets["b"].Put("late", "later than the copy")
	l.buckets["a"].Put("late", "later than the copy")
	l.later()
	run := restored(t, app, control.Request{Verb: "restore", Point: point, Targets: []string{"b"}})
	if got := strings.Join(named(reread(t, app, run.ID), "reconcile.missing"), " "); got != "a/late" || run.Exit != 1 {
		t.Errorf("exit %d, named %q: %s", run.Exit, got, describe(run))
	}
}

func TestARuleThatIsNotDeclared(t *testing.T) {
	_, err := newLab(t, rule, "a", "b").open(t).Submit(t.Context(), control.Request{Verb: "reconcile", Targets: []string{"nodes"}})
	wantProblem(t, err, "error.undeclared", engine.ExitUsage)
}

package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"upkeep/internal/control"
	"upkeep/internal/engine"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// garden is a kind whose care can be counted: every weed is a step.
type garden struct {
	weeds   map[string]service.Risk
	pulled  []string
	planted []string
	silent  bool
}

type plot struct{ *garden }

func (plot) Close() error { return nil }

func (p plot) Check(context.Context) (service.Verdict, error) { return service.Verdict{}, nil }

func (p plot) Maintenance(context.Context) (steps []service.Step, err error) {
	if p.silent {
		return nil, service.ErrUnreachable
	}
	for weed, risk := range p.weeds {
		steps = append(steps, service.Step{ID: "pull " + weed, Op: "pull", Args: json.RawMessage(`"` + weed + `"`), Risk: risk,
			Seen: "rooted", Title: service.Message{ID: "pull", Args: service.Args{"weed": weed}}})
	}
	slices.SortFunc(steps, func(a, b service.Step) int { return strings.Compare(a.ID, b.ID) })
	return steps, nil
}

func (p plot) Do(_ context.Context, s service.Step, _ service.Report) (service.Outcome, error) {
	var weed string
	if err := json.Unmarshal(s.Args, &weed); err != nil || s.Op == "pull" && s.Seen != "rooted" {
		return service.Outcome{}, errors.New("not the step that was planned")
	}
	if s.Op == "plant" {
		p.planted = append(p.planted, weed)
		return service.Outcome{}, nil
	}
	p.pulled = append(p.pulled, weed)
	delete(p.weeds, weed)
	return service.Outcome{Result: json.RawMessage(`"root of ` + weed + `"`)}, nil
}

func (p plot) Undo(_ context.Context, s service.Step, done json.RawMessage) ([]service.Step, error) {
	return []service.Step{{ID: "back " + string(s.Args), Op: "plant", Args: done, Risk: service.Reversible,
		Title: service.Message{ID: "pull", Args: service.Args{"weed": "again"}}}}, nil
}

func (g *garden) kind() service.Kind {
	return service.Define("garden", func(service.Env, struct{}) (plot, error) { return plot{g}, nil },
		[]byte("messages:\n  pull: {en: \"pull {{.weed}}\", zh: \"拔除 {{.weed}}\"}\n"), nil)
}

func tended(t *testing.T, jobs string, weeds map[string]service.Risk) (*lab, *garden) {
	t.Helper()
	l := newLab(t, jobs, "a")
	g := &garden{weeds: weeds}
	l.kinds["a"] = g.kind()
	return l, g
}

func TestCareIsPlannedApprovedDoneAndTakenBack(t *testing.T) {
	l, g := tended(t, "", map[string]service.Risk{"nettle": service.Harmless, "ivy": service.Destructive})
	app := l.open(t)
	req := control.Request{Verb: "maintain", Targets: []string{"a"}}
	plan := planned(t, app, req)
	if len(plan.Steps) != 2 || plan.Steps[0].Op != "garden.pull" || plan.Steps[0].Title.ID != "garden.pull" || len(g.pulled) != 0 {
		t.Fatalf("planned %+v, pulled %v", plan.Steps, g.pulled)
	}
	run, err := app.Apply(t.Context(), plan.Digest)
	if err != nil || run.Exit != 0 || strings.Join(g.pulled, " ") != "ivy nettle" {
		t.Fatalf("exit %d, %v: pulled %v", run.Exit, err, g.pulled)
	}
	if none, err := app.MakePlan(t.Context(), req); err != nil || len(none.Steps) != 0 {
		t.Errorf("afterwards %v, %v is due", none.Steps, err)
	}
	l.later()
	back, err := app.Undo(t.Context(), run.ID)
	if err != nil {
		t.Fatal(err)
	}
	if run := restored(t, app, back); run.Exit != 0 || strings.Join(g.planted, ",") != "root of nettle,root of ivy" {
		t.Errorf("exit %d: planted %v", run.Exit, g.planted)
	}
}

func TestCareThatChangedSinceIsStale(t *testing.T) {
	l, g := tended(t, "", map[string]service.Risk{"nettle": service.Harmless})
	app := l.open(t)
	plan := planned(t, app, control.Request{Verb: "maintain"})
	g.weeds["ivy"] = service.Destructive
	_, err := app.Apply(t.Context(), plan.Digest)
	wantProblem(t, err, "error.stale", engine.ExitRefused)
	if len(g.pulled) != 0 {
		t.Errorf("pulled %v", g.pulled)
	}
}

func TestCareOfATargetThatCannotTellIsNoPlan(t *testing.T) {
	l, g := tended(t, "", nil)
	g.silent = true
	_, err := l.open(t).MakePlan(t.Context(), control.Request{Verb: "maintain"})
	wantProblem(t, err, "error.unreachable", engine.ExitUnknown)
}

func TestAJobDoesOnlyTheCareThatNeedsNoPerson(t *testing.T) {
	weeds := func() map[string]service.Risk {
		return map[string]service.Risk{"daisy": service.Reversible, "ivy": service.Destructive, "nettle": service.Harmless, "root": service.Disruptive}
	}
	for approve, want := range map[string]string{"": "daisy nettle", "approve: [garden.pull], ": "daisy ivy nettle root"} {
		l, g := tended(t, "jobs: {weekly: {"+approve+"do: [maintain]}}", weeds())
		app := l.open(t)
		run, err := app.RunJob(t.Context(), "weekly")
		if err != nil || run.Exit != 0 || strings.Join(g.pulled, " ") != want {
			t.Fatalf("%q: exit %d, %v: pulled %v", approve, run.Exit, err, g.pulled)
		}
		_, children, err := app.Run(t.Context(), run.ID)
		if err != nil || len(children) != 1 || children[0].Parent != run.ID {
			t.Fatalf("%q: %+v, %v", approve, children, err)
		}
		plans, err := app.Plans(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		waiting := slices.DeleteFunc(plans, func(p journal.Plan) bool { return p.Applied != "" })
		if approve != "" {
			if len(waiting) != 0 || strings.Contains(describe(children[0]), "waiting") {
				t.Errorf("with everything approved: %d plans wait, %s", len(waiting), describe(children[0]))
			}
			continue
		}
		if len(waiting) != 1 || len(waiting[0].Steps) != 2 || !strings.Contains(describe(children[0]), "maintain.waiting") {
			t.Fatalf("waiting %+v; %s", waiting, describe(children[0]))
		}
		if _, err := app.Approve(t.Context(), waiting[0].Digest); err != nil {
			t.Fatal(err)
		}
		if run, err := app.Apply(t.Context(), waiting[0].Digest); err != nil || run.Exit != 0 || len(g.weeds) != 0 {
			t.Errorf("exit %d, %v: left %v", run.Exit, err, g.weeds)
		}
	}
}

func TestAJobWhereNothingIsDueEndsWell(t *testing.T) {
	l, _ := tended(t, "jobs: {weekly: {do: [maintain]}}", nil)
	run, err := l.open(t).RunJob(t.Context(), "weekly")
	if err != nil || run.Exit != 0 || steps(run) != "maintain 0" {
		t.Errorf("exit %d, %v: %s", run.Exit, err, steps(run))
	}
}

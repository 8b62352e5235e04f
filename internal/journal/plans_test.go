package journal_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"upkeep/internal/journal"
	"upkeep/internal/service"
)

func plan(op string) journal.Plan {
	p := journal.Plan{System: "shop", Verb: "maintain", Args: json.RawMessage(`{"targets": ["db"], "all": true}`), Config: "sha256:1",
		Steps: []service.Step{{ID: "1", Target: "db", Op: op, Args: json.RawMessage(`{"b":1.50,"a":"<x>"}`), Seen: "15.18/7", Risk: service.Harmless,
			Title: service.Message{ID: "postgres.vacuum", Args: service.Args{"table": "orders", "bytes": int64(791674880), "share": 0.43}}}},
		Made: start, MadeBy: "ann"}
	p.Digest = journal.Digest(p)
	return p
}

func TestADigestNamesWhatAPlanDoes(t *testing.T) {
	base := plan("vacuum")
	if !strings.HasPrefix(base.Digest, "sha256:") || len(base.Digest) != len("sha256:")+64 {
		t.Fatalf("digest is %q", base.Digest)
	}
	same := map[string]func(*journal.Plan){
		"who and when":           func(p *journal.Plan) { p.Made, p.MadeBy, p.Approved, p.By = start.Add(time.Hour), "bob", start, "eve" },
		"order of keys, spaces":  func(p *journal.Plan) { p.Args = json.RawMessage(`{ "all":true,"targets":["db"] }`) },
		"keys of a step's args":  func(p *journal.Plan) { p.Steps[0].Args = json.RawMessage(`{"a":"<x>", "b":1.50}`) },
		"type of a title's args": func(p *journal.Plan) { p.Steps[0].Title.Args["bytes"] = float64(791674880) },
	}
	for name, change := range same {
		p := plan("vacuum")
		change(&p)
		if journal.Digest(p) != base.Digest {
			t.Errorf("%s changes the digest", name)
		}
	}
	other := map[string]func(*journal.Plan){
		"system": func(p *journal.Plan) { p.System = "x" },
		"verb":   func(p *journal.Plan) { p.Verb = "x" },
		"args":   func(p *journal.Plan) { p.Args = json.RawMessage(`{"targets":["db"],"all":false}`) },
		"config": func(p *journal.Plan) { p.Config = "sha256:2" },
		"op":     func(p *journal.Plan) { p.Steps[0].Op = "x" },
		"seen":   func(p *journal.Plan) { p.Steps[0].Seen = "x" },
		"risk":   func(p *journal.Plan) { p.Steps[0].Risk = service.Destructive },
		"steps":  func(p *journal.Plan) { p.Steps = append(p.Steps, p.Steps[0]) },
		"order":  func(p *journal.Plan) { p.Args = json.RawMessage(`{"targets":["db","cache"],"all":true}`) },
	}
	seen := map[string]string{base.Digest: "base"}
	for name, change := range other {
		p := plan("vacuum")
		change(&p)
		if twin, known := seen[journal.Digest(p)]; known {
			t.Errorf("%s has the digest of %s", name, twin)
		}
		seen[journal.Digest(p)] = name
	}
}

func TestAPlanIsApprovedAndAppliedOnce(t *testing.T) {
	j, path := open(t)
	p := plan("vacuum")
	must(t, j.SavePlan(t.Context(), p))
	must(t, j.Approve(t.Context(), p.Digest, "bob"))
	if err := j.Approve(t.Context(), p.Digest, "eve"); !errors.Is(err, service.ErrRefused) {
		t.Errorf("second approval: %v", err)
	}
	must(t, j.SavePlan(t.Context(), p)) // made again while it waits: still approved
	must(t, j.Applied(t.Context(), p.Digest, "run-1"))
	if err := reopen(t, path).Applied(t.Context(), p.Digest, "run-2"); !errors.Is(err, service.ErrRefused) {
		t.Errorf("applied twice: %v", err)
	}
	if err := j.Approve(t.Context(), p.Digest, "eve"); !errors.Is(err, service.ErrRefused) {
		t.Errorf("approved after it was applied: %v", err)
	}
	got, err := j.Plan(t.Context(), p.Digest[:15])
	must(t, err)
	if got.By != "bob" || got.Approved.IsZero() || got.Applied != "run-1" || journal.Digest(got) != p.Digest {
		t.Errorf("got %+v", got)
	}
}

func TestAnAppliedPlanMayBeMadeAnew(t *testing.T) {
	j, _ := open(t)
	p := plan("vacuum")
	must(t, j.SavePlan(t.Context(), p))
	must(t, j.Approve(t.Context(), p.Digest, "bob"))
	must(t, j.Applied(t.Context(), p.Digest, "run-1"))
	p.Made, p.Approved, p.By = start.Add(time.Hour), start, "forged"
	must(t, j.SavePlan(t.Context(), p))
	got, err := j.Plan(t.Context(), p.Digest)
	must(t, err)
	if !got.Approved.IsZero() || got.By != "" || got.Applied != "" || !got.Made.Equal(p.Made) {
		t.Errorf("a new plan is %+v", got)
	}
	must(t, j.Applied(t.Context(), p.Digest, "run-2"))
}

func TestAPlanIsWhatItsDigestSays(t *testing.T) {
	j, _ := open(t)
	altered := plan("vacuum")
	altered.Steps[0].Risk = service.ReadOnly
	if err := j.SavePlan(t.Context(), altered); err == nil {
		t.Error("a plan under another plan's digest was saved")
	}
	vast := plan("vacuum")
	vast.Steps[0].Title.Args["bytes"] = int64(1<<53 + 1) // JSON reads it back as 2^53
	vast.Digest = journal.Digest(vast)
	if err := j.SavePlan(t.Context(), vast); err == nil {
		t.Error("a plan was saved whose digest does not survive")
	}
}

func TestPlansAreFound(t *testing.T) {
	j, _ := open(t)
	first, second := plan("vacuum"), plan("reindex")
	second.Made = start.Add(time.Hour)
	must(t, j.SavePlan(t.Context(), second))
	must(t, j.SavePlan(t.Context(), first))
	all, err := j.Plans(t.Context(), "shop")
	must(t, err)
	if len(all) != 2 || all[0].Digest != second.Digest || all[1].Digest != first.Digest {
		t.Errorf("got %v", all)
	}
	if other, err := j.Plans(t.Context(), "other"); err != nil || len(other) != 0 {
		t.Errorf("got %v, %v", other, err)
	}
	hex := strings.TrimPrefix(first.Digest, "sha256:")
	for _, id := range []string{first.Digest, hex, hex[:12]} {
		if got, err := j.Plan(t.Context(), id); err != nil || got.Digest != first.Digest {
			t.Errorf("%s: %v", id, err)
		}
	}
	for _, id := range []string{"", "sha256:", "nothing"} {
		if _, err := j.Plan(t.Context(), id); !errors.Is(err, service.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
	for name, err := range map[string]error{"approve": j.Approve(t.Context(), "x", "y"), "apply": j.Applied(t.Context(), "x", "y")} {
		if !errors.Is(err, service.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

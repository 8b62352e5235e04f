package servicetest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"upkeep/internal/service"
)

// curates holds care for data to its contract: what is planned is said twice alike, done, found
// done by a second call, and taken back to where it began. The fixture needs work for at least one
// sort of it.
func (s *suite) curates(t *testing.T) {
	planned := 0
	for _, care := range []service.Care{service.Repair, service.Merge, service.Dedup, service.Convert} {
		t.Run(string(care), func(t *testing.T) {
			c := curation{suite: s, in: s.open(t), care: care}
			within(t, patience, func(ctx context.Context) { planned += c.try(ctx, t) })
		})
	}
	if planned == 0 {
		t.Error("nothing was planned: the fixture needs work for one sort of care")
	}
	within(t, patience, func(ctx context.Context) {
		_, err := capable[service.Curator](t, s.open(t)).Curate(ctx, service.Work{Care: "polish"})
		if !errors.Is(err, service.ErrUnsupported) {
			t.Errorf("care that nobody knows: %v, not %v", err, service.ErrUnsupported)
		}
	})
}

// curation is one sort of care for one component.
type curation struct {
	*suite
	in   service.Instance
	care service.Care
}

// try returns how many steps were planned; a sort of care that the component does not have, or
// that is refused for what it holds, has none.
func (c curation) try(ctx context.Context, t *testing.T) int {
	t.Helper()
	steps := c.plan(ctx, t)
	before := c.planned(t, steps)
	if again := c.planned(t, c.plan(ctx, t)); again != before {
		t.Errorf("two plans for one state: %q, then %q", before, again)
	}
	var back []service.Step
	for _, step := range steps {
		back = slices.Concat(c.done(ctx, t, step), back)
	}
	for _, step := range back {
		c.done(ctx, t, step)
	}
	if after := c.planned(t, c.plan(ctx, t)); after != before {
		t.Errorf("taken back, it is due to do %q, not %q", after, before)
	}
	return len(steps)
}

func (c curation) plan(ctx context.Context, t *testing.T) []service.Step {
	t.Helper()
	steps, err := capable[service.Curator](t, c.in).Curate(ctx, service.Work{Care: c.care})
	if err != nil && !errors.Is(err, service.ErrUnsupported) && !errors.Is(err, service.ErrRefused) {
		t.Fatalf("plan: %v", err)
	}
	return steps
}

// done does a step twice, as a run does that was killed before it could say that it had, and
// returns what takes it back.
func (c curation) done(ctx context.Context, t *testing.T, step service.Step) []service.Step {
	t.Helper()
	doer := capable[service.Doer](t, c.in)
	out, err := doer.Do(ctx, step, service.Report{})
	if err != nil {
		t.Fatalf("do %s: %v", step.ID, err)
	}
	again, err := doer.Do(ctx, step, service.Report{})
	if err != nil {
		t.Fatalf("do %s once more: %v", step.ID, err)
	}
	back := c.back(ctx, t, step, out.Result)
	if twice := c.back(ctx, t, step, again.Result); c.planned(t, back) != c.planned(t, twice) {
		t.Errorf("%s, done twice, is taken back by %q, not %q", step.ID, c.planned(t, twice), c.planned(t, back))
	}
	return back
}

func (c curation) back(ctx context.Context, t *testing.T, step service.Step, result json.RawMessage) []service.Step {
	t.Helper()
	steps, err := capable[service.Undoer](t, c.in).Undo(ctx, step, result)
	if err != nil && !errors.Is(err, service.ErrUnsupported) {
		t.Fatalf("list what takes %s back: %v", step.ID, err)
	}
	return steps
}

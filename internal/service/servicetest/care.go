package servicetest

import (
	"context"
	"strings"
	"testing"

	"upkeep/internal/catalogue"
	"upkeep/internal/service"
)

// maintains holds the planning of care to its contract: it changes nothing, says the
// same twice, and what it plans can be told apart, judged and read.
func (s *suite) maintains(t *testing.T) {
	in := s.open(t)
	maintainer := capable[service.Maintainer](t, in)
	if _, err := service.As[service.Doer](in); err != nil {
		t.Errorf("it plans steps that it cannot do: %v", err)
	}
	within(t, patience, func(ctx context.Context) {
		before := s.identity(ctx, t, in)
		var plans [2]string
		for i := range plans {
			steps, err := maintainer.Maintenance(ctx)
			if err != nil {
				t.Fatalf("plan: %v", err)
			}
			plans[i] = s.planned(t, steps)
		}
		if plans[0] != plans[1] {
			t.Errorf("two plans for one state: %q, then %q", plans[0], plans[1])
		}
		if before != s.identity(ctx, t, in) {
			t.Error("planning changed the identity of the target")
		}
	})
}

// planned checks every step and lists their IDs.
func (s *suite) planned(t *testing.T, steps []service.Step) string {
	t.Helper()
	c, err := words(s.kind)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	var ids []string
	for _, step := range steps {
		if step.ID == "" || step.Op == "" || step.Risk == "" || known[step.ID] {
			t.Errorf("step %q has no ID of its own, no operation or no risk: %+v", step.ID, step)
		}
		known[step.ID] = true
		ids = append(ids, step.ID)
		for _, lang := range catalogue.Languages() {
			id := s.kind.Name() + "." + strings.TrimPrefix(step.Title.ID, s.kind.Name()+".")
			if title := c.Words(lang).Message(id, step.Title.Args); title == "!"+id || strings.Contains(title, "?") {
				t.Errorf("step %s has no whole title in %s: %s", step.ID, lang, title)
			}
		}
	}
	return strings.Join(ids, "\n")
}

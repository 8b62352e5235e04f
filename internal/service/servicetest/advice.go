package servicetest

import (
	"context"
	"testing"

	"upkeep/internal/service"
)

// advises holds advice to its rules: it has words, repeats itself while nothing changes, and
// gives no number where an input is not known.
func (s *suite) advises(t *testing.T) {
	in, err := service.As[service.Advisor](s.open(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	first, err := in.Advise(ctx)
	if err != nil {
		t.Fatalf("advise: %v", err)
	}
	second, err := in.Advise(ctx)
	if err != nil || len(second) != len(first) {
		t.Fatalf("advise again: %d in the place of %d, %v", len(second), len(first), err)
	}
	var findings []service.Finding
	for i, a := range first {
		if a.ID != second[i].ID {
			t.Errorf("advice is %s, then %s", a.ID, second[i].ID)
		}
		unknown := a.Confidence() == service.NotKnown
		if unknown != (a.Severity == service.Unknown) || unknown && a.Proposed != nil {
			t.Errorf("%s is %s with %s inputs and proposes %v", a.ID, a.Severity, a.Confidence(), a.Proposed)
		}
		if len(a.Inputs) == 0 || !unknown && len(a.Bounds) == 0 {
			t.Errorf("%s does not say what it follows from: %+v", a.ID, a)
		}
		findings = append(findings, a.Finding())
	}
	s.spoken(t, findings)
}

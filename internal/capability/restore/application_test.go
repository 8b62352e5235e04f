package restore

import (
	"context"
	"errors"
	"slices"
	"testing"

	"upkeep/internal/service"
)

// stubborn is a manager of services of which one does not stop.
type stubborn struct {
	service.Instance
	unwilling string
	did       []string
}

func (s *stubborn) Stop(_ context.Context, unit string) error {
	s.did = append(s.did, "stop "+unit)
	if unit == s.unwilling {
		return errors.New("it does not obey")
	}
	return nil
}

func (s *stubborn) Start(_ context.Context, unit string) error {
	s.did = append(s.did, "start "+unit)
	return nil
}

func (s *stubborn) Users(context.Context, []string) ([]string, error) { return nil, nil }

func TestWhoDoesNotStopIsNotWrittenUnder(t *testing.T) {
	in := &stubborn{unwilling: "worker"}
	step := Application{}.step(opHalt, "stack", []string{"web", "worker", "beat"}, service.Disruptive)
	if _, err := (Application{}).Do(t.Context(), service.Task{Step: step, Instance: in}); err == nil {
		t.Error("a service that does not stop counts as stopped")
	}
	want := []string{"stop web", "stop worker", "start worker", "start web"}
	if !slices.Equal(in.did, want) {
		t.Errorf("did %q, want %q: what had stopped must run again", in.did, want)
	}
	if err := (Application{}).Halted(map[string]service.Done{step.ID: {Failed: true}}); !errors.Is(err, service.ErrRefused) {
		t.Errorf("after a failed halt: %v", err)
	}
	if err := (Application{}).Halted(map[string]service.Done{step.ID: {}}); err != nil {
		t.Errorf("after a halt: %v", err)
	}
}

func TestServicesStartInTheReverseOrder(t *testing.T) {
	in := &stubborn{}
	halt := Application{}.step(opHalt, "stack", []string{"web", "worker"}, service.Disruptive)
	releases, err := Application{}.Releases([]service.Step{halt})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range append([]service.Step{halt}, releases...) {
		if _, err := (Application{}).Do(t.Context(), service.Task{Step: step, Instance: in}); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"stop web", "stop worker", "start worker", "start web"}; !slices.Equal(in.did, want) {
		t.Errorf("did %q, want %q", in.did, want)
	}
}

package restore

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"upkeep/internal/config"
	"upkeep/internal/inventory"
	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
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

// ailing has a fault until it was looked at so many times.
type ailing struct {
	service.Instance
	looks, until int
}

func (a *ailing) Check(context.Context) (v service.Verdict, err error) {
	if a.looks++; a.looks < a.until {
		v.Crit("fever", "", nil)
	}
	return v, nil
}

func TestOnlyWhatIsNotAcceptedIsWaitedFor(t *testing.T) {
	kind, now := servicetest.NewBucket(0).Kind(), time.Now()
	cfg := &config.Config{Services: []config.Service{{Name: "api", Kind: kind, Config: kind.NewConfig()}}}
	app := Application{Inventory: inventory.New(cfg, func(string) service.Env { return service.Env{} }), Patience: time.Minute,
		Now: func() time.Time { return now }}
	step := app.step(opHealthy, "api", nil, service.ReadOnly)
	look := func(until int) int {
		t.Helper()
		in := &ailing{until: until}
		if _, err := app.Do(t.Context(), service.Task{Step: step, Instance: in}); err != nil {
			t.Fatal(err)
		}
		return in.looks
	}
	if n := look(2); n != 2 {
		t.Errorf("a target that is well at the second look was looked at %d times", n)
	}
	cfg.Accept = []config.Acceptance{{Finding: kind.Name() + ".fever", Until: config.Date{Time: now.Add(time.Hour)}, Why: "known"}}
	if n := look(3); n != 1 {
		t.Errorf("what is accepted was waited for: %d looks", n)
	}
	cfg.Accept[0].Until.Time = now.Add(-time.Hour)
	if n := look(2); n != 2 {
		t.Errorf("an acceptance that has run out still counts: %d looks", n)
	}
}

// Package servicetest holds what every kind's tests need: an environment on this
// machine (Env), a simple store for copies (Store), the conformance suite (Run)
// and partners that misbehave on purpose (Bucket, Faulty, Slow). It is imported by
// tests only.
//
// A kind's test starts its real component and hands it to the suite:
//
//	func TestConformance(t *testing.T) { servicetest.Run(t, redis.Kind, startRedis) }
package servicetest

import (
	"context"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"upkeep/internal/service"
)

// Fixture is one component with content in it, and how to treat it. Config is
// required; Env is taken from Env(t) when it is left out.
type Fixture struct {
	Env    service.Env
	Config any // of the kind: a pointer made by NewConfig
	// Damage changes one thing in the content of a restored scratch.
	Damage func(t *testing.T, scratch service.Instance)
	// Stop takes the component away, Start brings it back with its content.
	Stop, Start func(t *testing.T)
	// Hanging is a configuration whose component takes the call and never answers.
	Hanging any
	// Only is a selection that names a part of the content.
	Only string
}

// Run holds the kind to the contract of package service, for whatever capabilities
// it has. start is called once; it may use t.Cleanup. Content must not change
// while the suite runs.
func Run(t *testing.T, kind service.Kind, start func(t *testing.T) Fixture) {
	t.Run("words", func(t *testing.T) { checkWords(t, kind) })
	t.Run("component", func(t *testing.T) {
		s := &suite{kind: kind, Fixture: start(t)}
		if s.Env.Dir == nil {
			s.Env = Env(t)
		}
		started := goleak.IgnoreCurrent()
		s.run(t)
		// A component that was started again has a new keeper; it ends with the test.
		if err := goleak.Find(started, goleak.IgnoreAnyFunction("upkeep/lab.(*process).wait")); err != nil {
			t.Errorf("goroutines outlive their instance: %v", err)
		}
	})
}

// Limits of time. They are generous: a slow machine is no fault of the kind.
const (
	patience = 2 * time.Minute  // for work
	promptly = 15 * time.Second // for giving up
)

// suite is one run over one component.
type suite struct {
	kind service.Kind
	Fixture
}

// run tries what the kind offers and the fixture makes possible. What it does not
// offer is no part of its contract.
func (s *suite) run(t *testing.T) {
	offers := s.kind.Offers
	for _, part := range []struct {
		name string
		try  func(t *testing.T)
		when bool
	}{
		{"opening never connects", s.opens, true},
		{"check", s.checks, offers("check")},
		{"collect", s.collects, offers("collect")},
		{"tune", s.advises, offers("tune")},
		{"maintain", s.maintains, offers("maintain")},
		{"ends with its context", s.ends, true},
		{"gives up on a component that hangs", s.hangs, s.Hanging != nil},
		{"backup", s.backs, offers("backup")},
		{"drill", s.drills, offers("drill")},
		{"damaged copies", s.damaged, offers("drill")},
		{"sweep", s.sweeps, offers("drill")},
		{"selection", s.selects, s.Only != ""},
		{"extract", s.extracts, offers("extract")},
		{"curate", s.curates, offers("curate")},
	} {
		if part.when {
			t.Run(part.name, part.try)
		}
	}
}

// open returns an instance that is closed when the test ends.
func (s *suite) open(t *testing.T) service.Instance {
	t.Helper()
	return s.openWith(t, s.Env, s.Config)
}

func (s *suite) openWith(t *testing.T, env service.Env, config any) service.Instance {
	t.Helper()
	in, err := s.kind.Open(env, config)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { closed(t, in) })
	return in
}

// closed closes twice: the second Close must be harmless.
func closed(t *testing.T, in service.Instance) {
	t.Helper()
	if err := in.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := in.Close(); err != nil {
		t.Errorf("close for the second time: %v", err)
	}
}

// capable returns in as T.
func capable[T any](t *testing.T, in service.Instance) T {
	t.Helper()
	able, err := service.As[T](in)
	if err != nil {
		t.Fatal(err)
	}
	return able
}

// within fails the test with the stacks of all goroutines when do takes longer
// than limit. do gets a context that ends at half of the limit.
func within(t *testing.T, limit time.Duration, do func(ctx context.Context)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit/2)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do(ctx)
	}()
	select {
	case <-done:
	case <-time.After(limit):
		stacks := make([]byte, 1<<20)
		t.Fatalf("not done after %s:\n%s", limit, stacks[:runtime.Stack(stacks, true)])
	}
}

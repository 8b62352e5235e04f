package servicetest

import (
	"context"
	"os"
	"slices"
	"testing"

	"upkeep/internal/service"
)

// scratch returns an empty sibling that is closed when the test ends, or skips
// the test. It is checked that Close leaves nothing.
func (s *suite) scratch(t *testing.T, in service.Instance, c service.Copy) service.Instance {
	t.Helper()
	driller := capable[service.Driller](t, in)
	place := scratchPlace(t, s.Env)
	before := names(t, place)
	var scratch service.Instance
	within(t, patience, func(ctx context.Context) {
		var err error
		if scratch, err = driller.Scratch(ctx, c, service.Report{}); err != nil {
			t.Errorf("scratch: %v", err)
		}
	})
	if scratch == nil {
		t.FailNow()
	}
	t.Cleanup(func() {
		closed(t, scratch)
		if after := names(t, place); !slices.Equal(before, after) {
			t.Errorf("a closed scratch left %q", after)
		}
	})
	return scratch
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// drills proves a copy as the product does, with the component away.
func (s *suite) drills(t *testing.T) {
	in, c := s.copied(t)
	capable[service.Driller](t, in)
	if s.Stop != nil {
		s.Stop(t)
		defer s.Start(t) // not a Cleanup: it may wait with t.Context(), which has ended by then
	}
	scratch := s.scratch(t, in, c)
	restorer, verifier := capable[service.Restorer](t, scratch), capable[service.Verifier](t, scratch)
	within(t, patience, func(ctx context.Context) {
		if id := s.identity(ctx, t, scratch); id != "" && id == c.Manifest().Identity {
			t.Errorf("the scratch has the identity of the target: %s", id)
		}
		s.refused(ctx, t, verifier, c, "an empty scratch")
		for range 2 {
			if err := restorer.Restore(ctx, c, service.Selection{}, service.Report{}); err != nil {
				t.Fatalf("restore: %v", err)
			}
			s.equal(ctx, t, verifier, c)
		}
	})
	if t.Failed() {
		return
	}
	s.ended(t, scratch, c)
	if s.Damage == nil {
		t.Log("the fixture cannot damage a scratch")
		return
	}
	s.Damage(t, scratch)
	within(t, patience, func(ctx context.Context) { s.refused(ctx, t, verifier, c, "a damaged scratch") })
}

// ended calls what reads the copy with a context that has ended.
func (s *suite) ended(t *testing.T, scratch service.Instance, c service.Copy) {
	t.Helper()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, name := range []string{"verify", "restore"} {
		within(t, promptly, func(context.Context) {
			if calls(scratch, c)[name](over) == nil {
				t.Errorf("%s: no error although the context had ended", name)
			}
		})
	}
	within(t, patience, func(ctx context.Context) { // an interrupted restore is repeated
		if err := calls(scratch, c)["restore"](ctx); err != nil {
			t.Errorf("restore after an interrupted one: %v", err)
		}
	})
}

// equal fails unless the scratch is said to hold what the copy promises.
func (s *suite) equal(ctx context.Context, t *testing.T, verifier service.Verifier, c service.Copy) {
	t.Helper()
	v, err := verifier.Verify(ctx, c, service.Report{})
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	for _, f := range v.Findings {
		t.Errorf("verify finds %s %s %s %v in what was just restored", f.Severity, f.ID, f.Subject, f.Args)
	}
	s.spoken(t, v.Findings)
	for name := range c.Manifest().Counts {
		if _, compared := v.Facts[name]; !compared {
			t.Errorf("the manifest counts %s, and verify does not say how many it compared", name)
		}
	}
}

// refused fails if verify says that all is well.
func (s *suite) refused(ctx context.Context, t *testing.T, verifier service.Verifier, c service.Copy, what string) {
	t.Helper()
	v, err := verifier.Verify(ctx, c, service.Report{})
	s.spoken(t, v.Findings)
	s.explained(t, err)
	if err == nil && service.Worst(v.Findings) != service.Critical {
		t.Errorf("verify finds %s to be %s", what, service.Worst(v.Findings))
	}
}

// damaged restores copies with a cut, a changed and a lost part. Each must be
// refused or found.
func (s *suite) damaged(t *testing.T) {
	in, c := s.copied(t)
	capable[service.Driller](t, in)
	for _, name := range c.samples() {
		for fault, damage := range map[string]func(service.Copy, string) service.Copy{"truncated": Truncate, "flipped": Flip, "lost": Lose} {
			t.Run(fault, func(t *testing.T) { s.unproven(t, in, damage(c, name), name) })
		}
	}
}

func (s *suite) unproven(t *testing.T, in service.Instance, c service.Copy, name string) {
	driller := capable[service.Driller](t, in)
	within(t, patience, func(ctx context.Context) {
		scratch, err := driller.Scratch(ctx, c, service.Report{})
		if err != nil {
			return // refused at once
		}
		defer closed(t, scratch)
		if err := calls(scratch, c)["restore"](ctx); err != nil {
			s.explained(t, err)
			return
		}
		s.refused(ctx, t, scratch.(service.Verifier), c, "a copy without all of part "+name)
	})
}

// sweeps leaves a scratch behind, as a killed run does, and lets a later run clean
// up.
func (s *suite) sweeps(t *testing.T) {
	in, c := s.copied(t)
	driller := capable[service.Driller](t, in)
	place := scratchPlace(t, s.Env)
	before := names(t, place)
	within(t, patience, func(ctx context.Context) {
		if err := driller.Sweep(ctx); err != nil {
			t.Errorf("sweep with nothing to do: %v", err)
		}
		left, err := driller.Scratch(ctx, c, service.Report{})
		if err != nil {
			t.Errorf("scratch: %v", err)
			return
		}
		defer left.Close() // what the process itself holds; its directory is gone by then
		later := s.openWith(t, Later(t, s.Env), s.Config)
		if err := later.(service.Driller).Sweep(ctx); err != nil {
			t.Errorf("sweep: %v", err)
		}
		if after := names(t, place); !slices.Equal(before, after) {
			t.Errorf("a sweep left %q", after)
		}
	})
}

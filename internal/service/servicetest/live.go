package servicetest

import (
	"context"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"upkeep/internal/service"
)

func (s *suite) opens(t *testing.T) {
	if s.Stop != nil {
		s.Stop(t)
		defer s.Start(t)
	}
	in := s.open(t)
	if s.Stop == nil {
		return
	}
	checker := capable[service.Checker](t, in)
	within(t, patience, func(ctx context.Context) {
		v, err := checker.Check(ctx)
		s.spoken(t, v.Findings)
		s.explained(t, err)
		if err == nil && service.Worst(v.Findings) == service.OK {
			t.Error("check says ok while the component is away")
		}
	})
}

func (s *suite) identity(ctx context.Context, t *testing.T, in service.Instance) string {
	t.Helper()
	who, able := in.(service.Identifier)
	if !able {
		return ""
	}
	id, err := who.Identity(ctx)
	if err != nil || id == "" {
		t.Errorf("identity %q, %v", id, err)
	}
	return id
}

func (s *suite) checks(t *testing.T) {
	in := s.open(t)
	checker := capable[service.Checker](t, in)
	within(t, patience, func(ctx context.Context) {
		before := s.identity(ctx, t, in)
		var first, second service.Verdict
		for _, v := range []*service.Verdict{&first, &second} {
			var err error
			if *v, err = checker.Check(ctx); err != nil {
				t.Fatalf("check: %v", err)
			}
			s.spoken(t, v.Findings)
		}
		if before != s.identity(ctx, t, in) {
			t.Error("check changed the identity of the target")
		}
		if a, b := judgements(first), judgements(second); a != b {
			t.Errorf("two checks of one thing found %q, then %q", a, b)
		}
	})
}

// judgements are findings without their measurements, which move by themselves.
func judgements(v service.Verdict) string {
	text := ""
	for _, f := range v.Findings {
		text += string(f.Severity) + " " + f.ID + " " + f.Subject + "\n"
	}
	return text
}

func (s *suite) collects(t *testing.T) {
	collector := capable[service.Collector](t, s.open(t))
	within(t, patience, func(ctx context.Context) {
		families := make(chan *dto.MetricFamily, 1000)
		go func() {
			defer close(families)
			err := collector.Collect(ctx, func(f *dto.MetricFamily) { families <- f })
			if err != nil {
				t.Errorf("collect: %v", err)
			}
		}()
		var all []*dto.MetricFamily
		for f := range families {
			all = append(all, f)
			if f.GetName() == "" || len(f.Metric) == 0 {
				t.Errorf("metric family %q has %d samples", f.GetName(), len(f.Metric))
			}
		}
		if len(all) == 0 {
			t.Error("nothing was collected")
		}
		if known := append(s.kind.Metrics(), service.DeclaredMetrics(s.Config)...); len(known) > 0 || *learn {
			Catalogued(t, known, all)
		}
	})
}

// ends calls everything with a context that has ended. Nothing may hang, and
// nothing may say that it was done.
func (s *suite) ends(t *testing.T) {
	in := s.open(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range calls(in, nil) {
		t.Run(name, func(t *testing.T) {
			within(t, promptly, func(context.Context) {
				if call(ended) == nil {
					t.Error("no error although the context had ended")
				}
			})
		})
	}
}

func (s *suite) hangs(t *testing.T) {
	in := s.openWith(t, s.Env, s.Hanging)
	for name, call := range calls(in, nil) {
		t.Run(name, func(t *testing.T) {
			within(t, promptly, func(context.Context) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if call(ctx) == nil {
					t.Error("no error although nothing answered")
				}
			})
		})
	}
}

// calls are the methods of in that wait for the component or read c.
func calls(in service.Instance, c service.Copy) map[string]func(context.Context) error {
	found := map[string]func(context.Context) error{}
	if able, ok := in.(service.Checker); ok {
		found["check"] = func(ctx context.Context) error { return second(able.Check(ctx)) }
	}
	if able, ok := in.(service.Collector); ok {
		found["collect"] = func(ctx context.Context) error { return able.Collect(ctx, func(*dto.MetricFamily) {}) }
	}
	if able, ok := in.(service.Source); ok {
		found["backup"] = func(ctx context.Context) error { return second(store(ctx, able)) }
	}
	if able, ok := in.(service.Restorer); ok && c != nil {
		found["restore"] = func(ctx context.Context) error {
			return able.Restore(ctx, c, service.Selection{}, service.Report{})
		}
	}
	if able, ok := in.(service.Verifier); ok && c != nil {
		found["verify"] = func(ctx context.Context) error { return second(able.Verify(ctx, c, service.Report{})) }
	}
	return found
}

func second[T any](_ T, err error) error { return err }

package neo4j

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep/internal/diag"
	"upkeep/internal/quantity"
	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

// till keeps in order what is asked of it, and stands for what manages the
// containers and for the guard.
type till struct {
	did                   []string
	stopFails, startFails bool
}

func (c *till) note(what string) { c.did = append(c.did, what) }

func (c *till) Close() error { return nil }

func (c *till) Stop(_ context.Context, unit string) error {
	c.note("stop " + unit)
	if c.stopFails {
		return errors.New("it does not listen")
	}
	return nil
}

func (c *till) Start(ctx context.Context, unit string) error {
	c.note("start " + unit)
	if c.startFails {
		return errors.New("the port is taken")
	}
	return ctx.Err()
}

func (c *till) Users(context.Context, []string) ([]string, error) { return nil, nil }

type sentry struct{ *till }

func (s sentry) Stopped() error                { s.note("stopped"); return nil }
func (s sentry) Starting() error               { s.note("starting"); return nil }
func (s sentry) Dismiss(context.Context) error { s.note("dismiss"); return nil }

// windowed is an instance whose server never answers: what comes after the start
// fails, unless a test gives it a server.
func windowed(t *testing.T, c *till, atMost time.Duration) *Instance {
	t.Helper()
	env := servicetest.Env(t)
	env.RunsIn = service.Place{Target: "stack", Unit: "graph"}
	env.Peer = func(string) (service.Instance, error) { return c, nil }
	env.Guard = func(_ context.Context, w service.Window) (service.Guard, error) {
		c.note("guard " + w.Place.Unit)
		return sentry{c}, nil
	}
	cfg := Kind.NewConfig().(*Config)
	cfg.URL, cfg.Dump.StopAtMost = "bolt://127.0.0.1:1", quantity.Duration(atMost)
	in, err := Kind.Open(env, cfg)
	must(t, err)
	return in.(*Instance)
}

func TestTheServerIsStartedWhateverComesOfTheWork(t *testing.T) {
	broken := errors.New("no space")
	for name, tc := range map[string]struct {
		till   till
		atMost time.Duration
		work   error
		cancel bool
		want   string // what was done before the server was waited for
		fault  string
	}{
		"the work fails":       {work: broken, atMost: time.Hour, want: "guard graph, stop graph, stopped, work, starting, start graph"},
		"the stop fails":       {till: till{stopFails: true}, atMost: time.Hour, want: "guard graph, stop graph, stopped, starting, start graph"},
		"the window is over":   {atMost: 1, want: "guard graph, stop graph, stopped, starting, start graph"},
		"the run is cancelled": {atMost: time.Hour, cancel: true, want: "guard graph, stop graph, stopped, work, starting, start graph"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.till.startFails = true // nobody waits for a server that is not there
			in := windowed(t, &tc.till, tc.atMost)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_, err := in.still(ctx, t.TempDir(), func(ctx context.Context) error {
				tc.till.note("work")
				if tc.cancel {
					cancel()
					return ctx.Err()
				}
				return tc.work
			})
			if got := strings.Join(tc.till.did, ", "); got != tc.want {
				t.Errorf("did %s\nwant %s", got, tc.want)
			}
			if id, _ := service.ErrorID(err); id != "neo4j.not-started" {
				t.Errorf("%s: %v", id, err) // the gravest comes first, and the guard stays
			}
			if tc.work != nil && !errors.Is(err, tc.work) {
				t.Errorf("%v does not say what became of the work", err)
			}
		})
	}
}

func TestNoGuardNoStop(t *testing.T) {
	c := &till{}
	in := windowed(t, c, time.Hour)
	in.env.Guard = func(context.Context, service.Window) (service.Guard, error) { return nil, service.ErrRefused }
	_, err := in.still(t.Context(), t.TempDir(), func(context.Context) error { return nil })
	if !errors.Is(err, service.ErrRefused) || len(c.did) > 0 {
		t.Errorf("%v, did %v", err, c.did)
	}
}

func TestWhatAGuardDidIsSaidUntilAWindowEndsWell(t *testing.T) {
	for name, tc := range map[string]struct {
		kept string
		down bool
		want service.Severity
		slug string
	}{
		"nothing":                   {},
		"it started it":             {kept: `{"unit": "graph"}`, want: service.Warning, slug: "guard-stepped-in"},
		"it was late":               {kept: `{"unit": "graph", "late": true}`, want: service.Warning, slug: "guard-stepped-in"},
		"it could not, and is down": {kept: `{"unit": "graph", "error": "x"}`, down: true, want: service.Critical, slug: "guard-failed"},
		"it could not, and is up":   {kept: `{"unit": "graph", "error": "x"}`, want: service.Warning, slug: "guard-stepped-in"},
	} {
		t.Run(name, func(t *testing.T) {
			in := windowed(t, &till{}, time.Hour)
			must(t, in.env.State.Set(t.Context(), service.StateOfGuard, tc.kept))
			var v service.Verdict
			must(t, in.judgeGuard(t.Context(), tc.down, &v))
			if got := slugs(t, v); tc.slug != "" && got[tc.slug] != tc.want || tc.slug == "" && len(got) > 0 {
				t.Errorf("found %v", got)
			}
			must(t, in.relieved(t.Context()))
			v = service.Verdict{}
			must(t, in.judgeGuard(t.Context(), tc.down, &v))
			if len(v.Findings) > 0 {
				t.Errorf("still %v", v.Findings)
			}
		})
	}
}

func TestCountsBetweenBeforeAndAfterAreThoseOfTheDump(t *testing.T) {
	before := tallied{entries: map[string]int64{allNodes: 10, "nodes :`A`": 7, "relationships :`R`": 3}}
	after := tallied{entries: map[string]int64{allNodes: 12, "nodes :`A`": 7, "nodes :`New`": 2}}
	entries, moved := bracket(before, after)
	if moved != 3 || len(entries) != 4 {
		t.Fatalf("%d moved: %+v", moved, entries)
	}
	for name, tc := range map[string]struct {
		present map[string]int64
		want    []string
	}{
		"before": {before.entries, nil},
		"after":  {after.entries, nil},
		"within": {map[string]int64{allNodes: 11, "nodes :`A`": 7, "nodes :`New`": 1, "relationships :`R`": 1}, nil},
		"beside": {map[string]int64{allNodes: 13, "nodes :`A`": 6, "nodes :`Other`": 1}, []string{":`A`", "in all", ":`Other`"}},
	} {
		t.Run(name, func(t *testing.T) {
			var v service.Verdict
			compareTallies(&v, service.Manifest{Entries: entries}, tallied{entries: tc.present})
			var got []string
			for _, f := range v.Findings {
				got = append(got, f.Subject)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("found %v, want %v", got, tc.want)
			}
		})
	}
}

func TestADumpForAnOlderServerIsRefused(t *testing.T) {
	for _, tc := range []struct {
		server, dump string
		refused      bool
	}{{"5.26.28", "5.26.28", false}, {"5.26.28", "2026.08.1", true}, {"2026.08.1", "5.26.28", false}, {"", "2026.08.1", false}} {
		if err := newerThan(tc.server, tc.dump); errors.Is(err, service.ErrUnsupported) != tc.refused {
			t.Errorf("%s into %s: %v", tc.dump, tc.server, err)
		}
	}
}

func TestADeclaredWindowHasALength(t *testing.T) {
	cfg := Kind.NewConfig().(*Config)
	cfg.URL, cfg.Copy = "bolt://127.0.0.1", "dump"
	at := func(p diag.List) (paths []string) {
		for _, one := range p {
			paths = append(paths, one.Path)
		}
		return paths
	}
	if got := at(cfg.Validate()); !slices.Equal(got, []string{"dump.stop_at_most"}) {
		t.Errorf("problems at %v", got)
	}
	cfg.Copy = "cold"
	if got := at(cfg.Validate()); !slices.Equal(got, []string{"copy"}) {
		t.Errorf("problems at %v", got)
	}
}

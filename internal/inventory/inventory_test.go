package inventory_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep/internal/config"
	"upkeep/internal/inventory"
	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

// declared makes a system of services written "name<after,after".
func declared(lines ...string) *inventory.Inventory {
	kind := servicetest.NewBucket(0).Kind()
	cfg := &config.Config{System: "shop"}
	for _, line := range lines {
		name, after, _ := strings.Cut(line, "<")
		s := config.Service{Name: name, Kind: kind, Config: kind.NewConfig()}
		if after != "" {
			s.After = strings.Split(after, ",")
		}
		cfg.Services = append(cfg.Services, s)
	}
	return inventory.New(cfg, func(target string) service.Env { return service.Env{Target: target} })
}

func names(targets []inventory.Target) string {
	var all []string
	for _, t := range targets {
		all = append(all, t.Name)
	}
	return strings.Join(all, " ")
}

func TestTargetsComeBehindThoseTheyNeed(t *testing.T) {
	for _, tc := range []struct{ declared, want string }{
		{"a b c", "a b c"},
		{"a<c b c", "c a b"},
		{"api<db,cache db cache<disk disk", "db disk cache api"},
		{"a<b b<c c<d d", "d c b a"},
		{"a<c b<c c", "c a b"},
	} {
		if got := names(declared(strings.Fields(tc.declared)...).Targets()); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.declared, got, tc.want)
		}
	}
}

func TestWhoClaimsIsCopiedFirst(t *testing.T) {
	inv := declared("objects", "cache", "graph", "db")
	claim := func(rows, objects string) config.Rule {
		return config.Rule{Rows: config.Asked{Target: rows}, Objects: config.Held{Target: objects}}
	}
	inv.Config.Reconcile = []config.Rule{claim("db", "objects"), claim("db", "graph"), claim("elsewhere", "cache")}
	if got := names(inv.ClaimsFirst(inv.Targets())); got != "db objects cache graph" {
		t.Errorf("the order is %s", got)
	}
	inv.Config.Reconcile = []config.Rule{claim("db", "objects"), claim("objects", "db")}
	if got := names(inv.ClaimsFirst(inv.Targets())); got != "db objects cache graph" {
		t.Errorf("of two that claim each other the order is %s", got)
	}
}

func TestSelect(t *testing.T) {
	inv := declared("api<db", "db", "缓存")
	for _, tc := range []struct{ asked, want string }{
		{"", "db api 缓存"},
		{"api db", "db api"},
		{"缓存", "缓存"},
		{"shop/api", "api"},
		{"api api", "api"},
	} {
		got, err := inv.Select(strings.Fields(tc.asked))
		if err != nil || names(got) != tc.want {
			t.Errorf("%q: got %s, %v, want %s", tc.asked, names(got), err, tc.want)
		}
	}
	for _, wrong := range []string{"nope", "other/api", "shop/", ""} {
		_, err := inv.Select([]string{"db", wrong})
		if !errors.Is(err, service.ErrUndeclared) || !strings.Contains(err.Error(), fmt.Sprintf("%q", wrong)) || !strings.Contains(err.Error(), "db, api, 缓存") {
			t.Errorf("%q: error %v", wrong, err)
		}
	}
	if inv.Select([]string{"db"}); names(inv.Targets()) != "db api 缓存" {
		t.Errorf("selecting changed the inventory: %s", names(inv.Targets()))
	}
}

func TestWaivers(t *testing.T) {
	day := time.Date(2027, 1, 31, 0, 0, 0, 0, time.Local)
	over := day.AddDate(0, 0, 1) // as the declaration's 2027-01-31 is read
	past := config.Date{Time: day.AddDate(0, -1, 0)}
	inv := declared("db", "cache")
	inv.Config.Accept = []config.Acceptance{
		{Finding: "k.late", Until: past, Why: "long ago"},
		{Finding: "k.x", Target: "db", Until: config.Date{Time: over}, Why: "restart planned"},
		{Finding: "k.all", Until: config.Date{Time: over}, Why: "everywhere"},
		{Finding: "k.renewed", Until: past, Why: "first"},
		{Finding: "k.renewed", Until: config.Date{Time: over}, Why: "second"},
	}
	for name, tc := range map[string]struct {
		target, finding string
		now             time.Time
		want            string
	}{
		"on its last day":             {"db", "k.x", day.Add(24*time.Hour - time.Second), "restart planned"},
		"the day after":               {"db", "k.x", over, "restart planned, expired"},
		"another target":              {"cache", "k.x", day, ""},
		"without target":              {"cache", "k.all", day, "everywhere"},
		"long over":                   {"db", "k.late", day, "long ago, expired"},
		"renewed by another entry":    {"db", "k.renewed", day, "second"},
		"a finding that nobody named": {"db", "k.y", day, ""},
	} {
		t.Run(name, func(t *testing.T) {
			why, expired, ok := inv.Waiver(tc.target, tc.finding, tc.now)
			if expired {
				why += ", expired"
			}
			if why != tc.want || ok != (tc.want != "") {
				t.Errorf("got %q (%v), want %q", why, ok, tc.want)
			}
		})
	}
}

// answering is an instance whose queries give fixed rows and then an error.
type answering struct {
	rows [][]any
	err  error
}

func (answering) Close() error { return nil }

func (a answering) Query(context.Context, string) iter.Seq2[service.Row, error] {
	return func(yield func(service.Row, error) bool) {
		for _, row := range a.rows {
			if !yield(service.Row{Values: row}, nil) {
				return
			}
		}
		if a.err != nil {
			yield(service.Row{}, a.err)
		}
	}
}

// closedOnly is an instance that can do nothing.
type closedOnly struct{}

func (closedOnly) Close() error { return nil }

func TestAssertions(t *testing.T) {
	expect := func(text string) config.Expect {
		e, err := config.ParseExpect(text)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	for name, tc := range map[string]struct {
		in     service.Instance
		expect string
		want   string // "severity ID", empty when it holds
	}{
		"holds":                        {answering{rows: [][]any{{int64(3)}}}, "> 0", ""},
		"only the first value counts":  {answering{rows: [][]any{{int64(3), "x"}, {int64(0)}}}, "> 0", ""},
		"does not hold":                {answering{rows: [][]any{{int64(0)}}}, "> 0", "warning assertion.broken"},
		"no row is not a number":       {answering{}, "> 0", "warning assertion.broken"},
		"no row is empty":              {answering{}, "empty", ""},
		"NULL is not zero":             {answering{rows: [][]any{{nil}}}, "= 0", "warning assertion.broken"},
		"a row without columns":        {answering{rows: [][]any{{}}}, "= 0", "warning assertion.broken"},
		"a text where a number is due": {answering{rows: [][]any{{"many"}}}, "> 0", "warning assertion.broken"},
		"the server is away":           {answering{err: service.ErrUnreachable}, "empty", "unknown assertion.unanswered"},
		"the kind takes no queries":    {closedOnly{}, "empty", "unknown assertion.unanswered"},
		"the target is gone":           {nil, "empty", "unknown assertion.unanswered"},
	} {
		t.Run(name, func(t *testing.T) {
			inv := declared("db", "other")
			inv.Config.Assertions = []config.Assertion{
				{Name: "projects", Target: "db", Query: "q", Expect: expect(tc.expect), Severity: service.Warning, Fix: "look", In: []string{"check", "drill"}},
				{Name: "elsewhere", Target: "other", Query: "q", Expect: expect("= nothing"), In: []string{"check"}},
			}
			var got string
			for _, f := range inv.Assert(t.Context(), tc.in, "db", "check").Findings {
				got += string(f.Severity) + " " + f.ID
				if f.Subject != "projects" || f.Args["name"] != "projects" {
					t.Errorf("finding %+v does not name its assertion", f)
				}
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if v := inv.Assert(t.Context(), tc.in, "db", "restore"); len(v.Findings) > 0 {
				t.Errorf("judged in a phase that was not asked for: %+v", v.Findings)
			}
		})
	}
}

func TestAMissingProgramIsTheKindsConcern(t *testing.T) {
	kind := service.Define("asks", func(env service.Env, _ struct{}) (asking, error) { return asking{env}, nil }, []byte("x"), nil)
	cfg := &config.Config{System: "shop", Base: t.TempDir(), Services: []config.Service{{Name: "db", Kind: kind, Config: kind.NewConfig()}}}
	w := inventory.World{Log: slog.New(slog.DiscardHandler), Now: time.Now, Getenv: func(string) string { return "" },
		State: func(string, string) service.State { return nil }}
	target, _ := w.Open(cfg).Target("db")
	in, err := target.Open()
	if err != nil {
		t.Fatal(err)
	}
	env := in.(asking).env
	if _, _, err := env.Find(t.Context(), "no-such-program", 0); !errors.Is(err, service.ErrNoTool) {
		t.Errorf("find: %v", err)
	}
	if err := env.Run(t.Context(), service.Cmd{Program: "no-such-program"}); !errors.Is(err, service.ErrNoTool) {
		t.Errorf("run: %v", err)
	}
	var out strings.Builder
	if err := env.Run(t.Context(), service.Cmd{Program: "echo", Args: []string{"$HOME; ls"}, Stdout: &out}); err != nil || out.String() != "$HOME; ls\n" {
		t.Errorf("run: %q, %v", out.String(), err)
	}
	if env.Target != "db" || env.Base != cfg.Base || !slices.Equal(cfg.Services[0].After, target.After) {
		t.Errorf("env of %+v: %+v", target, env)
	}
}

// asking shows the environment it was opened with.
type asking struct{ env service.Env }

func (asking) Close() error { return nil }

package trend_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"upkeep/internal/logs/template"
	"upkeep/internal/logs/trend"
)

var start = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)

// counts are messages of one hour, by their text with %d for a number.
type counts map[string]int

// hour reads the messages of one hour after what state knows.
func hour(state *trend.State, n int, messages counts) (trend.Run, []trend.Seen) {
	at := start.Add(time.Duration(n) * time.Hour)
	m := template.New(template.Options{}, state.Patterns("ERROR")...)
	run := trend.Run{From: at, To: at.Add(time.Hour)}
	for text, times := range messages {
		for i := range times {
			if strings.Contains(text, "%d") {
				m.Add(fmt.Appendf(nil, text, i), at)
			} else {
				m.Add([]byte(text), at)
			}
			run.Lines++
		}
	}
	var seen []trend.Seen
	for _, t := range m.Report().Templates {
		seen = append(seen, trend.Seen{Level: "ERROR", Template: t})
	}
	return run, seen
}

func patterns(changes []trend.Change) string {
	var all []string
	for _, c := range changes {
		all = append(all, c.Template.Pattern)
	}
	return strings.Join(all, "; ")
}

func TestARunIsComparedWithTheRunsBefore(t *testing.T) {
	quiet := counts{"disk %d full": 10, "retry task %d": 40}
	for name, c := range map[string]struct {
		now            counts
		accepted       []trend.Accepted
		new, exploding string
		left           int
	}{
		"the same again":               {now: quiet},
		"twice as often":               {now: counts{"disk %d full": 20, "retry task %d": 80}},
		"a new template":               {now: counts{"disk %d full": 10, "broken pipe": 1}, new: "broken pipe"},
		"three times and twenty more":  {now: counts{"disk %d full": 30}, exploding: "disk <*> full"},
		"three times but few":          {now: counts{"disk %d full": 29}},
		"new but accepted":             {now: counts{"VACUUM in transaction %d": 3}, accepted: []trend.Accepted{{Pattern: "VACUUM in transaction <*>"}}, left: 1},
		"exploding but accepted":       {now: counts{"disk %d full": 300}, accepted: []trend.Accepted{{Pattern: "disk <*> full", Until: start.Add(9 * time.Hour)}}, left: 1},
		"an acceptance that has ended": {now: counts{"disk %d full": 300}, accepted: []trend.Accepted{{Pattern: "disk <*> full", Until: start}}, exploding: "disk <*> full"},
	} {
		t.Run(name, func(t *testing.T) {
			var state trend.State
			for n := range 3 {
				run, seen := hour(&state, n, quiet)
				state.Add(run, seen)
			}
			state = saved(t, state)
			run, seen := hour(&state, 3, c.now)
			r := state.Compare(run, seen, c.accepted, start.Add(time.Hour))
			if patterns(r.New) != c.new || patterns(r.Exploding) != c.exploding || r.Accepted != c.left {
				t.Errorf("new %q, exploding %q, accepted %d; want %q, %q, %d", patterns(r.New), patterns(r.Exploding), r.Accepted, c.new, c.exploding, c.left)
			}
		})
	}
}

// saved is what comes back from the file.
func saved(t *testing.T, s trend.State) trend.State {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back trend.State
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

func TestTheFirstRunHasNothingNew(t *testing.T) {
	var state trend.State
	run, seen := hour(&state, 0, counts{"disk %d full": 500})
	if r := state.Compare(run, seen, nil, start); !r.First || len(r.New)+len(r.Exploding) > 0 {
		t.Errorf("got %+v; want a first run without changes", r)
	}
}

func TestATemplateThatBecomesMoreGeneralIsNotNew(t *testing.T) {
	var state trend.State
	run, seen := hour(&state, 0, counts{"login refused for user alice": 2})
	state.Add(run, seen)
	run, seen = hour(&state, 1, counts{"login refused for user bob": 1, "login refused for user carol": 1})
	if r := state.Compare(run, seen, nil, start); len(r.New) > 0 {
		t.Errorf("new: %q", patterns(r.New))
	}
	state.Add(run, seen)
	if len(state.Templates) != 1 || state.Templates[0].Count != 4 || state.Templates[0].Pattern != "login refused for user <*>" {
		t.Errorf("state %+v; want one template with all four messages", state.Templates)
	}
}

func TestWhatIsNotSeenAnyMoreIsKept(t *testing.T) {
	var state trend.State
	for n := range trend.MaxRuns + 3 {
		now := counts{"steady %d": 5}
		if n == 0 {
			now["once %d"] = 7
		}
		run, seen := hour(&state, n, now)
		state.Add(run, seen)
	}
	if len(state.Runs) != trend.MaxRuns || len(state.Templates) != 2 {
		t.Fatalf("%d runs, %d templates; want %d and 2", len(state.Runs), len(state.Templates), trend.MaxRuns)
	}
	run, seen := hour(&state, 20, counts{"once %d": 1})
	if r := state.Compare(run, seen, nil, start); len(r.New) > 0 {
		t.Errorf("new: %q", patterns(r.New))
	}
}

func TestRatesWithoutTimesArePerLine(t *testing.T) {
	state := trend.State{}
	seen := func(n int64) []trend.Seen {
		return []trend.Seen{{Template: template.Template{Pattern: "x <*>", Count: n}}}
	}
	state.Add(trend.Run{Lines: 1000}, seen(10))
	for _, c := range []struct {
		lines, count int64
		explodes     bool
	}{{10_000, 100, false}, {1000, 60, true}} {
		r := state.Compare(trend.Run{Lines: c.lines}, seen(c.count), nil, start)
		if (len(r.Exploding) == 1) != c.explodes {
			t.Errorf("%d in %d lines: %+v", c.count, c.lines, r)
		}
	}
}

package checklist_test

import (
	"context"
	"testing"
	"time"

	"upkeep/internal/capability/checklist"
	"upkeep/internal/config"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestSpans(t *testing.T) {
	shanghai, berlin := zone(t, "Asia/Shanghai"), zone(t, "Europe/Berlin")
	for name, tc := range map[string]struct {
		every        string
		at           time.Time
		want, before string
		hours        float64
	}{
		"a day":                     {"day", time.Date(2026, 11, 26, 23, 59, 59, 0, shanghai), "2026-11-26", "2026-11-25", 24},
		"a day that lost an hour":   {"day", time.Date(2026, 3, 29, 12, 0, 0, 0, berlin), "2026-03-29", "2026-03-28", 23},
		"a day with one more":       {"day", time.Date(2026, 10, 25, 12, 0, 0, 0, berlin), "2026-10-25", "2026-10-24", 25},
		"Sunday is of the old week": {"week", time.Date(2026, 11, 29, 23, 0, 0, 0, shanghai), "2026-W48", "2026-W47", 168},
		"a week of two years":       {"week", time.Date(2027, 1, 2, 0, 0, 0, 0, shanghai), "2026-W53", "2026-W52", 168},
		"a month":                   {"month", time.Date(2027, 1, 31, 0, 0, 0, 0, shanghai), "2027-01", "2026-12", 744},
		"a quarter":                 {"quarter", time.Date(2027, 3, 31, 0, 0, 0, 0, shanghai), "2027-Q1", "2026-Q4", 2160},
	} {
		s := checklist.Around(tc.every, tc.at)
		if s.String() != tc.want || s.Before().String() != tc.before || s.Before().After() != s || s.To.Sub(s.From).Hours() != tc.hours || !s.Holds(tc.at) || s.Holds(s.To) {
			t.Errorf("%s: %s, before it %s, %v", name, s, s.Before(), s.To.Sub(s.From))
		}
		if read, err := checklist.Parse(tc.want, tc.at.Location()); err != nil || read != s {
			t.Errorf("%s: %s is read as %+v, %v", name, tc.want, read, err)
		}
	}
	for _, text := range []string{"", "2026-13", "2026-Q5", "2026-W54", "2026-W00", "soon", "2026-11-31"} {
		if s, err := checklist.Parse(text, shanghai); err == nil {
			t.Errorf("%q is read as %s", text, s)
		}
	}
}

// TestTicks: what a run must be to tick an item.
func TestTicks(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	run := journal.Run{ID: "r", Verb: "check", Exit: 5, Finished: now, Targets: []journal.Target{
		{Target: "db", Verdict: service.Warning}, {Target: "cache", Verdict: service.Critical}, {Target: "web", Error: &journal.Problem{Code: 3}}}}
	report := journal.Run{ID: "r", Verb: "report", Finished: now, Args: []byte(`{"verb":"report","span":"week"}`)}
	for name, tc := range map[string]struct {
		run  journal.Run
		item config.Item
		want bool
	}{
		"the whole run failed":       {run, config.Item{By: "check"}, false},
		"that counts as well":        {run, config.Item{By: "check", Exits: []int{0, 5}}, true},
		"one target did well":        {run, config.Item{By: "check", Target: "db"}, true},
		"one is critical":            {run, config.Item{By: "check", Target: "cache"}, false},
		"which counts as well":       {run, config.Item{By: "check", Target: "cache", Exits: []int{0, 1}}, true},
		"one could not be asked":     {run, config.Item{By: "check", Target: "web", Exits: []int{0, 1}}, false},
		"a report of the span":       {report, config.Item{By: "report --week"}, true},
		"a report of another span":   {report, config.Item{By: "report --month"}, false},
		"the format does not matter": {report, config.Item{By: "report --week --format md,html"}, true},
	} {
		tc.item.Name = "x"
		b := checklist.Books{Runs: func(context.Context, string, string, time.Time, time.Time) ([]journal.Run, error) {
			return []journal.Run{tc.run}, nil
		}}
		list, err := b.Now(t.Context(), "l", config.Checklist{Every: "day", Items: []config.Item{tc.item}}, now)
		if err != nil || (list.Items[0].Done != nil) != tc.want {
			t.Errorf("%s: %+v, %v", name, list.Items[0].Done, err)
		}
	}
}

package control_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"upkeep/internal/control"
)

func TestWhatIsDueNext(t *testing.T) {
	l := newLab(t, `
timezone: UTC
jobs: {daily: {at: "02:30", do: [check]}, asked: {do: [check]}}
windows: {care: {at: "Sunday 03:00", for: 2h}}
pings: {backup: {at: "04:00", key: "env:KEY"}}
checklists: {week: {every: week, items: [{name: tls}, {name: looked, by: check}]}}`, "a")
	l.now = time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC) // a Friday
	app := l.open(t)
	submit(t, app, control.Request{Verb: "check"}) // ticks one item
	all, err := app.Due(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, d := range all {
		said = append(said, fmt.Sprint(d.Sort, " ", d.Name, " ", d.At.UTC().Format("Mon 15:04")))
	}
	if got := strings.Join(said, ", "); got != "job daily Fri 02:30, ping backup Fri 04:00, window care Sun 03:00, item week/tls Mon 00:00" {
		t.Error(got)
	}
}

func TestStandingsSayWhatTheLastCheckOfEachTargetSaid(t *testing.T) {
	l := newLab(t, "", "a", "b")
	app := l.open(t)
	want := func(what, said string) {
		t.Helper()
		all, err := app.Standings(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var parts []string
		for _, s := range all {
			age := "never"
			if !s.Since.IsZero() {
				age = l.now.Sub(s.Since).String()
			}
			parts = append(parts, fmt.Sprint(s.Target.Target, " ", s.Verdict, " ", age))
		}
		if got := strings.Join(parts, ", "); got != said {
			t.Errorf("%s: %s, want %s", what, got, said)
		}
	}
	want("before any check", "a unknown never, b unknown never")
	submit(t, app, control.Request{Verb: "check"})
	l.later()
	l.buckets["b"].SetDown(true)
	submit(t, app, control.Request{Verb: "check"})
	l.later()
	want("one that went down", "a ok 48h0m0s, b unknown 24h0m0s, upkeep warning 48h0m0s")
	submit(t, app, control.Request{Verb: "check", Targets: []string{"a"}})
	want("a check of one alone", "a ok 48h0m0s, b unknown 24h0m0s, upkeep warning 48h0m0s")
}

package acceptance

import (
	"testing"
	"time"
)

// TestOverdueItems lets days go by: what a span ended without is a finding until it
// is done, but only once it was there for a whole span.
func TestOverdueItems(t *testing.T) {
	s := newSystem(t, `checklists:
  daily: {every: day, items: [{name: alerts}, {name: copied, by: backup}]}
  monthly: {every: month, items: [{name: documents}]}
timezone: Asia/Shanghai
`)
	zone := time.FixedZone("", 8*3600)
	friday := time.Date(2026, 11, 27, 23, 50, 0, 0, zone)
	overdue := func(now time.Time) string {
		t.Helper()
		return s.at(now, "check").Get(`targets.#(target=="upkeep").findings.#(id=="upkeep.checklist-overdue")#.subject`).String()
	}
	for _, day := range []struct {
		name string
		at   time.Time
		want string
	}{
		{"met for the first time", friday, "[]"},
		{"a piece of a day was missed", friday.Add(time.Hour), "[]"},
		{"a whole day was missed", friday.AddDate(0, 0, 2), `["daily/alerts","daily/copied"]`},
	} {
		if got := overdue(day.at); got != day.want {
			t.Errorf("%s: overdue are %s, want %s", day.name, got, day.want)
		}
	}
	sunday := friday.AddDate(0, 0, 2)
	s.at(sunday, "checklist", "sign", "daily/alerts")
	s.at(sunday, "backup")
	if got := overdue(sunday.Add(time.Minute)); got != "[]" {
		t.Errorf("done late, and still overdue: %s", got)
	}
	// Done on Sunday; Monday is December: what November ended without was not there in whole.
	if got := overdue(sunday.Add(24 * time.Hour)); got != "[]" {
		t.Errorf("on Monday: %s", got)
	}
	if got := overdue(time.Date(2027, 1, 1, 8, 0, 0, 0, zone)); got != `["daily/alerts","daily/copied","monthly/documents"]` {
		t.Errorf("after a month: %s", got)
	}
	past := s.at(sunday.Add(24*time.Hour), "checklist", "daily", "--span", "2026-W48").Get("lists")
	if past.Get("#").Int() != 2 || // Saturday and Sunday: before, nobody had to do anything
		past.Get(`#(span=="2026-11-29").items.#(item=="copied").done.run`).String() == "" ||
		past.Get(`#(span=="2026-11-28").items.0.done`).Exists() {
		t.Errorf("the week was %s", past)
	}
}

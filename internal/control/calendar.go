package control

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"upkeep/internal/calendar"
	"upkeep/internal/diag"
)

// Entry is something that comes again and again by the calendar.
type Entry struct {
	What string        `json:"what"` // job, window, ping or checklist
	Name string        `json:"name"`
	At   string        `json:"at,omitempty"` // as it is declared
	Spec calendar.Spec `json:"-"`
	For  time.Duration `json:"-"`               // how long a window is open
	Do   []string      `json:"do,omitempty"`    // of a job
	Wait []string      `json:"after,omitempty"` // jobs that a job waits for
}

// Event is one moment of the calendar.
type Event struct {
	At    time.Time      `json:"at"`
	Until time.Time      `json:"until,omitzero"` // of a window
	What  string         `json:"what"`
	Name  string         `json:"name"`
	State calendar.State `json:"state,omitempty"` // of a turn that has come
	Why   string         `json:"why,omitempty"`
	Run   string         `json:"run,omitempty"`
	Exit  int            `json:"exit_code,omitempty"` // of the run
}

// Calendar is what is due in some time, and what became of what was.
type Calendar struct {
	System   string
	From, To time.Time // in the zone of the declaration
	Entries  []Entry
	Events   []Event // in order
	More     int     // that were left out: most bounds them
}

// mostEvents is how many moments a calendar has: what is due every minute fills a month
// with more than anybody reads.
const mostEvents = 50_000

// Calendar lists what is declared to be due from one time on and before another. What
// has passed is told by the ledger: a turn that is not in it was not due for any process.
func (a *App) Calendar(ctx context.Context, from, to time.Time) (Calendar, error) {
	c := Calendar{System: a.Config.System, From: from.In(a.Zone()), To: to.In(a.Zone()), Entries: a.entries()}
	turns, err := a.Turns(ctx, from, to)
	if err != nil {
		return c, err
	}
	known := map[string]bool{}
	for _, t := range turns {
		known[fmt.Sprint(t.Job, t.Due.UnixNano())] = true
		c.add(Event{At: t.Due.In(a.Zone()), What: "job", Name: t.Job, State: t.State, Why: t.Detail, Run: t.Run, Exit: t.Exit})
	}
	now := a.opt.Now()
	for _, e := range c.Entries {
		for at := range e.Spec.Between(from.Add(-time.Nanosecond), to.Add(-time.Nanosecond)) {
			if e.What == "job" && (at.Before(now) || known[fmt.Sprint(e.Name, at.UnixNano())]) {
				continue
			}
			event := Event{At: at, What: e.What, Name: e.Name}
			if e.For > 0 {
				event.Until = at.Add(e.For)
			}
			c.add(event)
		}
	}
	slices.SortStableFunc(c.Events, func(x, y Event) int { return x.At.Compare(y.At) })
	return c, nil
}

func (c *Calendar) add(e Event) {
	if len(c.Events) >= mostEvents {
		c.More++
		return
	}
	c.Events = append(c.Events, e)
}

// entries lists what is declared, jobs first.
func (a *App) entries() (all []Entry) {
	for _, name := range slices.Sorted(maps.Keys(a.Config.Jobs)) {
		j := a.Config.Jobs[name]
		all = append(all, Entry{What: "job", Name: name, At: j.At.Text, Spec: j.At, Do: j.Do, Wait: j.After})
	}
	for _, name := range slices.Sorted(maps.Keys(a.Config.Windows)) {
		w := a.Config.Windows[name]
		all = append(all, Entry{What: "window", Name: name, At: w.At.Text, Spec: w.At, For: w.For.Std()})
	}
	for _, name := range slices.Sorted(maps.Keys(a.Config.Pings)) {
		p := a.Config.Pings[name]
		all = append(all, Entry{What: "ping", Name: name, At: p.At.Text, Spec: p.At})
	}
	for _, name := range slices.Sorted(maps.Keys(a.Config.Checklists)) {
		every := a.Config.Checklists[name].Every
		all = append(all, Entry{What: "checklist", Name: name, At: every, Spec: ends(every).In(a.Zone())})
	}
	return all
}

// ends is when a checklist must be done: the first moment after its span, of which
// checklist.Around says the same.
func ends(every string) calendar.Spec {
	form := map[string]string{"week": "Monday 00:00", "month": "monthly", "quarter": "quarterly"}[every]
	if form == "" {
		form = "daily"
	}
	s, err := calendar.Parse(form)
	if err != nil {
		panic(err) // one of the four above
	}
	return s
}

// TimeWarnings tells of times that are valid and seldom meant, by path.
func (a *App) TimeWarnings() (all diag.List) {
	for _, e := range a.entries() {
		if p, warns := e.Spec.Warning(); warns {
			p.File, p.Path = a.Config.File, e.What+"s."+e.Name+".at"
			all = append(all, p)
		}
	}
	return all
}

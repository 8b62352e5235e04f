package web

import (
	"cmp"
	"context"
	"slices"

	"github.com/a-h/templ"

	"upkeep/internal/capability/report"
)

// due is something that is going to happen, or should have.
type due struct {
	Sort    string `json:"sort"` // job, window, item, ping
	Name    string `json:"name"`
	At      moment `json:"at"`
	Until   moment `json:"until"`
	Overdue bool   `json:"overdue"`
	Last    moment `json:"last"`
	Run     string `json:"last_run,omitempty"`
	Exit    int    `json:"last_exit_code"`
}

// next lists what is due, the soonest first; most of 0 is all.
func (s *site) next(ctx context.Context, _ *page, most int) ([]due, error) {
	found, err := s.System.Next(ctx)
	all := []due{}
	for _, d := range found {
		all = append(all, due{d.Sort, d.Name, moment{d.At}, moment{d.Until}, d.Overdue, moment{d.Last}, d.Run, d.Exit})
	}
	slices.SortStableFunc(all, func(a, b due) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
	if most > 0 && len(all) > most {
		all = all[:most]
	}
	return all, err
}

// calendarView is what is due.
type calendarView struct {
	Due   []due             `json:"due"`
	Error *report.ErrorView `json:"error"`

	unscheduled bool
}

// dated are the dues of one day.
type dated struct {
	day  string
	dues []due
}

func (s *site) calendar(ctx context.Context, p *page) (any, templ.Component, error) {
	all, err := s.next(ctx, p, 0)
	v := calendarView{Due: all, Error: p.trouble(err), unscheduled: unsupported(err)}
	p.part, p.title, p.refresh = "calendar", p.say("nav-calendar"), 60
	return v, calendar(p, v), nil
}

// overdueOf counts what should have happened.
func overdueOf(all []due) (n int) {
	for _, d := range all {
		if d.Overdue {
			n++
		}
	}
	return n
}

// soonestDue is what happens next, or nil.
func soonestDue(all []due) *due {
	if i := slices.IndexFunc(all, func(d due) bool { return !d.Overdue }); i >= 0 {
		return &all[i]
	}
	return nil
}

// overdue and days divide what is due.
func (v calendarView) overdue() (late []due) {
	for _, d := range v.Due {
		if d.Overdue {
			late = append(late, d)
		}
	}
	return late
}

func (v calendarView) days(p *page) (all []dated) {
	for _, d := range v.Due {
		if d.Overdue {
			continue
		}
		day := p.day(d.At.Time)
		if n := len(all); n == 0 || all[n-1].day != day {
			all = append(all, dated{day: day})
		}
		last := &all[len(all)-1]
		last.dues = append(last.dues, d)
	}
	return all
}

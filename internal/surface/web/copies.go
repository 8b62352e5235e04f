package web

import (
	"context"
	"fmt"
	"slices"
	"time"

	"upkeep/internal/capability/report"
	"upkeep/internal/repository"
	"upkeep/internal/service"
)

// States of a restore point, the best first.
const (
	proven     = "proven"     // restored by a drill, and found equal
	verified   = "verified"   // every byte read back
	taken      = "taken"      // nobody has looked at it since
	damaged    = "damaged"    // it was found damaged after all
	incomplete = "incomplete" // never sealed
)

func stateOf(p Point) string {
	switch {
	case !p.Complete:
		return incomplete
	case !p.Damaged.IsZero():
		return damaged
	case !p.Proven.IsZero():
		return proven
	case !p.Verified.IsZero():
		return verified
	}
	return taken
}

// severity is the shape that stands for a state. What nobody has proven is not ok.
func severity(state string) service.Severity {
	switch state {
	case proven:
		return service.OK
	case damaged, incomplete:
		return service.Critical
	}
	return service.Unknown
}

// copies is what all restore points together promise.
type copies struct {
	Proven   string   `json:"proven"` // the newest point that is proven; empty = none
	Taken    moment   `json:"proven_taken"`
	Lose     *float64 `json:"could_lose_s"`   // the age of that point; null = no point is proven
	Back     *float64 `json:"back_within_s"`  // measured by its drill
	Compared string   `json:"compared"`       // what the drill found equal
	Newer    int      `json:"newer_unproven"` // complete points after it
	Points   int      `json:"points"`         // complete ones
	Days     []day    `json:"days"`           // the last ones, oldest first
}

// day is the best that was copied on one day.
type day struct {
	Date   string `json:"date"`
	State  string `json:"state"` // of its best point; empty = none was taken
	Points int    `json:"points"`
}

// daysShown is a strip that fits a phone.
const daysShown = 14

func (s *site) copies(ctx context.Context, p *page) (*copies, error) {
	points, err := s.System.Points(ctx)
	if err != nil {
		return nil, err
	}
	return copiesOf(p, points), nil
}

func copiesOf(p *page, points []Point) *copies {
	c := &copies{Days: days(points, p.now)}
	for _, point := range points { // newest first
		if !counts(point) {
			continue
		}
		c.Points++
		switch {
		case c.Proven != "":
		case stateOf(point) == proven:
			c.proven(p, point)
		default:
			c.Newer++
		}
	}
	return c
}

// counts reports whether a backup has made a whole point: one that a restore saved
// before it began is there for undo alone.
func counts(p Point) bool { return p.Complete && p.Reason == repository.ReasonBackup }

func (c *copies) proven(p *page, point Point) {
	lose := p.now.Sub(point.Taken).Seconds()
	c.Proven, c.Taken, c.Lose = point.ID, moment{point.Taken}, &lose
	if point.Proof != nil {
		back := report.Back(point.Proof.RTO).Seconds()
		c.Back, c.Compared = &back, p.report.Compared(point.Proof.Compared)
	}
}

func days(points []Point, now time.Time) []day {
	all := make([]day, daysShown)
	for i := range all {
		all[i].Date = now.AddDate(0, 0, i-daysShown+1).Format(time.DateOnly)
		for _, point := range points {
			if point.Reason == repository.ReasonBackup && point.Taken.In(now.Location()).Format(time.DateOnly) == all[i].Date {
				all[i].Points++
				all[i].State = better(all[i].State, stateOf(point))
			}
		}
	}
	return all
}

func better(a, b string) string {
	for _, state := range []string{proven, verified, taken, damaged, incomplete} {
		if a == state || b == state {
			return state
		}
	}
	return a
}

// safe says what the copies are worth, in one sentence.
func (c *copies) safe(p *page) string {
	switch {
	case c == nil:
		return p.say("safe-unknown")
	case c.Points == 0:
		return p.say("safe-none")
	case c.Proven == "":
		return p.say("safe-unproven", "n", c.Points)
	}
	return p.say("safe-proven", "age", p.words.Rough(lasting(*c.Lose)))
}

// picture says the strip in words.
func (c *copies) picture(p *page) string {
	n := map[string]int{}
	for _, d := range c.Days {
		n[d.State]++
	}
	return p.say("days-alt", "n", len(c.Days), "proven", n[proven], "verified", n[verified], "taken", n[taken],
		"failed", n[damaged]+n[incomplete], "none", n[""])
}

func (d day) words(p *page) string {
	state := "state-none"
	if d.State != "" {
		state = "state-" + d.State
	}
	return fmt.Sprintf("%s: %s", d.Date, p.say(state))
}

// none reports whether nothing was ever copied.
func (c *copies) none() bool {
	return c.Points == 0 && !slices.ContainsFunc(c.Days, func(d day) bool { return d.Points > 0 })
}

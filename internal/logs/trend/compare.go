package trend

import (
	"cmp"
	"slices"
	"time"

	"upkeep/internal/logs/template"
)

// A template explodes when it comes Times as often as in the run of the last
// MaxRuns in which it was most frequent, and by Extra messages more than that rate
// would have given. Rates are messages per hour of the log's own time, or per 1,000
// lines where the log has no times; only runs of one sort are compared.
const (
	Times = 3
	Extra = 20
)

// Report is what a run has that earlier ones did not.
type Report struct {
	// First says that there was no run to compare with: then nothing is new.
	First     bool     `json:"first"`
	New       []Change `json:"new"`
	Exploding []Change `json:"exploding"`
	// Accepted counts changes that are left out because people have accepted them.
	Accepted int `json:"accepted"`
}

// Change is one template.
type Change struct {
	Level    string            `json:"level,omitempty"`
	Template template.Template `json:"template"`
	Rate     float64           `json:"rate"`
	Highest  float64           `json:"highest"` // rate in earlier runs; 0 when new
	Per      string            `json:"per"`     // "hour" or "1000 lines"
}

// Accepted is noise that people know.
type Accepted struct {
	Pattern string    `json:"pattern"`
	Until   time.Time `json:"until"` // zero: for good
	Note    string    `json:"note"`  // why
}

// Compare says what is new in a run, the most frequent first. now decides which
// acceptances have lapsed.
func (s *State) Compare(run Run, seen []Seen, accepted []Accepted, now time.Time) Report {
	r := Report{First: len(s.Runs) == 0}
	if r.First {
		return r
	}
	noise, old := valid(accepted, now), index(s.Templates)
	for _, t := range seen {
		c, isNew := s.change(run, t, old)
		if !isNew && !explodes(run, c) {
			continue
		}
		switch {
		case noise.Contains(t.Pattern):
			r.Accepted++
		case isNew:
			r.New = append(r.New, c)
		default:
			r.Exploding = append(r.Exploding, c)
		}
	}
	for _, changes := range [][]Change{r.New, r.Exploding} {
		slices.SortStableFunc(changes, func(a, b Change) int { return cmp.Compare(b.Template.Count, a.Template.Count) })
	}
	return r
}

func valid(accepted []Accepted, now time.Time) *template.Set {
	var patterns []string
	for _, a := range accepted {
		if a.Until.IsZero() || now.Before(a.Until) {
			patterns = append(patterns, a.Pattern)
		}
	}
	return template.NewSet(patterns...)
}

// change compares one template with what earlier runs counted.
func (s *State) change(run Run, t Seen, old map[key]Known) (c Change, isNew bool) {
	amount, per := run.amount()
	c = Change{Level: t.Level, Template: t.Template, Rate: float64(t.Count) / amount, Per: per}
	before := take(old, t)
	for i, earlier := range s.Runs {
		amount, sort := earlier.amount()
		if sort != per {
			continue
		}
		n := int64(0)
		for _, k := range before {
			n += k.Counts[i]
		}
		c.Highest = max(c.Highest, float64(n)/amount)
	}
	return c, len(before) == 0
}

// amount is what counts are divided by. A run of less than a minute counts as one:
// a rate per hour from a few seconds would say nothing.
func (r Run) amount() (float64, string) {
	if r.From.IsZero() || !r.To.After(r.From) {
		return max(float64(r.Lines), 1) / 1000, "1000 lines"
	}
	return max(r.To.Sub(r.From), time.Minute).Hours(), "hour"
}

func explodes(run Run, c Change) bool {
	amount, _ := run.amount()
	return c.Rate >= Times*c.Highest && float64(c.Template.Count) >= c.Highest*amount+Extra
}

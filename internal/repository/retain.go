package repository

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/internal/service"
)

// Keep says which points of a system stay, per target: the newest of the last so
// many hours, days and so on that have one. The zero value keeps everything.
type Keep struct {
	System           string // empty = every system in the repository
	Last             int
	Hourly           int
	Daily            int
	Weekly           int
	Monthly          int
	Yearly           int
	NeverBelowProven int // so many newest proven points stay whatever the rules say
}

// counts reports whether a rule counts points at all.
func (k Keep) counts() bool {
	return k.Last > 0 || k.Hourly > 0 || k.Daily > 0 || k.Weekly > 0 || k.Monthly > 0 || k.Yearly > 0
}

// Decision is what became of one point, and why. Rules of a point that stays are
// among: last, hourly, daily, weekly, monthly, yearly, proven, no-rule,
// incomplete, damaged, from-the-future, before-restore; of one that goes it is
// empty, or expired.
type Decision struct {
	Point string
	Keep  bool
	Rules []string
}

// Why a point stays or goes beside the counting rules.
const (
	ruleNone          = "no-rule"
	ruleProven        = "proven"
	ruleIncomplete    = "incomplete"
	ruleDamaged       = "damaged"
	ruleFuture        = "from-the-future"
	ruleBeforeRestore = "before-restore"
)

// RuleExpired is why a point goes that was kept for undo and is over its time.
const RuleExpired = "expired"

// Retain decides over all points of the system, newest first, and removes what
// no rule keeps unless dryRun. Where the state of any point cannot be read it
// removes nothing and returns an error.
func (r *Repository) Retain(ctx context.Context, keep Keep, dryRun bool) ([]Decision, error) {
	points, err := r.Points(ctx)
	if err != nil {
		return nil, fmt.Errorf("decide what to keep: %w", err)
	}
	if err := keep.validate(); err != nil {
		return nil, err
	}
	decisions := Decide(points, keep, r.opt.Now())
	var gone []string
	for _, d := range decisions {
		if !d.Keep {
			gone = append(gone, d.Point)
		}
	}
	if dryRun || len(gone) == 0 {
		return decisions, nil
	}
	return decisions, r.remove(ctx, gone)
}

func (k Keep) validate() error {
	for _, n := range []int{k.Last, k.Hourly, k.Daily, k.Weekly, k.Monthly, k.Yearly, k.NeverBelowProven} {
		if n < 0 {
			return fmt.Errorf("keep: %d is less than nothing: %w", n, service.ErrRefused)
		}
	}
	return nil
}

// Decide applies keep to points as Points returns them, at the time now, whose
// location says where a day begins. It changes nothing.
func Decide(points []Point, keep Keep, now time.Time) []Decision {
	points = slices.DeleteFunc(slices.Clone(points), func(p Point) bool {
		return keep.System != "" && p.System != keep.System
	})
	slices.SortFunc(points, newestFirst)
	rules := map[string][]string{}
	for _, counted := range byTarget(points, now) {
		keep.apply(counted, now.Location(), rules)
	}
	decisions := make([]Decision, 0, len(points))
	for _, p := range points {
		decisions = append(decisions, decide(p, keep, now, rules[p.ID]))
	}
	return decisions
}

// byTarget groups the points that rules may count, newest first.
func byTarget(points []Point, now time.Time) map[string][]Point {
	groups := map[string][]Point{}
	for _, p := range points {
		if special(p, now) != "" {
			continue
		}
		for _, t := range p.Targets {
			key := p.System + "/" + t.Target
			groups[key] = append(groups[key], p)
		}
	}
	return groups
}

// special names why a point is outside the counting. Such points never take the
// place of another.
func special(p Point, now time.Time) string {
	switch {
	case !p.Complete:
		return ruleIncomplete
	case p.Taken.After(now):
		return ruleFuture
	case p.Reason == ReasonBeforeRestore:
		return ruleBeforeRestore
	case !p.Damaged.IsZero():
		return ruleDamaged
	}
	return ""
}

func decide(p Point, keep Keep, now time.Time, rules []string) Decision {
	why := special(p, now)
	switch {
	case why == ruleBeforeRestore && !p.Expires.IsZero() && now.After(p.Expires):
		return Decision{Point: p.ID, Rules: []string{RuleExpired}}
	case why != "":
		return Decision{Point: p.ID, Keep: true, Rules: []string{why}}
	case !keep.counts():
		return Decision{Point: p.ID, Keep: true, Rules: []string{ruleNone}}
	}
	return Decision{Point: p.ID, Keep: len(rules) > 0, Rules: rules}
}

// rule keeps the newest point of each of so many periods.
type rule struct {
	name   string
	count  int
	period func(Point, time.Time) string
}

func (k Keep) rules() []rule {
	format := func(layout string) func(Point, time.Time) string {
		return func(_ Point, at time.Time) string { return at.Format(layout) }
	}
	week := func(_ Point, at time.Time) string {
		year, week := at.ISOWeek()
		return fmt.Sprintf("%d-%d", year, week)
	}
	return []rule{
		{"last", k.Last, func(p Point, _ time.Time) string { return p.ID }},
		{"hourly", k.Hourly, format("2006-01-02 15 -0700")},
		{"daily", k.Daily, format("2006-01-02")},
		{"weekly", k.Weekly, week},
		{"monthly", k.Monthly, format("2006-01")},
		{"yearly", k.Yearly, format("2006")},
	}
}

// apply adds to rules what keeps each of the points of one target.
func (k Keep) apply(points []Point, where *time.Location, rules map[string][]string) {
	for _, r := range k.rules() {
		seen := map[string]bool{}
		for _, p := range points {
			period := r.period(p, p.Taken.In(where))
			if len(seen) < r.count && !seen[period] {
				seen[period] = true
				rules[p.ID] = addRule(rules[p.ID], r.name)
			}
		}
	}
	proven := 0
	for _, p := range points {
		if !p.Proven.IsZero() && proven < k.NeverBelowProven {
			proven++
			rules[p.ID] = addRule(rules[p.ID], ruleProven)
		}
	}
}

// addRule keeps the order of the rules and each name once.
func addRule(rules []string, name string) []string {
	order := strings.Fields("last hourly daily weekly monthly yearly proven")
	if slices.Contains(rules, name) {
		return rules
	}
	rules = append(rules, name)
	slices.SortFunc(rules, func(a, b string) int { return slices.Index(order, a) - slices.Index(order, b) })
	return rules
}

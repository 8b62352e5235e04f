package web

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"upkeep/internal/capability/report"
	"upkeep/internal/control"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// row is one target in the list.
type row struct {
	Target  string           `json:"target"`
	Kind    string           `json:"kind"`
	About   string           `json:"about"` // the kind with its version
	Verdict service.Severity `json:"verdict"`
	Since   moment           `json:"since"`
	AtLeast bool             `json:"since_at_least"` // it has been so for longer than was looked through
	Checked moment           `json:"checked"`
	Stale   bool             `json:"stale"` // checked too long ago to count: an ok is shown as unknown
	Last    service.Severity `json:"last_verdict"`
	Summary string           `json:"summary"`
	Trend   *trend           `json:"trend"`
	Copied  bool             `json:"copied"` // there can be copies of it

	Findings []finding `json:"findings"`
	Accepted []finding `json:"accepted"`
	run      string
}

// judging are the verbs whose newest runs speak of targets beside checks.
func judging() []string { return []string{"backup", "verify", "drill"} }

// now is what holds: every declared target as its last check left it, and the newest run
// of each verb that judges copies.
type now struct {
	standings []control.Standing
	page      report.Page
}

func (s *site) now(ctx context.Context, p *page) (n now, err error) {
	if n.standings, err = s.System.Standings(ctx); err != nil {
		return n, err
	}
	runs := checks(n.standings)
	for _, verb := range judging() {
		newest, _, err := s.System.Runs(ctx, journal.Query{Verb: verb, Limit: 1})
		if err != nil {
			return n, err
		}
		runs = append(runs, newest...)
	}
	n.page = report.Current(p.system, runs, p.now)
	return n, nil
}

// checks makes runs of what the last checks left: a target each, because each may be
// another run's.
func checks(standings []control.Standing) (runs []journal.Run) {
	for _, st := range standings {
		run := journal.Run{ID: st.Run, Verb: "check", Started: st.At, Finished: st.Looked, Targets: []journal.Target{st.Target}}
		if st.Run == "" {
			run.Finished = time.Unix(0, 0) // it is not at work: there was none
		}
		runs = append(runs, run)
	}
	return runs
}

// rows are all targets, the worst first; a target that only copies know of is left out:
// it is declared no more.
func (s *site) rows(p *page, n now) []row {
	rows := []row{}
	for _, card := range p.report.Cards(n.page) {
		i := slices.IndexFunc(n.standings, func(st control.Standing) bool { return st.Target.Target == card.Target })
		if i >= 0 {
			rows = append(rows, s.row(p, n.standings[i], card))
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(weight(a.Verdict), weight(b.Verdict)) })
	return rows
}

// weight puts what is worst first.
func weight(s service.Severity) int {
	return slices.Index([]service.Severity{service.Critical, service.Warning, service.Unknown, service.OK}, s)
}

func (s *site) row(p *page, st control.Standing, card report.Card) row {
	r := row{Target: card.Target, Kind: st.Kind, About: card.Kind, Verdict: card.Severity, Copied: st.Copied, Since: moment{st.Since}, AtLeast: st.AtLeast,
		Checked: moment{st.Looked}, Last: card.Severity, Summary: card.Facts, Findings: findings(card.Entries), Accepted: findings(card.Accepted), run: st.Run}
	if began := oldest(r); !began.IsZero() {
		r.Since, r.AtLeast = moment{began}, false
	}
	fresh := s.System.Fresh()
	r.Stale = fresh > 0 && p.now.Sub(st.Looked) > fresh
	if (r.Stale || st.Run == "") && r.Verdict == service.OK {
		r.Verdict = service.Unknown
	}
	return r
}

// oldest is since when the worst of a target's findings has been found.
func oldest(r row) (at time.Time) {
	for _, f := range r.Findings {
		if f.Severity == r.Verdict && !f.Since.IsZero() && (at.IsZero() || f.Since.Before(at)) {
			at = f.Since.Time
		}
	}
	return at
}

// anchor names the target's row in the document.
func (r row) anchor() string { return "target-" + r.Target }

// first is the worst finding, or nil.
func (r row) first() *finding {
	if len(r.Findings) == 0 {
		return nil
	}
	return &r.Findings[0]
}

// target finds one row by its name.
func find(rows []row, name string) (row, error) {
	var others []string
	for _, r := range rows {
		if r.Target == name {
			return r, nil
		}
		others = append(others, r.Target)
	}
	slices.SortFunc(others, strings.Compare)
	return row{}, absent{Sort: "target", Name: name, Others: others}
}

// unsupported reports whether this process does not do what was asked.
func unsupported(err error) bool { return errors.Is(err, service.ErrUnsupported) }

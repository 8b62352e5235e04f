package web

import (
	"context"
	"errors"
	"slices"

	"github.com/a-h/templ"

	"upkeep/internal/capability/report"
	"upkeep/internal/repository"
	"upkeep/internal/service"
)

// pointsView is every restore point, judged by what was shown of it.
type pointsView struct {
	*copies
	Say     string      `json:"say"`
	Reading bool        `json:"reading"` // they are there soon
	List    []pointView `json:"points_list"`
	Charts  []chart     `json:"charts"` // what drills have measured
}

// pointView is one restore point.
type pointView struct {
	Point    string            `json:"point"`
	State    string            `json:"state"` // proven, verified, taken, damaged, incomplete
	Verdict  service.Severity  `json:"verdict"`
	Reason   string            `json:"reason"`
	Taken    moment            `json:"taken"`
	Expires  moment            `json:"expires"`
	Bytes    int64             `json:"bytes"`
	Added    int64             `json:"added_bytes"`
	Verified moment            `json:"verified"`
	Proven   moment            `json:"proven"`
	Damaged  moment            `json:"damaged"`
	Proof    *report.ProofView `json:"proof"`
	Compared string            `json:"compared"`
	KeptBy   []string          `json:"kept_by"`
	Targets  []string          `json:"targets"`
}

func (s *site) points(ctx context.Context, p *page) (any, templ.Component, error) {
	p.part, p.title, p.refresh = "points", p.say("nav-points"), 60
	points, err := s.System.Points(ctx)
	if errors.Is(err, ErrReading) {
		p.refresh = liveEvery
		v := pointsView{copies: &copies{Days: []day{}}, Say: p.say("safe-reading"), Reading: true, List: []pointView{}, Charts: []chart{}}
		return v, pointsPage(p, v), nil
	}
	if err != nil {
		return nil, nil, err
	}
	all := copiesOf(p, points)
	v := pointsView{copies: all, Say: all.safe(p), List: []pointView{}, Charts: drills(p, points)}
	for _, point := range points {
		v.List = append(v.List, pointOf(p, point))
	}
	if len(points) > 0 {
		p.below = backs(p, v.Charts)
	}
	return v, pointsPage(p, v), nil
}

func pointOf(p *page, point Point) pointView {
	v := pointView{Point: point.ID, State: stateOf(point), Reason: point.Reason, Taken: moment{point.Taken}, Expires: moment{point.Expires}, Bytes: point.Bytes,
		Added: point.AddedBytes, Verified: moment{point.Verified}, Proven: moment{point.Proven}, Damaged: moment{point.Damaged}, KeptBy: point.KeptBy, Targets: []string{}}
	v.Verdict = severity(v.State)
	if point.Proof != nil {
		v.Proof = &report.ProofView{RPO: point.Proof.RPO.Seconds(), RTO: point.Proof.RTO.Seconds(), Compared: point.Proof.Compared}
		v.Compared = p.report.Compared(point.Proof.Compared)
	}
	for _, t := range point.Targets {
		v.Targets = append(v.Targets, t.Target)
	}
	if v.KeptBy == nil {
		v.KeptBy = []string{}
	}
	return v
}

// before reports whether a restore took the point for its undo.
func (v pointView) before() bool { return v.Reason == repository.ReasonBeforeRestore }

// drillsLeast is how many drills make a line worth looking at.
const drillsLeast = 3

// drills are the ways back that drills have measured, oldest first.
func drills(p *page, points []Point) []chart {
	back := line{Name: p.say("chart-back")}
	for _, point := range slices.Backward(points) {
		if point.Proof != nil {
			back.Points = append(back.Points, reading{point.Proven, point.Proof.RTO.Seconds()})
		}
	}
	slices.SortStableFunc(back.Points, func(a, b reading) int { return a.At.Compare(b.At) })
	if len(back.Points) < drillsLeast {
		return []chart{}
	}
	return []chart{{ID: "back", Title: p.say("chart-back"), Unit: inSeconds, Lines: []line{back}}}
}

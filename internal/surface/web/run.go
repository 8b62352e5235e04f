package web

import (
	"context"
	"errors"
	"regexp"

	"github.com/a-h/templ"

	"upkeep/internal/capability/report"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// runView is one run in full.
type runView struct {
	ran
	System   string            `json:"system"`
	Parent   string            `json:"parent,omitempty"`
	Sentence string            `json:"sentence"`
	Error    *report.ErrorView `json:"error"`
	Verbs    []verbView        `json:"verbs"` // of a job: in order; else the run itself
	Of       int               `json:"of"`    // verbs of a job that has not ended; 0 = known from Verbs
	Steps    []stepView        `json:"steps"` // of an applied plan
	Point    string            `json:"point,omitempty"`
	Plan     string            `json:"plan,omitempty"`
	Output   string            `json:"output,omitempty"`
	Proof    *report.ProofView `json:"proof"`
}

// verbView is one verb's run within a page.
type verbView struct {
	Run     string              `json:"run"`
	Verb    string              `json:"verb"`
	State   string              `json:"state"` // ended, running, left, skipped
	Verdict service.Severity    `json:"verdict"`
	Took    float64             `json:"took_s"`
	Summary string              `json:"summary"`
	Error   *report.ErrorView   `json:"error"`
	Targets []report.TargetView `json:"targets"`

	cards []report.Card
}

// stepView is one step of an applied plan.
type stepView struct {
	ID      string            `json:"id"`
	Title   string            `json:"title"`
	Skipped bool              `json:"skipped"`
	Took    float64           `json:"took_s"`
	Error   *report.ErrorView `json:"error"`
}

// runID is the form that IDs of runs have; the journal is asked for nothing else.
var runID = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}-[0-9a-z]{1,16}$`)

// liveEvery is how often a run that goes on is asked for, in seconds.
const liveEvery = 2

func (s *site) run(ctx context.Context, p *page) (any, templ.Component, error) {
	id := p.request.PathValue("run")
	if !runID.MatchString(id) {
		return nil, nil, absent{Sort: "run", Name: id}
	}
	run, verbs, err := s.System.Run(ctx, id)
	if errors.Is(err, service.ErrNotFound) || err == nil && run.System != p.system {
		return nil, nil, absent{Sort: "run", Name: id}
	}
	if err != nil {
		return nil, nil, err
	}
	v := s.runView(p, run, verbs)
	if v.State == running && run.Verb == "run" {
		if _, v.Of, err = s.System.Verbs(ctx, run); err != nil {
			return nil, nil, err
		}
	}
	p.part, p.title = "runs", p.say("title-run", "what", v.title(), "run", run.ID)
	if v.State == running {
		p.refresh = liveEvery
	}
	return v, runPage(p, v), nil
}

func (s *site) runView(p *page, run journal.Run, verbs []journal.Run) runView {
	told := report.Of(run, verbs)
	told.Open = false // the page says so itself, and tells a run that goes on from one that was left
	v := runView{ran: s.ran(p, run), System: run.System, Parent: run.Parent, Sentence: p.report.Sentence(told), Point: run.Point, Plan: run.Plan, Output: told.Output,
		Error: report.ErrorOf(p.words, run.Error, "", run.ID), Verbs: []verbView{}, Steps: []stepView{}}
	for _, section := range told.Sections {
		v.Verbs = append(v.Verbs, s.verb(p, section))
	}
	for _, step := range run.Steps {
		if run.Verb != "run" {
			v.Steps = append(v.Steps, p.step(step, run.ID))
		}
	}
	if run.Proof != nil {
		v.Proof = &report.ProofView{RPO: run.Proof.RPO.Seconds(), RTO: run.Proof.RTO.Seconds(), Compared: run.Proof.Compared}
	}
	return v
}

func (s *site) verb(p *page, section report.Section) verbView {
	v := verbView{Run: section.Run.ID, Verb: section.Verb, State: ended, Verdict: section.Verdict(), Took: section.Took.Seconds(),
		Summary: p.report.Summary(section), Error: report.ErrorOf(p.words, section.Problem, "", section.Run.ID), Targets: []report.TargetView{},
		cards: p.report.Cards(report.Page{Sections: []report.Section{section}})}
	switch {
	case section.Skipped:
		v.State = "skipped"
	case section.Run.ID != "" && section.Run.Finished.IsZero():
		v.State = s.state(section.Run)
	}
	for _, t := range section.Run.Targets {
		v.Targets = append(v.Targets, report.TargetOf(p.words, t, section.Run.ID))
	}
	return v
}

func (p *page) step(step journal.Step, run string) stepView {
	v := stepView{ID: step.ID, Title: step.ID, Skipped: step.Skipped, Took: step.Took.Seconds(), Error: report.ErrorOf(p.words, step.Error, "", run)}
	if step.Title.ID != "" {
		v.Title = p.words.Message(step.Title.ID, step.Title.Args)
	}
	return v
}

// runsView is the history.
type runsView struct {
	Runs []ran   `json:"runs"`
	Next *string `json:"next"` // what to give as before= for older ones
}

// runsShown is one page of history.
const runsShown = 40

func (s *site) runs(ctx context.Context, p *page) (any, templ.Component, error) {
	before := p.request.URL.Query().Get("before")
	if before != "" && !runID.MatchString(before) {
		return nil, nil, absent{Sort: "run", Name: before}
	}
	runs, next, err := s.System.Runs(ctx, journal.Query{Limit: runsShown, Before: before})
	if errors.Is(err, service.ErrNotFound) {
		return nil, nil, absent{Sort: "run", Name: before}
	}
	if err != nil {
		return nil, nil, err
	}
	v := runsView{Runs: []ran{}}
	for _, run := range runs {
		v.Runs = append(v.Runs, s.ran(p, run))
	}
	if next != "" {
		v.Next = &next
	}
	p.part, p.title = "runs", p.say("nav-runs")
	if before == "" {
		p.refresh = homeEvery
	}
	return v, history(p, v), nil
}

// sinceOf is since when the first of a target's entries has been found.
func sinceOf(c report.Card) moment {
	for _, e := range c.Entries {
		if !e.Since.IsZero() {
			return moment{e.Since}
		}
	}
	return moment{}
}

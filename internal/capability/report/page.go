// Package report turns recorded runs into one page for people: what is wrong,
// what was copied, whether the copy is proven, what to do first. It judges
// nothing anew and reads no system.
package report

import (
	"cmp"
	"slices"
	"time"

	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// Page is a report before it becomes words.
type Page struct {
	System   string
	Title    string // name of the job, or the verb
	At       time.Time
	Sections []Section
	Output   string // where the page was written, when it was

	Activities []Activity // of a page over a span
	Drills     []Drilled  // newest first
}

// Section is one verb's run.
type Section struct {
	Verb    string
	Took    time.Duration
	Run     journal.Run
	Skipped bool
	Problem *journal.Problem // why the verb did not run at all
	Counts  map[service.Severity]int
	Lines   []Line // worst first; what is fine is only counted
}

// Line is one thing that needs somebody.
type Line struct {
	Target   string
	Severity service.Severity
	Finding  *journal.Finding // nil for an error
	Error    *journal.Problem // nil for a finding
}

// Of makes a page of one run, or of a job's run and those of its verbs.
func Of(run journal.Run, children []journal.Run) Page {
	page := Page{System: run.System, Title: run.Verb, At: run.Started, Output: run.Output}
	if len(children) == 0 && run.Verb != "run" {
		page.Sections = []Section{section(run)}
		return page
	}
	byID := map[string]journal.Run{}
	for _, c := range children {
		byID[c.ID] = c
	}
	for _, step := range run.Steps {
		page.add(step, byID)
	}
	return page
}

func (p *Page) add(step journal.Step, runs map[string]journal.Run) {
	run, known := runs[step.Run]
	if !known {
		p.Sections = append(p.Sections, Section{Verb: step.Verb, Took: step.Took, Skipped: step.Skipped, Problem: step.Error})
		return
	}
	if run.Output != "" {
		p.Output = run.Output
	}
	s := section(run)
	s.Took = step.Took
	p.Sections = append(p.Sections, s)
}

func section(run journal.Run) Section {
	s := Section{Verb: run.Verb, Run: run, Problem: run.Error, Counts: map[service.Severity]int{}}
	if !run.Finished.IsZero() {
		s.Took = run.Finished.Sub(run.Started)
	}
	for _, t := range run.Targets {
		s.Counts[t.Verdict]++
		s.Lines = append(s.Lines, lines(t)...)
	}
	slices.SortStableFunc(s.Lines, func(a, b Line) int { return cmp.Compare(weight(a.Severity), weight(b.Severity)) })
	return s
}

func lines(t journal.Target) []Line {
	var lines []Line
	if t.Error != nil {
		lines = append(lines, Line{Target: t.Target, Severity: service.Unknown, Error: t.Error})
	}
	for _, f := range t.Findings {
		if f.Waived == "" {
			lines = append(lines, Line{Target: t.Target, Severity: f.Severity, Finding: &f})
		}
	}
	return lines
}

// weight puts what is worst first. Unknown comes last: it follows what is known
// to be wrong.
func weight(s service.Severity) int {
	return slices.Index([]service.Severity{service.Critical, service.Warning, service.Unknown, service.OK}, s)
}

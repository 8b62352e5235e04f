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
	Run      string // of the page's own run; empty for a page over a span
	At       time.Time
	Sections []Section
	Problem  *journal.Problem // of a job's own run
	Open     bool             // the page's own run has not ended: it is at work, or was cut off
	Output   string           // where the page was written, when it was

	Since      time.Time // of a page over a span; else zero
	Activities []Activity
	Drills     []Drilled // oldest first
	Capacity   []Capacity
	Results    []Results // of targets that sum up what they hold
}

// Section is one verb's run.
type Section struct {
	Verb     string
	Took     time.Duration
	Run      journal.Run
	Skipped  bool
	Problem  *journal.Problem // why the verb did not run at all, or did not end well
	Counts   map[service.Severity]int
	Lines    []Line // worst first; what is fine is only counted, but for advice
	Accepted []Line // found, and waived by the declaration
}

// Line is one thing that needs somebody.
type Line struct {
	Target   string
	Severity service.Severity
	Finding  *journal.Finding // nil for an error
	Error    *journal.Problem // nil for a finding
}

// Of makes a page of one run, or of a job's run and those of its verbs in order.
func Of(run journal.Run, children []journal.Run) Page {
	page := Page{System: run.System, Title: run.Verb, Run: run.ID, At: run.Started, Output: run.Output, Open: run.Finished.IsZero()}
	if run.Verb != "run" {
		page.Sections = []Section{section(run)}
		page.prove(run)
		return page
	}
	page.Problem = run.Error
	seen := map[string]bool{}
	for _, step := range run.Steps {
		page.step(step, children)
		seen[step.Run] = true
	}
	for _, child := range children { // of a job that has not ended: its steps are not sealed yet
		if !seen[child.ID] {
			page.child(child, section(child))
		}
	}
	return page
}

func (p *Page) step(step journal.Step, children []journal.Run) {
	i := slices.IndexFunc(children, func(r journal.Run) bool { return r.ID == step.Run && step.Run != "" })
	if i < 0 {
		p.Sections = append(p.Sections, Section{Verb: step.Verb, Took: step.Took, Skipped: step.Skipped, Problem: step.Error})
		return
	}
	s := section(children[i])
	s.Took, s.Problem = step.Took, cmp.Or(s.Problem, step.Error)
	p.child(children[i], s)
}

func (p *Page) child(run journal.Run, s Section) {
	p.Output = cmp.Or(run.Output, p.Output)
	p.Sections = append(p.Sections, s)
	p.prove(run)
}

// advising is the verb of which also what may stay is shown: it is what was asked.
const advising = "tune"

func section(run journal.Run) Section {
	s := Section{Verb: run.Verb, Run: run, Problem: run.Error, Counts: map[service.Severity]int{}}
	if !run.Finished.IsZero() {
		s.Took = run.Finished.Sub(run.Started)
	}
	for _, t := range run.Targets {
		s.Counts[t.Verdict]++
		open, accepted := lines(t, run.Verb == advising)
		s.Lines = append(s.Lines, open...)
		s.Accepted = append(s.Accepted, accepted...)
	}
	slices.SortStableFunc(s.Lines, worseFirst)
	return s
}

func lines(t journal.Target, fine bool) (open, accepted []Line) {
	if t.Error != nil {
		open = append(open, Line{Target: t.Target, Severity: service.Unknown, Error: t.Error})
	}
	for _, f := range t.Findings {
		line := Line{Target: t.Target, Severity: f.Severity, Finding: &f}
		switch {
		case f.Waived != "":
			accepted = append(accepted, line)
		case f.Severity != service.OK || fine:
			open = append(open, line)
		}
	}
	return open, accepted
}

// byLine counts lines in the place of targets: one that was asked for advice and had none is
// not praised.
func (s Section) byLine() Section {
	s.Counts = map[service.Severity]int{}
	for _, l := range s.Lines {
		s.Counts[l.Severity]++
	}
	return s
}

func worseFirst(a, b Line) int { return cmp.Compare(weight(a.Severity), weight(b.Severity)) }

// weight puts what is worst first. Unknown comes last: it follows what is known
// to be wrong.
func weight(s service.Severity) int {
	return slices.Index([]service.Severity{service.Critical, service.Warning, service.Unknown, service.OK}, s)
}

// find returns the section of a verb, or nil where the page has none that ran.
func (p Page) find(verb string) *Section {
	for i := range p.Sections {
		if p.Sections[i].Verb == verb && !p.Sections[i].Skipped {
			return &p.Sections[i]
		}
	}
	return nil
}

// open reports whether the verb began and has not ended.
func (s Section) open() bool { return s.Run.ID != "" && s.Run.Finished.IsZero() }

// has reports whether a line of that severity is open.
func (s Section) has(severity service.Severity) bool {
	return slices.ContainsFunc(s.Lines, func(l Line) bool { return l.Severity == severity })
}

// failed names the targets with an error, in order.
func (s Section) failed() []string {
	var names []string
	for _, t := range s.Run.Targets {
		if t.Error != nil {
			names = append(names, t.Target)
		}
	}
	return names
}

package report

import (
	"encoding/json"
	"io"
	"time"

	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// The stable JSON of a page: sizes in bytes, durations in seconds, times RFC 3339.
type pageJSON struct {
	System     string         `json:"system"`
	Title      string         `json:"title"`
	At         string         `json:"at"`
	Since      *string        `json:"since"` // of a page over a span
	Sentence   string         `json:"sentence"`
	Ended      bool           `json:"ended"`
	Error      *errorJSON     `json:"error"`
	Runs       []runJSON      `json:"runs"`
	Activities []activityJSON `json:"activities"`
	Drills     []drillJSON    `json:"drills"`
	Output     string         `json:"output,omitempty"`
}

type runJSON struct {
	Run     string           `json:"run,omitempty"`
	Verb    string           `json:"verb"`
	Verdict service.Severity `json:"verdict"`
	Exit    int              `json:"exit_code"`
	Started *string          `json:"started"`
	Took    float64          `json:"took_s"`
	Skipped bool             `json:"skipped"`
	Ended   bool             `json:"ended"`
	Summary string           `json:"summary"`
	Error   *errorJSON       `json:"error"`
	Targets []targetJSON     `json:"targets"`
	Point   string           `json:"point,omitempty"`
	Proof   *proofJSON       `json:"proof"`
}

type targetJSON struct {
	Target   string           `json:"target"`
	Kind     string           `json:"kind"`
	Verdict  service.Severity `json:"verdict"`
	Took     float64          `json:"took_s"`
	Error    *errorJSON       `json:"error"`
	Findings []findingJSON    `json:"findings"`
	Facts    service.Facts    `json:"facts"`
}

type findingJSON struct {
	ID       string           `json:"id"`
	Severity service.Severity `json:"severity"`
	Subject  string           `json:"subject,omitempty"`
	Title    string           `json:"title"`
	Evidence service.Args     `json:"evidence"`
	Fix      string           `json:"fix"`
	Runbook  string           `json:"runbook"`
	Since    string           `json:"since"`
	Waived   string           `json:"waived,omitempty"`
}

type errorJSON struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Consequence string `json:"consequence"`
	Fix         string `json:"fix"`
	Detail      string `json:"detail"`
}

type proofJSON struct {
	RPO      float64          `json:"rpo_s"`
	RTO      float64          `json:"rto_s"`
	Compared map[string]int64 `json:"compared"`
}

type activityJSON struct {
	Verb   string `json:"verb"`
	Runs   int    `json:"runs"`
	Failed int    `json:"failed"`
}

type drillJSON struct {
	At  string  `json:"at"`
	RPO float64 `json:"rpo_s"`
	RTO float64 `json:"rto_s"`
}

// json writes a page for programs.
func (t Text) json(out io.Writer, p Page) error {
	t.Colour = false
	v := pageJSON{System: p.System, Title: p.Title, At: stamp(p.At), Since: maybe(p.Since), Sentence: t.Sentence(p), Ended: !p.Open,
		Error: t.errorJSON(p.Problem, "", p.Run), Output: p.Output, Runs: []runJSON{}, Activities: []activityJSON{}, Drills: []drillJSON{}}
	for _, s := range p.Sections {
		v.Runs = append(v.Runs, t.runJSON(s))
	}
	for _, a := range p.Activities {
		v.Activities = append(v.Activities, activityJSON(a))
	}
	for _, d := range p.Drills {
		v.Drills = append(v.Drills, drillJSON{stamp(d.At), d.RPO.Seconds(), d.RTO.Seconds()})
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

func stamp(t time.Time) string { return t.Format(time.RFC3339) }

// maybe is a time as JSON, or null.
func maybe(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := stamp(t)
	return &s
}

func (t Text) runJSON(s Section) runJSON {
	v := runJSON{Run: s.Run.ID, Verb: s.Verb, Verdict: s.verdict(), Exit: s.Run.Exit, Started: maybe(s.Run.Started),
		Took: s.Took.Seconds(), Skipped: s.Skipped, Ended: !s.open(), Summary: t.Summary(s),
		Error: t.errorJSON(s.Problem, "", s.Run.ID), Targets: []targetJSON{}, Point: s.Run.Point}
	if s.Problem != nil && v.Run == "" {
		v.Exit = s.Problem.Code
	}
	for _, target := range s.Run.Targets {
		v.Targets = append(v.Targets, t.targetJSON(target, s.Run.ID))
	}
	if proof := s.Run.Proof; proof != nil {
		v.Proof = &proofJSON{proof.RPO.Seconds(), proof.RTO.Seconds(), proof.Compared}
	}
	return v
}

func (t Text) targetJSON(target journal.Target, run string) targetJSON {
	v := targetJSON{Target: target.Target, Kind: target.Kind, Verdict: target.Verdict, Took: target.Took.Seconds(),
		Error: t.errorJSON(target.Error, target.Target, run), Findings: []findingJSON{}, Facts: target.Facts}
	for _, f := range target.Findings {
		title, fix := t.Words.Finding(f.ID, f.Words(target.Target))
		v.Findings = append(v.Findings, findingJSON{f.ID, f.Severity, f.Subject, title, f.Args, fix,
			"docs/runbooks/" + f.ID + ".md", stamp(f.Since), f.Waived})
	}
	return v
}

func (t Text) errorJSON(p *journal.Problem, target, run string) *errorJSON {
	if p == nil {
		return nil
	}
	title, consequence, fix := t.Words.Error(p.ID, p.Words(target, run))
	return &errorJSON{p.ID, title, consequence, fix, p.Detail}
}

package report

import (
	"encoding/json"
	"io"

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
	Error      *ErrorView     `json:"error"`
	Runs       []runJSON      `json:"runs"`
	Activities []activityJSON `json:"activities"`
	Drills     []drillJSON    `json:"drills"`
	Capacity   []capacityJSON `json:"capacity"` // of a page over a span
	Results    []resultsJSON  `json:"results"`  // likewise
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
	Error   *ErrorView       `json:"error"`
	Targets []TargetView     `json:"targets"`
	Point   string           `json:"point,omitempty"`
	Proof   *ProofView       `json:"proof"`
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
	v := pageJSON{System: p.System, Title: p.Title, At: Stamp(p.At), Since: Maybe(p.Since), Sentence: t.Sentence(p), Ended: !p.Open,
		Error: ErrorOf(t.Words, p.Problem, "", p.Run), Output: p.Output, Runs: []runJSON{}, Activities: []activityJSON{}, Drills: []drillJSON{}}
	for _, s := range p.Sections {
		v.Runs = append(v.Runs, t.runJSON(s))
	}
	for _, a := range p.Activities {
		v.Activities = append(v.Activities, activityJSON(a))
	}
	for _, d := range p.Drills {
		v.Drills = append(v.Drills, drillJSON{Stamp(d.At), d.RPO.Seconds(), d.RTO.Seconds()})
	}
	v.Capacity = []capacityJSON{}
	for _, c := range p.Capacity {
		v.Capacity = append(v.Capacity, c.json())
	}
	v.Results = []resultsJSON{}
	for _, r := range p.Results {
		v.Results = append(v.Results, r.json(t.Words))
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

func (t Text) runJSON(s Section) runJSON {
	v := runJSON{Run: s.Run.ID, Verb: s.Verb, Verdict: s.verdict(), Exit: s.Run.Exit, Started: Maybe(s.Run.Started),
		Took: s.Took.Seconds(), Skipped: s.Skipped, Ended: !s.open(), Summary: t.Summary(s),
		Error: ErrorOf(t.Words, s.Problem, "", s.Run.ID), Targets: []TargetView{}, Point: s.Run.Point}
	if s.Problem != nil && v.Run == "" {
		v.Exit = s.Problem.Code
	}
	for _, target := range s.Run.Targets {
		v.Targets = append(v.Targets, TargetOf(t.Words, target, s.Run.ID))
	}
	if proof := s.Run.Proof; proof != nil {
		v.Proof = &ProofView{proof.RPO.Seconds(), proof.RTO.Seconds(), proof.Compared}
	}
	return v
}

package cli

import (
	"bytes"
	"encoding/json"
	"fmt"

	"upkeep/internal/capability/report"
	"upkeep/internal/journal"
	"upkeep/internal/repository"
	"upkeep/internal/service"
)

// runView is the stable JSON of one run.
type runView struct {
	Run     string              `json:"run,omitempty"`
	System  string              `json:"system,omitempty"`
	Verb    string              `json:"verb,omitempty"`
	Verdict service.Severity    `json:"verdict"`
	Exit    int                 `json:"exit_code"`
	Started string              `json:"started,omitempty"`
	Took    float64             `json:"took_s"`
	Targets []report.TargetView `json:"targets"`
	Steps   []stepView          `json:"steps,omitempty"`
	Point   any                 `json:"point"` // a pointView; a pointRef where the repository was not asked or has lost it
	Plan    *planView           `json:"plan"`
	Proof   *report.ProofView   `json:"proof,omitempty"`
	Output  string              `json:"output,omitempty"`
	Error   *report.ErrorView   `json:"error,omitempty"`
}

type stepView struct {
	Verb    string            `json:"verb"`
	Title   string            `json:"title,omitempty"`
	Run     string            `json:"run,omitempty"`
	Exit    int               `json:"exit_code"`
	Skipped bool              `json:"skipped,omitempty"`
	Took    float64           `json:"took_s"`
	Error   *report.ErrorView `json:"error,omitempty"`
}

type pointView struct {
	ID       string            `json:"id"`
	Reason   string            `json:"reason"`
	Taken    string            `json:"taken"`
	Bytes    int64             `json:"bytes"`
	Added    int64             `json:"added_bytes"`
	Window   float64           `json:"window_s"`
	Complete bool              `json:"complete"`
	Parts    []partView        `json:"parts"`
	Verified *string           `json:"verified"`
	Proven   *string           `json:"proven"`
	Proof    *report.ProofView `json:"proof,omitempty"`
	KeptBy   []string          `json:"kept_by,omitempty"`
}

// pointRef is what the journal alone knows of a point.
type pointRef struct {
	ID string `json:"id"`
}

type partView struct {
	Target string           `json:"target"`
	Path   string           `json:"path"`
	Bytes  int64            `json:"bytes"`
	SHA256 string           `json:"sha256"`
	Counts map[string]int64 `json:"counts"`
}

type planView struct {
	Digest   string         `json:"digest"`
	Verb     string         `json:"verb"`
	Made     string         `json:"made,omitempty"`
	MadeBy   string         `json:"made_by,omitempty"`
	Approved *string        `json:"approved"`
	By       string         `json:"approved_by,omitempty"`
	Applied  string         `json:"applied,omitempty"`
	Steps    []planStepView `json:"steps"`
}

type planStepView struct {
	ID     string          `json:"id"`
	Target string          `json:"target,omitempty"`
	Op     string          `json:"op"`
	Risk   service.Risk    `json:"risk"`
	Title  string          `json:"title"`
	Note   string          `json:"note,omitempty"` // of the present; the plan is not made for it
	Args   json.RawMessage `json:"args,omitempty"`
}

func (c *cli) runView(run journal.Run) runView {
	v := runView{Run: run.ID, System: run.System, Verb: run.Verb, Verdict: run.Verdict, Exit: run.Exit,
		Started: report.Stamp(run.Started), Targets: []report.TargetView{}, Output: run.Output, Error: c.problemView(run.Error, run.ID)}
	if !run.Finished.IsZero() {
		v.Took = run.Finished.Sub(run.Started).Seconds()
	}
	for _, t := range run.Targets {
		v.Targets = append(v.Targets, report.TargetOf(c.words, t, run.ID))
	}
	for _, s := range run.Steps {
		if run.Verb == "run" || run.Plan != "" {
			v.Steps = append(v.Steps, c.stepView(s))
		}
	}
	if run.Point != "" {
		v.Point = pointRef{run.Point}
	}
	if run.Proof != nil {
		v.Proof = &report.ProofView{RPO: run.Proof.RPO.Seconds(), RTO: run.Proof.RTO.Seconds(), Compared: run.Proof.Compared}
	}
	return v
}

func (c *cli) stepView(s journal.Step) stepView {
	v := stepView{Verb: s.Verb, Run: s.Run, Exit: s.Exit, Skipped: s.Skipped, Took: s.Took.Seconds(), Error: c.problemView(s.Error, s.Run)}
	if s.Title.ID != "" {
		v.Title = c.words.Message(s.Title.ID, s.Title.Args)
	}
	return v
}

func pointOf(p repository.Point) *pointView {
	v := &pointView{ID: p.ID, Reason: p.Reason, Taken: report.Stamp(p.Taken), Bytes: p.Bytes, Added: p.AddedBytes, Window: p.Window().Seconds(),
		Complete: p.Complete, Verified: report.Maybe(p.Verified), Proven: report.Maybe(p.Proven), Parts: []partView{}}
	if p.Proof != nil {
		v.Proof = &report.ProofView{RPO: p.Proof.RPO.Seconds(), RTO: p.Proof.RTO.Seconds(), Compared: p.Proof.Compared}
	}
	for _, t := range p.Targets {
		v.Parts = append(v.Parts, partView{Target: t.Target, Path: t.Kind + "/", Bytes: t.Bytes, SHA256: t.SHA256, Counts: t.Counts})
	}
	return v
}

func (c *cli) planView(p journal.Plan) *planView {
	v := &planView{Digest: p.Digest, Verb: p.Verb, Made: report.Stamp(p.Made), MadeBy: p.MadeBy, Approved: report.Maybe(p.Approved),
		By: p.By, Applied: p.Applied, Steps: c.planSteps(p.Steps)}
	return v
}

func (c *cli) planSteps(steps []service.Step) []planStepView {
	views := []planStepView{}
	for _, s := range steps {
		view := planStepView{ID: s.ID, Target: s.Target, Op: s.Op, Risk: s.Risk, Title: c.words.Message(s.Title.ID, s.Title.Args), Args: s.Args}
		if s.Note.ID != "" {
			view.Note = c.words.Message(s.Note.ID, s.Note.Args)
		}
		views = append(views, view)
	}
	return views
}

// printJSON leaves <, > and & as they are: commands and conditions stay readable.
func (c *cli) printJSON(v any) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err)) // our own views always encode
	}
	fmt.Fprint(c.Out, text.String())
}

package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"upkeep/internal/journal"
	"upkeep/internal/repository"
	"upkeep/internal/service"
)

// runView is the stable JSON of one run.
type runView struct {
	Run     string           `json:"run,omitempty"`
	System  string           `json:"system,omitempty"`
	Verb    string           `json:"verb,omitempty"`
	Verdict service.Severity `json:"verdict"`
	Exit    int              `json:"exit_code"`
	Started string           `json:"started,omitempty"`
	Took    float64          `json:"took_s"`
	Targets []targetView     `json:"targets"`
	Steps   []stepView       `json:"steps,omitempty"`
	Point   any              `json:"point"` // a pointView; a pointRef where the repository was not asked or has lost it
	Plan    *planView        `json:"plan"`
	Proof   *proofView       `json:"proof,omitempty"`
	Output  string           `json:"output,omitempty"`
	Error   *errorView       `json:"error,omitempty"`
}

type targetView struct {
	Target   string           `json:"target"`
	Kind     string           `json:"kind"`
	Verdict  service.Severity `json:"verdict"`
	Took     float64          `json:"took_s"`
	Error    *errorView       `json:"error"`
	Findings []findingView    `json:"findings"`
	Facts    service.Facts    `json:"facts"`
}

type findingView struct {
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

type errorView struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Consequence string `json:"consequence"`
	Fix         string `json:"fix"`
	Detail      string `json:"detail"`
}

type stepView struct {
	Verb    string     `json:"verb"`
	Title   string     `json:"title,omitempty"`
	Run     string     `json:"run,omitempty"`
	Exit    int        `json:"exit_code"`
	Skipped bool       `json:"skipped,omitempty"`
	Took    float64    `json:"took_s"`
	Error   *errorView `json:"error,omitempty"`
}

type pointView struct {
	ID       string     `json:"id"`
	Reason   string     `json:"reason"`
	Taken    string     `json:"taken"`
	Bytes    int64      `json:"bytes"`
	Added    int64      `json:"added_bytes"`
	Complete bool       `json:"complete"`
	Parts    []partView `json:"parts"`
	Verified *string    `json:"verified"`
	Proven   *string    `json:"proven"`
	Proof    *proofView `json:"proof,omitempty"`
	KeptBy   []string   `json:"kept_by,omitempty"`
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

type proofView struct {
	RPO      float64          `json:"rpo_s"`
	RTO      float64          `json:"rto_s"`
	Compared map[string]int64 `json:"compared"`
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
	Args   json.RawMessage `json:"args,omitempty"`
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

func (c *cli) runView(run journal.Run) runView {
	v := runView{Run: run.ID, System: run.System, Verb: run.Verb, Verdict: run.Verdict, Exit: run.Exit,
		Started: stamp(run.Started), Targets: []targetView{}, Output: run.Output, Error: c.problemView(run.Error, "", run.ID)}
	if !run.Finished.IsZero() {
		v.Took = run.Finished.Sub(run.Started).Seconds()
	}
	for _, t := range run.Targets {
		v.Targets = append(v.Targets, c.targetView(t, run.ID))
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
		v.Proof = &proofView{run.Proof.RPO.Seconds(), run.Proof.RTO.Seconds(), run.Proof.Compared}
	}
	return v
}

func (c *cli) targetView(t journal.Target, run string) targetView {
	v := targetView{Target: t.Target, Kind: t.Kind, Verdict: t.Verdict, Took: t.Took.Seconds(),
		Error: c.problemView(t.Error, t.Target, run), Findings: []findingView{}, Facts: t.Facts}
	for _, f := range t.Findings {
		title, fix := c.words.Finding(f.ID, f.Words(t.Target))
		v.Findings = append(v.Findings, findingView{ID: f.ID, Severity: f.Severity, Subject: f.Subject, Title: title,
			Evidence: f.Args, Fix: fix, Runbook: "docs/runbooks/" + f.ID + ".md", Since: stamp(f.Since), Waived: f.Waived})
	}
	return v
}

func (c *cli) stepView(s journal.Step) stepView {
	v := stepView{Verb: s.Verb, Run: s.Run, Exit: s.Exit, Skipped: s.Skipped, Took: s.Took.Seconds(), Error: c.problemView(s.Error, "", s.Run)}
	if s.Title.ID != "" {
		v.Title = c.words.Message(s.Title.ID, s.Title.Args)
	}
	return v
}

func pointOf(p repository.Point) *pointView {
	v := &pointView{ID: p.ID, Reason: p.Reason, Taken: stamp(p.Taken), Bytes: p.Bytes, Added: p.AddedBytes,
		Complete: p.Complete, Verified: maybe(p.Verified), Proven: maybe(p.Proven), Parts: []partView{}}
	if p.Proof != nil {
		v.Proof = &proofView{p.Proof.RPO.Seconds(), p.Proof.RTO.Seconds(), p.Proof.Compared}
	}
	for _, t := range p.Targets {
		v.Parts = append(v.Parts, partView{Target: t.Target, Path: t.Kind + "/", Bytes: t.Bytes, SHA256: t.SHA256, Counts: t.Counts})
	}
	return v
}

func (c *cli) planView(p journal.Plan) *planView {
	v := &planView{Digest: p.Digest, Verb: p.Verb, Made: stamp(p.Made), MadeBy: p.MadeBy, Approved: maybe(p.Approved),
		By: p.By, Applied: p.Applied, Steps: c.planSteps(p.Steps)}
	return v
}

func (c *cli) planSteps(steps []service.Step) []planStepView {
	views := []planStepView{}
	for _, s := range steps {
		views = append(views, planStepView{s.ID, s.Target, s.Op, s.Risk, c.words.Message(s.Title.ID, s.Title.Args), s.Args})
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

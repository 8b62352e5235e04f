package report

import (
	"time"

	"upkeep/internal/catalogue"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// What every JSON answer is made of: sizes in bytes, durations in seconds, times
// RFC 3339 with offset.

// TargetView is what a run says of one target.
type TargetView struct {
	Target   string           `json:"target"`
	Kind     string           `json:"kind"`
	Verdict  service.Severity `json:"verdict"`
	Took     float64          `json:"took_s"`
	Error    *ErrorView       `json:"error"`
	Findings []FindingView    `json:"findings"`
	Facts    service.Facts    `json:"facts"`
}

// FindingView is a judgement with its words.
type FindingView struct {
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

// ErrorView is why something could not be told or done.
type ErrorView struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Consequence string `json:"consequence"`
	Fix         string `json:"fix"`
	Detail      string `json:"detail"`
}

// ProofView is what a drill measured.
type ProofView struct {
	RPO      float64          `json:"rpo_s"`
	RTO      float64          `json:"rto_s"`
	Compared map[string]int64 `json:"compared"`
}

// TargetOf turns a target's result into its JSON, with words.
func TargetOf(words catalogue.Words, target journal.Target, run string) TargetView {
	v := TargetView{Target: target.Target, Kind: target.Kind, Verdict: target.Verdict, Took: target.Took.Seconds(),
		Error: ErrorOf(words, target.Error, target.Target, run), Findings: []FindingView{}, Facts: target.Facts}
	for _, f := range target.Findings {
		title, fix := words.Finding(f.ID, f.Words(target.Target))
		v.Findings = append(v.Findings, FindingView{f.ID, f.Severity, f.Subject, title, f.Args, fix,
			Runbook(f.ID), Stamp(f.Since), f.Waived})
	}
	return v
}

// ErrorOf turns a problem into its JSON, with words; nil stays nil.
func ErrorOf(words catalogue.Words, p *journal.Problem, target, run string) *ErrorView {
	if p == nil {
		return nil
	}
	title, consequence, fix := words.Error(p.ID, p.Words(target, run))
	return &ErrorView{p.ID, title, consequence, fix, p.Detail}
}

// Stamp is a time as JSON.
func Stamp(t time.Time) string { return t.Format(time.RFC3339) }

// Maybe is a time as JSON, or null.
func Maybe(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := Stamp(t)
	return &s
}

package service

import (
	"maps"
	"slices"
)

// Severity orders judgements. Unknown stands apart: it is "could not tell" and
// never counts as ok.
type Severity string

// The four verdicts that a person can be shown.
const (
	OK       Severity = "ok"
	Warning  Severity = "warning"
	Critical Severity = "critical"
	Unknown  Severity = "unknown"
)

// Args are the facts that a message is made of: JSON values only, sizes in bytes
// as int64 or float64, durations in seconds, shares from 0 to 1. Never a secret.
type Args map[string]any

// Facts are measured values worth keeping: "version", "size_bytes". JSON values.
type Facts map[string]any

// Message is words to come: an ID of a catalogue and its arguments. It is turned
// into text when shown, in the reader's language.
type Message struct {
	ID   string `json:"id"`
	Args Args   `json:"args,omitempty"`
}

// Finding is one judgement with a fix. Its title and fix are in the kind's
// catalogue under the ID.
type Finding struct {
	ID       string   `json:"id"` // slug of the kind; the engine completes it to KIND.slug
	Severity Severity `json:"severity"`
	Subject  string   `json:"subject,omitempty"` // which of the target's things: a mount, a table; empty = the target
	Args     Args     `json:"args,omitempty"`
}

// Verdict is what one check of one target found.
type Verdict struct {
	Findings []Finding `json:"findings,omitempty"`
	Facts    Facts     `json:"facts,omitempty"`
}

// Warn adds a finding that can wait until tomorrow.
func (v *Verdict) Warn(slug, subject string, args Args) { v.add(Warning, slug, subject, args) }

// Crit adds a finding that cannot.
func (v *Verdict) Crit(slug, subject string, args Args) { v.add(Critical, slug, subject, args) }

// Unsure adds something that could not be told about a part of the target while
// the rest was judged.
func (v *Verdict) Unsure(slug, subject string, args Args) { v.add(Unknown, slug, subject, args) }

func (v *Verdict) add(s Severity, slug, subject string, args Args) {
	v.Findings = append(v.Findings, Finding{ID: slug, Severity: s, Subject: subject, Args: args})
}

// Set records a fact.
func (v *Verdict) Set(name string, value any) {
	if v.Facts == nil {
		v.Facts = Facts{}
	}
	v.Facts[name] = value
}

// Merge adds the findings and facts of other.
func (v *Verdict) Merge(other Verdict) {
	v.Findings = append(v.Findings, other.Findings...)
	for _, name := range slices.Sorted(maps.Keys(other.Facts)) {
		v.Set(name, other.Facts[name])
	}
}

// Worst returns the gravest severity among the findings: critical, unknown,
// warning, ok in this order.
func Worst(findings []Finding) Severity {
	worst := OK
	for _, f := range findings {
		if rank(f.Severity) > rank(worst) {
			worst = f.Severity
		}
	}
	return worst
}

func rank(s Severity) int {
	return slices.Index([]Severity{OK, Warning, Unknown, Critical}, s)
}

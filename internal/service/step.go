package service

import "encoding/json"

// Step is work as data: a plan crosses processes (plan, approve, apply), is
// hashed, and resumes after a crash. Whoever planned a step does it, at least
// once: a repeated step must find its own work done.
type Step struct {
	ID     string          `json:"id"`               // unique in the plan
	Target string          `json:"target,omitempty"` // whose lock it needs; empty = none
	Op     string          `json:"op"`               // what doing switches on
	Args   json.RawMessage `json:"args,omitempty"`   // all that doing needs
	Seen   string          `json:"seen,omitempty"`   // identity the plan was made for; stale when it changed
	Risk   Risk            `json:"risk"`
	Title  Message         `json:"title"`
	// Note is what a reader is told of the present beside it. It may move while the plan stays
	// the same, and is not hashed.
	Note Message `json:"note,omitzero"`
}

// Risk says what a step can do to somebody's data or service.
type Risk string

// Risks in rising order. Disruptive work loses no data but is felt by users.
const (
	ReadOnly    Risk = "read-only"
	Harmless    Risk = "harmless"   // contents unchanged
	Reversible  Risk = "reversible" // can be undone by upkeep
	Disruptive  Risk = "disruptive"
	Destructive Risk = "destructive"
)

// Task is one step as it is handed to whoever does it.
type Task struct {
	Step     Step
	Instance Instance // of Step.Target, opened for this run; nil for a step without target
	Report   Report
	Earlier  map[string]Done // what earlier steps of the same run gave, by step ID, also those done before a crash
}

// Outcome is what doing a step gave. It survives a crash, so Result holds all
// that later steps need, as JSON.
type Outcome struct {
	Verdict Verdict            `json:"verdict"`
	Targets map[string]Verdict `json:"targets,omitempty"` // of a step without target that judged several
	Result  json.RawMessage    `json:"result,omitempty"`
}

// Done is a finished step.
type Done struct {
	Outcome Outcome
	Failed  bool
}

// Decode reads the result of a finished step into v.
func (d Done) Decode(v any) error { return json.Unmarshal(d.Outcome.Result, v) }

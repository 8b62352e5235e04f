package service

import (
	"cmp"
	"context"
	"slices"
)

// Advisor says how something about the target would be set better, as far as that follows
// from what was measured or declared: how many workers, how large a batch. It reads only
// and may take minutes. What lacks an input is unknown: no usual number stands in for one
// that nobody measured.
type Advisor interface {
	Advise(ctx context.Context) ([]Advice, error)
}

// Advice is one setting, as it is and as it should be. Its words are in the kind's
// catalogue under the ID, as those of a finding: the title gives the reason, the fix how it
// is applied.
type Advice struct {
	ID string // slug of the kind
	// Severity is OK where it may stay or be better, Warning where it does harm as it is,
	// Unknown where an input is.
	Severity Severity
	Subject  string
	Present  any // nil where nothing is set or running
	Proposed any // nil where it cannot be told
	Bounds   []Bound
	Inputs   []Input
	Args     Args // what the words need beside all this
}

// Bound is one thing that limits a proposal.
type Bound struct {
	Name   string  `json:"name"`
	Allows float64 `json:"allows"`
}

// Tightest orders bounds, the binding one first.
func Tightest(bounds []Bound) []Bound {
	return slices.SortedStableFunc(slices.Values(bounds), func(a, b Bound) int { return cmp.Compare(a.Allows, b.Allows) })
}

// Input is one number that advice follows from.
type Input struct {
	Name  string    `json:"name"`
	Value any       `json:"value"` // nil = not known
	Known Knowledge `json:"known"`
	From  string    `json:"from,omitempty"`   // where it was read: a file, a key of the declaration
	Over  float64   `json:"over_s,omitempty"` // seconds that it was measured over
}

// Knowledge is how something came to be known.
type Knowledge string

// What is measured is surer than what somebody declared.
const (
	Measured Knowledge = "measured"
	Declared Knowledge = "declared"
	NotKnown Knowledge = "unknown"
)

// Confidence is that of the weakest input.
func (a Advice) Confidence() Knowledge {
	weakest := Measured
	for _, in := range a.Inputs {
		if in.Known == NotKnown || weakest == Measured {
			weakest = in.Known
		}
	}
	return weakest
}

// Finding is the advice as it is recorded and shown.
func (a Advice) Finding() Finding {
	args := Args{"present": a.Present, "proposed": a.Proposed, "bounds": a.Bounds, "inputs": a.Inputs, "confidence": a.Confidence()}
	for name, value := range a.Args {
		args[name] = value
	}
	return Finding{ID: a.ID, Severity: a.Severity, Subject: a.Subject, Args: args}
}

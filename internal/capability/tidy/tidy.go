// Package tidy ends what was kept for undo when its time is over, and removes the
// restore points that keep: no longer holds: what every backup does at its end, where
// none is taken.
package tidy

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"time"

	"upkeep/internal/repository"
	"upkeep/internal/service"
)

//go:embed text.yaml
var text []byte

// Words is the verb's catalogue, under the prefix "tidy".
func Words() []byte { return text }

// Tidy is one tidying up.
type Tidy struct {
	Keep repository.Keep
	// Open gives the repository; nil where there is none yet.
	Open func(ctx context.Context) (*repository.Repository, error)
	// Space gives back the space of what was removed, when that is due.
	Space func(ctx context.Context) error
	// Next is told when the first of what is still kept for undo ends; zero = nothing is.
	Next func(ctx context.Context, at time.Time) error
}

const op = "tidy"

// Steps lists the one step.
func (*Tidy) Steps() []service.Step {
	return []service.Step{{ID: op, Op: op, Risk: service.Harmless, Title: service.Message{ID: "tidy.step"}}}
}

// own is under which name a run tells of upkeep itself.
const own = "upkeep"

// Do does it.
func (t *Tidy) Do(ctx context.Context, task service.Task) (out service.Outcome, err error) {
	if task.Step.Op != op {
		return out, fmt.Errorf("step %s: unknown operation %q", task.Step.ID, task.Step.Op)
	}
	r, err := t.Open(ctx)
	if err != nil || r == nil {
		return out, err
	}
	decisions, err := r.Retain(ctx, t.Keep, false)
	if err != nil {
		return out, fmt.Errorf("apply keep: %w", err)
	}
	trash, points := count(decisions)
	out.Targets = map[string]service.Verdict{own: {Facts: service.Facts{"removed_undo": trash, "removed_points": points}}}
	next, err := t.first(ctx, r)
	if err == nil {
		err = t.Next(ctx, next)
	}
	if err != nil {
		return out, err
	}
	return out, t.Space(ctx)
}

// count tells what was kept for undo from other points that went.
func count(decisions []repository.Decision) (trash, points int) {
	for _, d := range decisions {
		switch {
		case d.Keep:
		case slices.Contains(d.Rules, repository.RuleExpired):
			trash++
		default:
			points++
		}
	}
	return trash, points
}

// first is when the first of what is kept for undo ends.
func (t *Tidy) first(ctx context.Context, r *repository.Repository) (first time.Time, err error) {
	points, err := r.Points(ctx)
	for _, p := range points {
		own := p.System == t.Keep.System && p.Reason == repository.ReasonBeforeRestore
		if own && !p.Expires.IsZero() && (first.IsZero() || p.Expires.Before(first)) {
			first = p.Expires
		}
	}
	return first, err
}

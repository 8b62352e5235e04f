// Package verify reads a restore point back and authenticates every byte that a
// restore needs. It says nothing about what the bytes mean: drill does.
package verify

import (
	"context"
	"fmt"
	"time"

	"upkeep/internal/repository"
	"upkeep/internal/service"
)

// Verify reads one point.
type Verify struct {
	Repository *repository.Repository
	Point      repository.Point
	Sample     float64 // share of the parts to read; 1 = every one
	Now        func() time.Time
}

const (
	opRead = "read"
	opMark = "mark"
	// shown bounds the damaged parts that are named one by one.
	shown = 10
)

// Steps lists one step per copy, then the mark that lasts with the point.
func (v Verify) Steps() []service.Step {
	var steps []service.Step
	for _, c := range v.Point.Targets {
		steps = append(steps, service.Step{ID: "verify " + c.Target, Target: c.Target, Op: opRead, Risk: service.ReadOnly,
			Title: service.Message{ID: "verify.read", Args: service.Args{"target": c.Target}}})
	}
	return append(steps, service.Step{ID: opMark, Op: opMark, Risk: service.ReadOnly,
		Title: service.Message{ID: "verify.mark", Args: service.Args{"point": v.Point.ID}}})
}

// Do does one step.
func (v Verify) Do(ctx context.Context, t service.Task) (service.Outcome, error) {
	if t.Step.Op == opMark {
		return service.Outcome{}, v.mark(ctx, t)
	}
	read, err := v.Repository.Verify(ctx, v.Point, repository.VerifyOptions{Target: t.Step.Target, Sample: v.Sample}, t.Report)
	if err != nil {
		return service.Outcome{}, fmt.Errorf("read the copy of %s back: %w", t.Step.Target, err)
	}
	return service.Outcome{Verdict: judge(read)}, nil
}

func judge(read repository.Verified) service.Verdict {
	var verdict service.Verdict
	verdict.Set("read_bytes", read.Bytes)
	verdict.Set("read_parts", read.Parts)
	verdict.Set("damaged_parts", len(read.Damaged))
	for _, d := range read.Damaged[:min(shown, len(read.Damaged))] {
		verdict.Crit("verify.part-damaged", d.Part, service.Args{"part": d.Part, "detail": d.Detail})
	}
	return verdict
}

// mark keeps the time at which every byte was shown to be right. A sample or a
// difference leaves the point as it was.
func (v Verify) mark(ctx context.Context, t service.Task) error {
	if v.Sample < 1 || !v.Point.Complete {
		return nil
	}
	for _, d := range t.Earlier {
		if d.Failed || len(d.Outcome.Verdict.Findings) > 0 {
			return nil
		}
	}
	if err := v.Repository.MarkVerified(ctx, v.Point.ID, v.Now()); err != nil {
		return fmt.Errorf("mark point %s as verified: %w", v.Point.ID, err)
	}
	return nil
}

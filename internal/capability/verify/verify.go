// Package verify reads a restore point back and authenticates every byte that a
// restore needs. It says nothing about what the bytes mean: drill does.
package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
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

// Steps lists the reading of all copies, then the mark that lasts with the point.
func (v Verify) Steps() []service.Step {
	var steps []service.Step
	for _, op := range []string{opRead, opMark} {
		steps = append(steps, service.Step{ID: op, Op: op, Risk: service.ReadOnly,
			Title: service.Message{ID: "verify." + op, Args: service.Args{"point": v.Point.ID}}})
	}
	return steps
}

// Do does one step.
func (v Verify) Do(ctx context.Context, t service.Task) (service.Outcome, error) {
	if t.Step.Op == opMark {
		return service.Outcome{}, v.mark(ctx, t)
	}
	read, err := v.Repository.Verify(ctx, v.Point.ID, repository.VerifyOptions{Sample: v.Sample}, t.Report)
	if err != nil {
		return service.Outcome{}, fmt.Errorf("read point %s back: %w", v.Point.ID, err)
	}
	out := service.Outcome{Targets: v.judge(read), Result: encode(read.DamagedParts)}
	if len(read.Damaged) > 0 {
		if _, err := v.Repository.Forget(ctx, read.Damaged); err != nil {
			return out, fmt.Errorf("keep later copies from sharing what is damaged: %w", err)
		}
	}
	return out, nil
}

// judge names the first damaged parts of every target. Damage of the repository
// itself concerns them all.
func (v Verify) judge(read repository.Verified) map[string]service.Verdict {
	verdicts := map[string]service.Verdict{}
	for _, c := range v.Point.Targets {
		var verdict service.Verdict
		verdict.Set("bytes", c.Bytes)
		for _, d := range read.Damaged {
			if (d.Target == c.Target || d.Target == "") && len(verdict.Findings) < shown {
				verdict.Crit("verify.part-damaged", d.Part, service.Args{"part": d.Part, "detail": d.Detail})
			}
		}
		verdicts[c.Target] = verdict
	}
	return verdicts
}

// mark keeps the time at which every byte was shown to be right, or that some
// are not. A clean sample shows neither.
func (v Verify) mark(ctx context.Context, t service.Task) error {
	var damaged int64
	if read := t.Earlier[opRead]; read.Failed || read.Decode(&damaged) != nil {
		return nil
	}
	if damaged > 0 {
		return v.Repository.MarkDamaged(ctx, v.Point.ID, v.Now())
	}
	if v.Sample < 1 || !v.Point.Complete {
		return nil
	}
	if err := v.Repository.MarkVerified(ctx, v.Point.ID, v.Now()); err != nil {
		return fmt.Errorf("mark point %s as verified: %w", v.Point.ID, err)
	}
	return nil
}

func encode(n int64) json.RawMessage { return json.RawMessage(strconv.FormatInt(n, 10)) }

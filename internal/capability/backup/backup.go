// Package backup takes one restore point over all chosen targets. It writes to
// the repository only.
package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"upkeep/internal/inventory"
	"upkeep/internal/repository"
	"upkeep/internal/service"
)

// Backup is one restore point in the making.
type Backup struct {
	Targets []inventory.Target
	Point   repository.Header
	Files   map[string][]byte // the declaration, kept in the point
	Keep    *repository.Keep  // applied after the point is sealed; nil = keep everything
	// Tidy merges indexes and gives back space after the point is sealed; nil leaves
	// both, and the removal of points, to a later backup.
	Tidy func(ctx context.Context) error
	// Open gives the repository when the first step needs it: listing the steps
	// makes none.
	Open func(ctx context.Context) (*repository.Repository, error)
	Head func(ctx context.Context) (string, error) // of the journal's chain, kept in the point
	Path string                                    // of the repository
	Free func() (int64, error)                     // bytes there

	repository *repository.Repository
	writer     *repository.PointWriter
}

// What its steps do.
const (
	opStore = "store"
	opSeal  = "seal"
	opTidy  = "tidy"
)

// Steps lists one step per target that can be copied, then the sealing of the
// point and the removal of points that nothing keeps.
func (b *Backup) Steps() []service.Step {
	steps := []service.Step{}
	for _, t := range b.Targets {
		steps = append(steps, storing(t))
	}
	steps = append(steps, b.ownStep(opSeal))
	if b.Tidy != nil {
		steps = append(steps, b.ownStep(opTidy))
	}
	return steps
}

func storing(t inventory.Target) service.Step {
	step := service.Step{ID: StepOf(t.Name), Target: t.Name, Op: opStore, Risk: service.Harmless,
		Title: service.Message{ID: "backup.store", Args: service.Args{"target": t.Name}}}
	if t.Stops != (service.Stops{}) {
		step.Risk = service.Disruptive
		step.Title = service.Message{ID: "backup.store-stopped", Args: service.Args{"target": t.Name,
			"service": t.RunsIn.Target + "/" + t.RunsIn.Unit, "at_most": t.Stops.AtMost.Seconds()}}
	}
	return step
}

// StepOf is the ID of a target's step.
func StepOf(target string) string { return "backup " + target }

func (b *Backup) ownStep(op string) service.Step {
	return service.Step{ID: op, Op: op, Risk: service.Harmless, Title: service.Message{ID: "backup." + op}}
}

// Do does one step.
func (b *Backup) Do(ctx context.Context, t service.Task) (service.Outcome, error) {
	switch t.Step.Op {
	case opStore:
		return b.store(ctx, t)
	case opSeal:
		return b.seal(ctx, t)
	case opTidy:
		return b.tidy(ctx, t)
	}
	return service.Outcome{}, fmt.Errorf("step %s: unknown operation %q", t.Step.ID, t.Step.Op)
}

// Close gives back what the steps opened. An unsealed point stays as incomplete.
func (b *Backup) Close(ctx context.Context) error {
	if b.writer == nil {
		return nil
	}
	w := b.writer
	b.writer = nil
	return w.Close(ctx)
}

func (b *Backup) open(ctx context.Context) (*repository.PointWriter, error) {
	if b.writer != nil {
		return b.writer, nil
	}
	r, err := b.Open(ctx)
	if err != nil {
		return nil, err
	}
	w, err := r.Begin(ctx, b.Point)
	if err != nil {
		return nil, fmt.Errorf("begin restore point %s: %w", b.Point.ID, err)
	}
	b.repository, b.writer = r, w
	return w, nil
}

func (b *Backup) store(ctx context.Context, t service.Task) (service.Outcome, error) {
	source, err := service.As[service.Source](t.Instance)
	if err != nil {
		return service.Outcome{}, err
	}
	var v service.Verdict
	copied, err := b.copy(ctx, source, t, &v)
	if err != nil {
		return service.Outcome{Verdict: v}, err
	}
	v.Merge(facts(copied))
	return service.Outcome{Verdict: v, Result: encode(copied)}, nil
}

// copy opens the view of the target beside the point: deriving the repository's
// keys takes as long as a database needs to describe itself.
func (b *Backup) copy(ctx context.Context, source service.Source, t service.Task, v *service.Verdict) (copied repository.TargetCopy, err error) {
	var opening errgroup.Group
	var w *repository.PointWriter
	opening.Go(func() (err error) {
		w, err = b.open(ctx)
		return err
	})
	defer func() { _ = opening.Wait() }() // nothing stays behind when the kind panics; its error is taken below
	b.estimate(ctx, t, v)
	previous := func(ctx context.Context) (service.Copy, error) {
		if err := opening.Wait(); err != nil {
			return nil, err
		}
		return b.previous(ctx, t.Step.Target)
	}
	view, err := source.Snapshot(ctx, previous, t.Report)
	if err != nil {
		err = fmt.Errorf("open a consistent view: %w", err)
	} else {
		defer func() { err = errors.Join(err, view.Close()) }()
	}
	if err := errors.Join(opening.Wait(), err); err != nil {
		return copied, err
	}
	target := b.target(t.Step.Target)
	return w.Store(ctx, target.Name, target.Kind.Name(), view, repository.StoreOptions{Limit: target.Limit}, t.Report)
}

// previous finds the copy to build on. One that is damaged is nothing to build on:
// everything is described anew.
func (b *Backup) previous(ctx context.Context, target string) (service.Copy, error) {
	previous, err := b.repository.Latest(ctx, b.Point.System, target)
	if errors.Is(err, service.ErrDamaged) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find the previous copy: %w", err)
	}
	return previous, nil
}

func (b *Backup) target(name string) inventory.Target {
	for _, t := range b.Targets {
		if t.Name == name {
			return t
		}
	}
	return inventory.Target{}
}

// estimate warns before a copy that may not fit. It never refuses: what is
// already stored is not stored again, and nobody knows how well the rest packs.
func (b *Backup) estimate(ctx context.Context, t service.Task, v *service.Verdict) {
	sizer, ok := t.Instance.(service.Sizer)
	if !ok {
		return
	}
	size, err := sizer.Size(ctx)
	if err != nil {
		v.Set("estimate_error", err.Error())
		return
	}
	v.Set("estimate_bytes", size)
	free, err := b.Free()
	if err == nil && size > free {
		v.Warn("backup.space-short", "", service.Args{"need": size, "free": free, "path": b.Path})
	}
}

func facts(c repository.TargetCopy) service.Verdict {
	v := service.Verdict{Findings: append(c.Manifest.Findings, c.Findings...)}
	for name, n := range c.Counts {
		v.Set(name, n)
	}
	v.Set("bytes", c.Bytes) // of what was stored; a kind may count the bytes of what it holds under the same name
	v.Set("added_bytes", c.AddedBytes)
	v.Set("parts", c.Parts)
	v.Set("viewed_from", c.Taken)
	v.Set("viewed_until", later(c.Taken, c.Until))
	return v
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// seal makes the point complete. A point that lacks a target stays incomplete:
// its other copies can be restored one by one, but nothing counts on it.
func (b *Backup) seal(ctx context.Context, t service.Task) (service.Outcome, error) {
	for _, target := range b.Targets {
		if t.Earlier[StepOf(target.Name)].Failed {
			return service.Outcome{}, nil
		}
	}
	switch sealed, err := b.sealedBefore(ctx); {
	case err != nil:
		return service.Outcome{}, err
	case sealed:
		return service.Outcome{Result: encode(b.Point.ID)}, nil
	}
	head, err := b.Head(ctx)
	if err != nil {
		return service.Outcome{}, fmt.Errorf("read the journal's head: %w", err)
	}
	w, err := b.open(ctx)
	if err != nil {
		return service.Outcome{}, err
	}
	point, err := w.Seal(ctx, repository.Declaration{Files: b.Files}, head)
	if err != nil {
		return service.Outcome{}, fmt.Errorf("seal restore point %s: %w", b.Point.ID, err)
	}
	return service.Outcome{Result: encode(point.ID)}, nil
}

// sealedBefore reports whether the point is complete already: a process may have
// been killed between sealing it and recording that.
func (b *Backup) sealedBefore(ctx context.Context) (bool, error) {
	r, err := b.Open(ctx)
	if err != nil {
		return false, err
	}
	point, err := r.Point(ctx, b.Point.ID)
	if errors.Is(err, service.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for restore point %s: %w", b.Point.ID, err)
	}
	return point.Complete, nil
}

// Sealed reports whether the point was completed.
func (b *Backup) Sealed(done map[string]service.Done) bool {
	return len(done[opSeal].Outcome.Result) > 0
}

// tidy removes what nothing keeps, once the new point is sealed, and lets the
// repository merge its indexes.
func (b *Backup) tidy(ctx context.Context, t service.Task) (out service.Outcome, err error) {
	if !b.Sealed(t.Earlier) {
		return out, nil
	}
	if b.repository, err = b.Open(ctx); err != nil {
		return out, err
	}
	if b.Keep != nil {
		decisions, err := b.repository.Retain(ctx, *b.Keep, false)
		if err != nil {
			return out, fmt.Errorf("apply keep: %w", err)
		}
		out.Result = encode(decisions)
	}
	if err := b.Close(ctx); err != nil { // maintenance wants the repository to itself
		return out, fmt.Errorf("close the point: %w", err)
	}
	return out, b.Tidy(ctx)
}

func encode(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err)) // our own value types always encode
	}
	return text
}

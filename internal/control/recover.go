package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"upkeep/internal/capability/backup"
	recovery "upkeep/internal/capability/recover"
	"upkeep/internal/engine"
	"upkeep/internal/inventory"
	"upkeep/internal/journal"
	"upkeep/internal/repository"
	"upkeep/internal/service"
)

// recovering is one recovery with all that belongs to it, in this order: whoever writes ends,
// what is there is saved and read back, the newest copy that is right takes its place, and
// everything is judged.
type recovering struct {
	app  *App
	id   string
	save *backup.Backup // nil where there is nothing to save, or nowhere
	rec  recovery.Recover
}

func (a *App) recoverOp(ctx context.Context, id string, req Request) (operation, error) {
	targets, err := a.offering("recover", req.Targets)
	if err != nil {
		return operation{}, err
	}
	if len(targets) != 1 || len(req.Targets) != 1 {
		return operation{}, fmt.Errorf("recover is of one target: %w", service.ErrUndeclared)
	}
	work := &recovering{app: a, id: id}
	work.rec = recovery.Recover{Inventory: a.Inventory, Target: targets[0], Prove: work.prove}
	if work.rec.Wanted, err = a.wanted(ctx, targets[0].Name, req.From); err != nil {
		return operation{}, err
	}
	if work.save, err = a.savingFirst(ctx, id, targets); err != nil {
		return operation{}, err
	}
	var steps []service.Step
	if !req.planned {
		if steps, err = work.steps(ctx, req.Undoes); err != nil {
			return operation{}, err
		}
	}
	finish := func(run *journal.Run, done map[string]service.Done) {
		if work.save != nil && work.save.Sealed(done) {
			run.Point = id
		}
	}
	return operation{close: work.close, work: engine.Work{Steps: steps, Do: work.do, Finish: finish,
		Allow: service.Disruptive, Durable: true, Locked: true, Undoable: true}}, nil
}

// wanted lists the points that hold the target.
func (a *App) wanted(ctx context.Context, target, from string) (service.Wanted, error) {
	w := service.Wanted{From: from, Accepted: func(f service.Finding) bool {
		_, expired, accepted := a.Inventory.Waiver(target, f.ID, a.opt.Now())
		return accepted && !expired
	}}
	points, err := a.Points(ctx)
	if err != nil {
		return w, err
	}
	for _, p := range points {
		if slices.ContainsFunc(p.Targets, func(c repository.TargetCopy) bool { return c.Target == target }) {
			w.Points = append(w.Points, service.Taken{Point: p.ID, At: p.Taken})
		}
	}
	w.Open = func(ctx context.Context, point string) (service.Copy, error) {
		r, err := a.Repository(ctx)
		if err != nil {
			return nil, err
		}
		return r.Copy(ctx, point, target)
	}
	return w, nil
}

// savingFirst prepares the copy of what is there, unless nothing is, or there is no
// repository: in an emergency none is made.
func (a *App) savingFirst(ctx context.Context, id string, targets []inventory.Target) (*backup.Backup, error) {
	_, err := os.Stat(a.RepositoryPath())
	if a.Config.Repository.Path == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if a.Config.Repository.Path != "" { // no writer is ended for a copy that cannot be taken
		if _, err := a.repositoryOptions(ctx); err != nil {
			return nil, err
		}
	}
	in, err := targets[0].Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }() // it was only asked
	if sizer, ok := in.(service.Sizer); ok {
		if size, err := sizer.Size(ctx); err == nil && size == 0 {
			return nil, nil
		}
	}
	return a.saving(id, targets, nil)
}

func (w *recovering) steps(ctx context.Context, undoes string) (steps []service.Step, err error) {
	var of recovery.Steps
	if undoes == "" {
		of, err = w.rec.Steps(ctx)
	} else {
		of, err = w.back(ctx, undoes)
	}
	if err != nil || len(of.Puts) == 0 {
		return nil, err
	}
	steps = append(of.Told, of.Halts...)
	if w.save == nil {
		steps = append(steps, w.rec.Unsaved())
	} else {
		steps = append(append(steps, w.save.Steps()...), w.rec.Proof())
	}
	return slices.Concat(steps, of.Puts, of.After), nil
}

func (w *recovering) back(ctx context.Context, id string) (recovery.Steps, error) {
	run, err := w.app.journal.Run(ctx, id)
	if err != nil {
		return recovery.Steps{}, err
	}
	return w.rec.Undo(ctx, run.Steps)
}

func (w *recovering) do(ctx context.Context, t service.Task) (service.Outcome, error) {
	if w.rec.Does(t.Step) {
		return w.rec.Do(ctx, t)
	}
	return w.save.Do(ctx, t)
}

// prove reads back what was saved: nothing is replaced before.
func (w *recovering) prove(ctx context.Context, earlier map[string]service.Done, report service.Report) error {
	if !w.save.Sealed(earlier) {
		return w.notSaved("its point was not completed")
	}
	r, err := w.app.Repository(ctx)
	if err != nil {
		return err
	}
	read, err := r.Verify(ctx, w.id, repository.VerifyOptions{}, report)
	if err != nil {
		return fmt.Errorf("read point %s back: %w", w.id, err)
	}
	if len(read.Damaged) > 0 {
		return w.notSaved(read.Damaged[0].Part + ": " + read.Damaged[0].Detail)
	}
	return nil
}

func (w *recovering) notSaved(detail string) error {
	return &service.Fault{ID: "recover.not-saved", Args: service.Args{"target": w.rec.Target.Name, "detail": detail},
		Err: fmt.Errorf("save %s: %s: %w", w.rec.Target.Name, detail, service.ErrRefused)}
}

func (w *recovering) close(ctx context.Context) error {
	if w.save == nil {
		return nil
	}
	return w.save.Close(ctx)
}

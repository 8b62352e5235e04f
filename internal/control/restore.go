package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"upkeep/internal/capability/backup"
	"upkeep/internal/capability/reconcile"
	"upkeep/internal/capability/restore"
	"upkeep/internal/engine"
	"upkeep/internal/inventory"
	"upkeep/internal/journal"
	"upkeep/internal/repository"
	"upkeep/internal/service"
)

// healthyWithin is how long what depends on a restored target may take to work again:
// a container's health check fails and succeeds within a minute or two.
const healthyWithin = 3 * time.Minute

// restoring is one restore with all that belongs to it, in this order: whoever writes
// into the targets stops, what is there is saved, the copy is put back and compared,
// the stores are compared with each other, and the application comes back and works.
type restoring struct {
	save  *backup.Backup // nil when all of it is given up
	put   restore.Restore
	after reconcile.Reconcile
	app   restore.Application
}

func (a *App) restoreOp(ctx context.Context, id string, req Request) (operation, error) {
	r, point, err := a.point(ctx, req.Point)
	if err != nil {
		return operation{}, err
	}
	targets, err := a.restored(point, req.Targets)
	if err != nil {
		return operation{}, err
	}
	books := &books{app: a}
	work := restoring{
		put: restore.Restore{Repository: r, Inventory: a.Inventory, Point: point, Targets: targets, Only: req.Only, Discard: req.Discard},
		app: restore.Application{Inventory: a.Inventory, Targets: targets, Patience: healthyWithin, Now: a.opt.Now},
	}
	if work.save, err = a.saving(id, targets, req.Discard); err != nil {
		return operation{}, err
	}
	if work.after, err = a.reconcileAfter(targets, books); err != nil {
		return operation{}, err
	}
	var steps []service.Step
	if !req.planned {
		if steps, err = work.steps(ctx); err != nil {
			return operation{}, err
		}
	}
	finish := func(run *journal.Run, _ map[string]service.Done) { run.Point = point.ID }
	shut := func(ctx context.Context) error { return errors.Join(work.close(ctx), books.close(ctx)) }
	return operation{close: shut, work: engine.Work{Steps: steps, Do: work.do, Finish: finish,
		Allow: service.Destructive, Durable: true, Locked: true}}, nil
}

// steps of a selection stop nobody: one table or file comes back under whoever works.
func (w *restoring) steps(ctx context.Context) (steps []service.Step, err error) {
	if w.put.Only == "" {
		if steps, err = w.app.Halts(ctx); err != nil {
			return nil, err
		}
	}
	releases, err := w.app.Releases(steps)
	if err != nil {
		return nil, err
	}
	if w.save != nil {
		steps = append(steps, w.save.Steps()...)
	}
	puts, err := w.put.Steps(ctx)
	if err != nil {
		return nil, err
	}
	steps = slices.Concat(steps, puts, w.after.Steps(), releases)
	if w.put.Only == "" {
		steps = append(steps, w.app.Healthy()...)
	}
	return steps, nil
}

func (w *restoring) do(ctx context.Context, t service.Task) (service.Outcome, error) {
	switch {
	case w.app.Does(t.Step):
		return w.app.Do(ctx, t)
	case t.Step.Op == reconcile.Op:
		return w.after.Do(ctx, t)
	case w.put.Does(t.Step):
		if err := w.mayReplace(t); err != nil {
			return service.Outcome{}, err
		}
		return w.put.Do(ctx, t)
	}
	return w.save.Do(ctx, t)
}

func (w *restoring) mayReplace(t service.Task) error {
	if err := w.app.Halted(t.Earlier); err != nil {
		return err
	}
	if w.save != nil && !w.save.Sealed(t.Earlier) && !slices.Contains(w.put.Discard, t.Step.Target) {
		return fmt.Errorf("what %s holds was not saved, so it is not replaced: %w", t.Step.Target, service.ErrRefused)
	}
	return nil
}

func (w *restoring) close(ctx context.Context) error {
	if w.save == nil {
		return nil
	}
	return w.save.Close(ctx)
}

func (a *App) restored(point repository.Point, names []string) ([]inventory.Target, error) {
	held, err := inPoint(point, a.Config.System, names)
	if err != nil {
		return nil, err
	}
	return a.Inventory.Select(held)
}

// saving prepares the copy of what a restore will replace, or nil when all of it
// is given up.
func (a *App) saving(id string, targets []inventory.Target, discard []string) (*backup.Backup, error) {
	var names []string
	for _, t := range targets {
		if !slices.Contains(discard, t.Name) {
			names = append(names, t.Name)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	b, err := a.backup(id, repository.ReasonBeforeRestore, names)
	if err == nil {
		b.Point.Expires = b.Point.Taken.Add(time.Duration(a.Config.UndoFor()))
	}
	return b, err
}

package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/internal/capability/backup"
	"upkeep/internal/capability/check"
	"upkeep/internal/capability/drill"
	"upkeep/internal/capability/reconcile"
	"upkeep/internal/capability/restore"
	"upkeep/internal/capability/verify"
	"upkeep/internal/engine"
	"upkeep/internal/inventory"
	"upkeep/internal/journal"
	"upkeep/internal/repository"
	"upkeep/internal/service"
)

// operation is one verb made ready for the engine. work lacks only its run.
type operation struct {
	work  engine.Work
	close func(ctx context.Context) error
}

// makers is the list of verbs that are made of steps. Adding a capability ends
// with a line here.
func makers() map[string]func(a *App, ctx context.Context, id string, req Request) (operation, error) {
	return map[string]func(a *App, ctx context.Context, id string, req Request) (operation, error){
		"check":     (*App).checkOp,
		"backup":    (*App).backupOp,
		"verify":    (*App).verifyOp,
		"drill":     (*App).drillOp,
		"restore":   (*App).restoreOp,
		"maintain":  (*App).maintainOp,
		"reconcile": (*App).reconcileOp,
		"logs":      (*App).logsOp,
	}
}

func (a *App) operation(ctx context.Context, id string, req Request) (operation, error) {
	make, ok := makers()[req.Verb]
	if !ok {
		return operation{}, fmt.Errorf("verb %q: %w", req.Verb, service.ErrUnsupported)
	}
	op, err := make(a, ctx, id, req)
	op.work.Inventory, op.work.FailOn = a.Inventory, a.opt.FailOn
	if a.opt.Timeout > 0 {
		op.work.Deadline = a.opt.Timeout
	}
	return op, err
}

// checkDeadline is how long a target may take to answer a check.
const checkDeadline = 5 * time.Second

// checksAtOnce bounds the probes that run side by side.
const checksAtOnce = 32

func (a *App) checkOp(_ context.Context, _ string, req Request) (operation, error) {
	targets, err := a.Inventory.Select(req.Targets)
	if err != nil {
		return operation{}, err
	}
	c := check.Check{Inventory: a.Inventory, Targets: targets, Own: a.checkSelf}
	return operation{work: engine.Work{Steps: c.Steps(), Do: c.Do, Side: checksAtOnce, Deadline: checkDeadline}}, nil
}

func (a *App) backupOp(_ context.Context, id string, req Request) (operation, error) {
	b, err := a.backup(id, repository.ReasonBackup, req.Targets)
	if err != nil {
		return operation{}, err
	}
	b.Keep, b.Tidy = a.keep(), a.tidy
	finish := func(run *journal.Run, done map[string]service.Done) {
		if b.Sealed(done) {
			run.Point = id
		}
	}
	return operation{close: b.Close, work: engine.Work{Steps: b.Steps(), Do: b.Do, Finish: finish,
		Allow: service.Harmless, Durable: true, Locked: true}}, nil
}

// backup prepares one restore point named after its run.
func (a *App) backup(id, reason string, names []string) (*backup.Backup, error) {
	targets, err := a.copied(names)
	if err != nil {
		return nil, err
	}
	return &backup.Backup{Targets: targets, Files: a.Config.Files, Head: a.head, Open: a.repositoryForWriting,
		Path: a.RepositoryPath(), Free: func() (int64, error) { return freeBytes(a.RepositoryPath()) },
		Point: repository.Header{ID: id, System: a.Config.System, Reason: reason, Taken: a.opt.Now()}}, nil
}

// copied selects the targets of which copies can be taken. A target that was
// named and has none is an error; without names it is just not among them.
func (a *App) copied(names []string) ([]inventory.Target, error) {
	targets, err := a.Inventory.Select(names)
	if err != nil {
		return nil, err
	}
	can := slices.DeleteFunc(slices.Clone(targets), func(t inventory.Target) bool { return !t.Kind.Offers("backup") })
	if len(can) == 0 || len(names) > 0 && len(can) < len(targets) {
		return nil, fmt.Errorf("not every target of %v has something to copy: %w", names, service.ErrUnsupported)
	}
	return can, nil
}

func (a *App) head(ctx context.Context) (string, error) {
	j, err := a.Journal(ctx)
	if err != nil {
		return "", err
	}
	head, err := j.Head(ctx)
	return fmt.Sprintf("%d:%s", head.Seq, head.Hash), err
}

func (a *App) verifyOp(ctx context.Context, _ string, req Request) (operation, error) {
	r, point, err := a.point(ctx, req.Point)
	if err != nil {
		return operation{}, err
	}
	sample := req.Sample
	if sample == 0 {
		sample = 1
	}
	v := verify.Verify{Repository: r, Point: point, Sample: sample, Now: a.opt.Now}
	finish := func(run *journal.Run, _ map[string]service.Done) { run.Point = point.ID }
	return operation{work: engine.Work{Steps: v.Steps(), Do: v.Do, Finish: finish}}, nil
}

func (a *App) drillOp(ctx context.Context, _ string, req Request) (operation, error) {
	r, point, err := a.point(ctx, req.Point)
	if err != nil {
		return operation{}, err
	}
	books := &books{app: a}
	d := drill.Drill{Repository: r, Inventory: a.Inventory, Point: point, Ledger: books.open,
		Scratch: func() (int64, error) { return freeBytes(a.scratch.Base()) }, Now: a.opt.Now}
	if d.Targets, err = inPoint(point, a.Config.System, req.Targets); err != nil {
		return operation{}, err
	}
	d.Rules, err = a.Inventory.Rules(nil, func(target string) bool { return slices.Contains(d.Targets, target) })
	if err != nil {
		return operation{}, err
	}
	finish := func(run *journal.Run, done map[string]service.Done) {
		run.Point, run.Proof = point.ID, drill.Proof(done)
	}
	return operation{close: books.close, work: engine.Work{Steps: d.Steps(), Do: d.Do, Finish: finish, Locked: true}}, nil
}

func targetsOf(p repository.Point) []string {
	names := make([]string, len(p.Targets))
	for i, t := range p.Targets {
		names[i] = t.Target
	}
	return names
}

// inPoint returns the targets that are meant, or all of the point's. One that it
// does not hold is an error that lists what there is.
func inPoint(p repository.Point, system string, names []string) ([]string, error) {
	held := targetsOf(p)
	if len(names) == 0 {
		return held, nil
	}
	var wanted []string
	for _, name := range names {
		short := strings.TrimPrefix(name, system+"/")
		if !slices.Contains(held, short) {
			return nil, fmt.Errorf("point %s holds no target %q: %w (it holds: %s)", p.ID, name, service.ErrNotFound, strings.Join(held, ", "))
		}
		wanted = append(wanted, short)
	}
	return wanted, nil
}

// restoreOp saves what is there, puts the copy back and compares.
func (a *App) restoreOp(ctx context.Context, id string, req Request) (operation, error) {
	r, point, err := a.point(ctx, req.Point)
	if err != nil {
		return operation{}, err
	}
	targets, err := a.restored(point, req.Targets)
	if err != nil {
		return operation{}, err
	}
	put := restore.Restore{Repository: r, Inventory: a.Inventory, Point: point, Targets: targets, Only: req.Only, Discard: req.Discard}
	var steps []service.Step
	if !req.planned {
		if steps, err = put.Steps(ctx); err != nil {
			return operation{}, err
		}
	}
	save, err := a.saving(id, targets, req.Discard)
	if err != nil {
		return operation{}, err
	}
	books := &books{app: a}
	after, err := a.reconcileAfter(targets, books)
	if err != nil {
		return operation{}, err
	}
	work := engine.Work{Steps: append(steps, after.Steps()...), Allow: service.Destructive, Durable: true, Locked: true,
		Finish: func(run *journal.Run, _ map[string]service.Done) { run.Point = point.ID }}
	work.Do = func(ctx context.Context, t service.Task) (service.Outcome, error) {
		if t.Step.Op == reconcile.Op {
			return after.Do(ctx, t)
		}
		return put.Do(ctx, t)
	}
	if save == nil {
		return operation{close: books.close, work: work}, nil
	}
	before, restoring := save.Steps(), work.Do
	work.Steps = append(before, work.Steps...)
	work.Do = func(ctx context.Context, t service.Task) (service.Outcome, error) {
		if t.Step.Op == reconcile.Op {
			return restoring(ctx, t)
		}
		if slices.ContainsFunc(before, func(s service.Step) bool { return s.ID == t.Step.ID }) {
			return save.Do(ctx, t)
		}
		if !save.Sealed(t.Earlier) && !slices.Contains(req.Discard, t.Step.Target) {
			return service.Outcome{}, fmt.Errorf("what %s holds was not saved, so it is not replaced: %w", t.Step.Target, service.ErrRefused)
		}
		return restoring(ctx, t)
	}
	return operation{close: func(ctx context.Context) error { return errors.Join(save.Close(ctx), books.close(ctx)) }, work: work}, nil
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

package control

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"upkeep/internal/capability/backup"
	"upkeep/internal/capability/check"
	"upkeep/internal/capability/drill"
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
	// holds reports whether a plan can be done although another one would be made now; nil = it
	// cannot.
	holds func(planned []service.Step) (bool, error)
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
		"tune":      (*App).tuneOp,
		"diagnose":  (*App).diagnoseOp,
		"repair":    (*App).maintainOp,
		"merge":     (*App).maintainOp,
		"dedup":     (*App).maintainOp,
		"convert":   (*App).maintainOp,
		"recover":   (*App).recoverOp,
		"tidy":      (*App).tidyOp,
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
			run.Point, run.Stored = id, stored(a.RepositoryPath())
		}
	}
	return operation{close: b.Close, work: engine.Work{Steps: b.Steps(), Do: b.Do, Finish: finish,
		Allow: service.Disruptive, Durable: true, Locked: true}}, nil
}

// stored is how many bytes the files below a directory have; 0 where that cannot be
// told.
func stored(dir string) (bytes int64) {
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	if err != nil {
		return 0
	}
	return bytes
}

// backup prepares one restore point named after its run.
func (a *App) backup(id, reason string, names []string) (*backup.Backup, error) {
	targets, err := a.copied(names)
	if err != nil {
		return nil, err
	}
	return &backup.Backup{Targets: a.Inventory.ClaimsFirst(targets), Files: a.Config.Files, Head: a.head, Open: a.repositoryForWriting,
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

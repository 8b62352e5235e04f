package dataset

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"upkeep/internal/service"
	"upkeep/internal/tables"
	"upkeep/internal/tables/footer"
)

// uniting is what a step of opUnite needs.
type uniting struct {
	Work       service.Care `json:"work"`
	Table      string       `json:"table"`
	Main       seen         `json:"main"`
	Increments []seen       `json:"increments,omitempty"`
	Balance    balance      `json:"balance"`
}

// usualGrace is how long merged increments stay.
const usualGrace = 24 * time.Hour

// rest is how long an increment must have been left alone to be merged: its writer may be at
// work in it, and no clock of a file system is finer than a tick.
const rest = time.Second

// planMerge lists a step for every table that has increments which its file does not
// hold, and one for those that it has held for long enough.
func (in *Instance) planMerge(ctx context.Context) (steps []service.Step, err error) {
	return in.eachTable(ctx, in.hasIncrements, func(name string, t Table, main seen) (steps []service.Step, err error) {
		all, err := in.sift(t, main)
		if err != nil {
			return nil, err
		}
		fresh, err := in.atRest(ctx, all.fresh)
		if err != nil {
			return nil, err
		}
		taken := fresh
		if len(fresh) > 0 {
			w := uniting{Work: service.Merge, Table: name, Main: main, Increments: fresh}
			if steps, err = in.unite(ctx, &w); err != nil {
				return nil, err
			}
			taken = w.Increments
		}
		aside, err := in.quarantine(ctx, name, t, slices.Concat(all.torn, others(fresh, taken)))
		return slices.Concat(steps, in.clear(name, t, main, all.held), aside), err
	})
}

// planDedup lists a step for every table with rows that a later one of the same key
// makes void.
func (in *Instance) planDedup(ctx context.Context) ([]service.Step, error) {
	return in.eachTable(ctx, func(Table) bool { return true }, func(name string, t Table, main seen) ([]service.Step, error) {
		return in.unite(ctx, &uniting{Work: service.Dedup, Table: name, Main: main})
	})
}

// hasIncrements reports whether a merge has to look at a table.
func (in *Instance) hasIncrements(t Table) bool {
	paths, err := in.find(t.Increments.Files)
	return err != nil || len(paths) > 0
}

// eachTable asks for the steps of every table that is meant, has a key and lies in one
// Parquet file.
func (in *Instance) eachTable(ctx context.Context, meant func(Table) bool, list func(name string, t Table, main seen) ([]service.Step, error)) ([]service.Step, error) {
	cfg, _, err := in.declare(ctx, in.dir)
	if err != nil {
		return nil, err
	}
	steps := []service.Step{}
	for _, name := range slices.Sorted(maps.Keys(cfg.Tables)) {
		t := cfg.Tables[name]
		files, err := in.find(t.Files)
		if err != nil {
			return nil, err
		}
		if len(files) != 1 || len(t.Key) == 0 || tables.FormatOf(files[0]) != tables.Parquet || !meant(t) {
			continue
		}
		if refused := in.refuseLink(files[0]); len(refused) > 0 {
			steps = append(steps, refused...)
			continue
		}
		main, err := in.see(files[0])
		if err != nil {
			return nil, err
		}
		own, err := list(name, t, main)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", name, err)
		}
		steps = append(steps, own...)
	}
	return steps, nil
}

// sifted are the increments of a table.
type sifted struct {
	fresh []seen         // that its file does not hold yet, in the order in which they were written to last
	held  map[seen]int64 // that it says it does, each with the time of its merge
	torn  []seen         // whose footers cannot be read: quarantine looks after them
}

// sift looks at all of them. One of another form is nowhere: it stays where it is, and
// check names it.
func (in *Instance) sift(t Table, main seen) (all sifted, err error) {
	merged, err := in.merged(main)
	if err != nil {
		return all, err
	}
	paths, err := in.find(t.Increments.Files)
	if err != nil {
		return all, err
	}
	all.held = map[seen]int64{}
	for _, path := range paths {
		s, err := in.see(path)
		if err != nil {
			continue // taken away meanwhile
		}
		f, err := footer.Read(path)
		since, held := merged[s.mark()]
		switch {
		case err != nil:
			all.torn = append(all.torn, s)
		case t.foreign(f):
		case held:
			all.held[s] = since
		default:
			all.fresh = append(all.fresh, s)
		}
	}
	slices.SortStableFunc(all.fresh, func(a, b seen) int { return cmp.Compare(a.Time, b.Time) })
	return all, nil
}

// atRest waits until nobody can say any more that he has just written one of them, and
// leaves out those that were written to meanwhile.
func (in *Instance) atRest(ctx context.Context, all []seen) ([]seen, error) {
	var wait time.Duration
	for _, s := range all {
		if age := time.Since(time.Unix(0, s.Time)); age >= 0 { // else the clock of its disk is another one
			wait = max(wait, rest-age)
		}
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(wait):
		return in.still(all), nil
	}
}

func (t Table) foreign(f footer.Footer) bool {
	for column, c := range t.Columns {
		there := slices.ContainsFunc(f.Columns, func(of footer.Column) bool { return of.Name == column })
		if !there && !c.optional() {
			return true
		}
	}
	return false
}

// unite makes the step, with what would become of the rows: none where nothing would.
func (in *Instance) unite(ctx context.Context, w *uniting) ([]service.Step, error) {
	if err := in.foresee(ctx, w); err != nil {
		return nil, err
	}
	if len(w.Increments) == 0 && w.Balance.Replaced == 0 {
		return nil, nil
	}
	return []service.Step{step(opUnite, service.Reversible, w.Table, w, service.Message{ID: string(w.Work), Args: service.Args{"table": w.Table, "increments": len(w.Increments),
		"before": w.Balance.Before, "taken": w.Balance.Taken, "doubles": w.Balance.Doubles, "replaced": w.Balance.Replaced, "older": w.Balance.Older, "after": w.Balance.After}})}, nil
}

// united opens the database of a union, compares the keys and closes it again. Increments
// that were written to while they were read are left out. out is the one file that may be
// written.
func (in *Instance) united(ctx context.Context, w *uniting, out string, do func(*union) error) (err error) {
	cfg, _, err := in.declare(ctx, in.dir)
	if err != nil {
		return err
	}
	u := &union{t: cfg.Tables[w.Table], main: in.path(w.Main.Path)}
	scratch, remove, err := in.env.Dir(scratchPurpose)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	u.scratch = scratch
	u.db, err = tables.Open(ctx, tables.Limits{Scratch: scratch}, []string{u.main, out}, []string{scratch})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, u.db.Close()) }()
	if err := in.compared(ctx, u, w); err != nil {
		return in.staleOr(err, w.Main)
	}
	return in.staleOr(do(u), w.Main)
}

func (in *Instance) compared(ctx context.Context, u *union, w *uniting) error {
	if err := u.describe(ctx); err != nil {
		return err
	}
	if err := in.gather(ctx, u, w); err != nil {
		return err
	}
	if w.Work == service.Dedup {
		return u.doubles(ctx)
	}
	return u.match(ctx)
}

// gather reads the increments once, so that they may grow afterwards. What another one has
// become meanwhile was read in parts, or not at all: it waits for the next merge.
func (in *Instance) gather(ctx context.Context, u *union, w *uniting) error {
	for {
		u.increments = in.pathsOf(w.Increments)
		err := u.gather(ctx)
		still := in.still(w.Increments)
		if err != nil && len(still) == len(w.Increments) {
			return err
		}
		if len(still) == len(w.Increments) {
			return nil
		}
		w.Increments = still
	}
}

// others are those of them that are not among these.
func others(all, these []seen) []seen {
	return slices.DeleteFunc(slices.Clone(all), func(s seen) bool { return slices.Contains(these, s) })
}

// staleOr says that a file changed where that is why it could not be read.
func (in *Instance) staleOr(err error, main seen) error {
	if err == nil || in.unchanged(main) == nil {
		return err
	}
	return changed(main.Path, err)
}

// doUnite writes the file anew and puts it in place, under the writers' locks. Increments
// that changed since the plan are another plan's.
func (in *Instance) doUnite(ctx context.Context, s service.Step, _ service.Report) (out service.Outcome, err error) {
	w, err := argsOf[uniting](s)
	if err != nil {
		return out, err
	}
	err = in.locked(ctx, false, func() error {
		done, err := in.rewrite(ctx, w, &out.Verdict)
		if err == nil {
			out.Result, err = json.Marshal(done)
		}
		return err
	})
	return out, in.full(err)
}

func (in *Instance) rewrite(ctx context.Context, w uniting, v *service.Verdict) (done replaced, err error) {
	path := in.path(w.Main.Path)
	draft := filepath.Join(filepath.Dir(path), draftOf+filepath.Base(path))
	if err := in.leftover(path, draft); err != nil {
		return done, err
	}
	if done, err := in.already(w); err != nil {
		return done, err
	} else if done.Kept != "" {
		return done, in.lessen(ctx, w, done)
	}
	planned := w
	if err := in.current(&w); err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, gone(draft)) }()
	if err := in.drafted(ctx, &w, draft, planned.id()); err != nil {
		return done, err
	}
	told(v, w, len(planned.Increments)-len(w.Increments))
	if done, err = in.replace(path, draft, w.Main.state); err != nil {
		return done, err
	}
	return done, in.lessen(ctx, planned, done)
}

// current takes a merge up to what is there now: the writers of the file go on, and
// nothing of theirs is lost by it; increments that changed, or that another run has merged, are
// no longer its own.
func (in *Instance) current(w *uniting) (err error) {
	if w.Work != service.Merge {
		return in.unchanged(w.Main)
	}
	if w.Main, err = in.see(in.path(w.Main.Path)); err != nil {
		return err
	}
	merged, err := in.merged(w.Main)
	if err != nil {
		return in.staleOr(err, w.Main)
	}
	w.Increments = slices.DeleteFunc(in.still(w.Increments), func(s seen) bool { _, held := merged[s.mark()]; return held })
	return w.some()
}

// some is an error where nothing is left of what was to be merged.
func (w uniting) some() error {
	if w.Work == service.Merge && len(w.Increments) == 0 {
		return fmt.Errorf("every increment of the plan has changed or is merged: %w", service.ErrStale)
	}
	return nil
}

// drafted writes and proves the new file; nothing of it depends on the memory of this
// machine when it returns.
func (in *Instance) drafted(ctx context.Context, w *uniting, draft, step string) error {
	err := in.united(ctx, w, draft, func(u *union) (err error) {
		if err := w.some(); err != nil {
			return err
		}
		notes, err := in.notes(*w, step)
		if err != nil {
			return err
		}
		if w.Balance, err = u.balance(ctx); err != nil {
			return err
		}
		return u.write(ctx, draft, notes)
	})
	if err != nil {
		return err
	}
	return like(in.path(w.Main.Path), draft)
}

// already finds the work of a step done, by what the file says of itself: a run that was
// killed after the file was put in place has left no other trace.
func (in *Instance) already(w uniting) (done replaced, err error) { return in.madeBy(w.Main, w.id()) }

func (in *Instance) madeBy(main seen, step string) (done replaced, err error) {
	path := in.path(main.Path)
	now, err := stateOf(path)
	if err != nil || now == main.state {
		return done, err
	}
	of, is := in.madeOf(path)
	if !is || of.Step != step {
		return done, nil // somebody else's
	}
	kept := in.keptState(of.Was)
	if kept == "" {
		return done, fmt.Errorf("the file as it was is not among those that were kept: %w", service.ErrStale)
	}
	return replaced{Path: main.Path, Kept: kept, Was: of.Was, Is: now}, nil
}

// id names a step by all that it was planned for.
func (w uniting) id() string { return stepID(w) }

func stepID(args any) string {
	text, err := json.Marshal(args)
	if err != nil {
		panic(fmt.Sprintf("encode step: %v", err)) // plain values always encode
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))
}

// like gives a draft mode and owner of what it replaces, and has it on the disk.
func like(path, draft string) error {
	file, err := os.OpenFile(draft, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(owned(file, path), file.Sync(), file.Close())
}

func gone(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// told says what became of the rows, and of how many increments the next merge will be.
func told(v *service.Verdict, w uniting, left int) {
	if left > 0 {
		v.Set(w.Table+"_increments_left", left)
	}
	b := w.Balance
	for name, n := range map[string]int64{"rows_before": b.Before, "rows_taken": b.Taken, "rows_doubled": b.Doubles, "rows_replaced": b.Replaced, "rows_older": b.Older, "rows_after": b.After} {
		v.Set(w.Table+"_"+name, n)
	}
}

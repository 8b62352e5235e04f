package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"upkeep/internal/service"
	"upkeep/internal/tables"
	"upkeep/internal/tables/footer"
)

// uniting is what a step of opUnite needs.
type uniting struct {
	Work       service.Work `json:"work"`
	Table      string       `json:"table"`
	Main       seen         `json:"main"`
	Increments []seen       `json:"increments,omitempty"`
	Balance    balance      `json:"balance"`
}

// mergedNote is the key in the footer of a table's file under which it says which
// increments it holds: that is replaced in the same moment as the rows.
const mergedNote = "upkeep.merged"

// madeNote says which step made the file: one that is done again finds its work done.
const madeNote = "upkeep.made"

// usualGrace is how long merged increments stay.
const usualGrace = 24 * time.Hour

// planMerge lists a step for every table that has increments which its file does not
// hold, and one for those that it has held for long enough.
func (in *Instance) planMerge(ctx context.Context) (steps []service.Step, err error) {
	return in.eachTable(ctx, func(name string, t Table, main seen) (steps []service.Step, err error) {
		if len(t.Increments.Files) == 0 {
			return nil, nil
		}
		fresh, held, err := in.increments(ctx, t, main)
		if err != nil {
			return nil, err
		}
		if len(fresh) > 0 {
			step, err := in.unite(ctx, uniting{Work: service.Merge, Table: name, Main: main, Increments: fresh})
			if err != nil {
				return nil, err
			}
			steps = append(steps, step...)
		}
		return append(steps, in.clear(name, t, main, held)...), nil
	})
}

// planDedup lists a step for every table with rows that a later one of the same key
// makes void.
func (in *Instance) planDedup(ctx context.Context) ([]service.Step, error) {
	return in.eachTable(ctx, func(name string, t Table, main seen) ([]service.Step, error) {
		return in.unite(ctx, uniting{Work: service.Dedup, Table: name, Main: main})
	})
}

// eachTable asks for the steps of every table that has a key and lies in one Parquet file.
func (in *Instance) eachTable(ctx context.Context, list func(name string, t Table, main seen) ([]service.Step, error)) ([]service.Step, error) {
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
		if len(files) != 1 || len(t.Key) == 0 || tables.FormatOf(files[0]) != tables.Parquet {
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

// increments are those that the file does not hold yet, and those that it says it
// does. One that cannot be read or is of another form is in neither: it stays where it is, and
// check names it.
func (in *Instance) increments(ctx context.Context, t Table, main seen) (fresh, held []seen, err error) {
	merged, err := in.merged(main)
	if err != nil {
		return nil, nil, err
	}
	paths, err := in.find(t.Increments.Files)
	if err != nil {
		return nil, nil, err
	}
	for _, path := range paths {
		f, err := footer.Read(path)
		if err != nil || t.foreign(f) {
			continue
		}
		s, err := in.see(path)
		if err != nil {
			continue // taken away meanwhile
		}
		if slices.Contains(merged, s.mark()) {
			held = append(held, s)
		} else {
			fresh = append(fresh, s)
		}
	}
	return fresh, held, ctx.Err()
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

// merged are the marks of the increments that a file says it holds.
func (in *Instance) merged(main seen) (marks []string, err error) {
	f, err := footer.Read(in.path(main.Path))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, service.ErrDamaged)
	}
	if f.Notes[mergedNote] == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(f.Notes[mergedNote]), &marks); err != nil {
		return nil, fmt.Errorf("read which increments %s holds: %w", main.Path, err)
	}
	return marks, nil
}

// unite makes the step, with what would become of the rows: none where nothing would.
func (in *Instance) unite(ctx context.Context, w uniting) ([]service.Step, error) {
	if err := in.foresee(ctx, &w); err != nil {
		return nil, err
	}
	if len(w.Increments) == 0 && w.Balance.Replaced == 0 {
		return nil, nil
	}
	return []service.Step{step(opUnite, service.Reversible, w.Table, w, service.Message{ID: string(w.Work), Args: service.Args{"table": w.Table, "increments": len(w.Increments),
		"before": w.Balance.Before, "taken": w.Balance.Taken, "doubles": w.Balance.Doubles, "replaced": w.Balance.Replaced, "older": w.Balance.Older, "after": w.Balance.After}})}, nil
}

// united opens the database of a union, compares the keys and closes it again. out is
// the one file that may be written.
func (in *Instance) united(ctx context.Context, w uniting, out string, do func(*union) error) (err error) {
	cfg, _, err := in.declare(ctx, in.dir)
	if err != nil {
		return err
	}
	u := &union{t: cfg.Tables[w.Table], main: in.path(w.Main.Path)}
	for _, s := range w.Increments {
		u.increments = append(u.increments, in.path(s.Path))
	}
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
	if err := u.prepare(ctx); err != nil {
		return err
	}
	find := u.match
	if w.Work == service.Dedup {
		find = u.doubles
	}
	if err := find(ctx); err != nil {
		return err
	}
	return do(u)
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
	return out, err
}

func (in *Instance) rewrite(ctx context.Context, w uniting, v *service.Verdict) (done replaced, err error) {
	if done, err := in.already(w); err != nil || done.Kept != "" {
		return done, err
	}
	path, made := in.path(w.Main.Path), w.id()
	if w.Work == service.Merge { // its writers go on, and nothing of theirs is lost by it
		if w.Main, err = in.see(path); err != nil {
			return done, err
		}
	}
	draft := filepath.Join(filepath.Dir(path), draftOf+filepath.Base(path))
	defer func() { err = errors.Join(err, gone(draft)) }()
	if err := in.drafted(ctx, &w, draft, made); err != nil {
		return done, err
	}
	if err := in.unchanged(w.Increments...); err != nil { // while they were read
		return done, err
	}
	told(v, w)
	return in.replace(path, draft, w.Main.state)
}

// drafted writes and proves the new file; nothing of it depends on the memory of this
// machine when it returns.
func (in *Instance) drafted(ctx context.Context, w *uniting, draft, made string) error {
	if err := in.unchanged(append(slices.Clone(w.Increments), w.Main)...); err != nil {
		return err
	}
	notes, err := in.notes(*w, made)
	if err != nil {
		return err
	}
	err = in.united(ctx, *w, draft, func(u *union) (err error) {
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
func (in *Instance) already(w uniting) (done replaced, err error) {
	path := in.path(w.Main.Path)
	now, err := stateOf(path)
	if err != nil || now == w.Main.state {
		return done, err
	}
	f, err := footer.Read(path)
	if err != nil || f.Notes[madeNote] != w.id() {
		return done, nil // somebody else's, which makes the plan stale
	}
	return in.keptOf(w, now)
}

// keptOf finds the original that gave its place, by what it was; where its writers had
// changed it after the plan was made, it is the one of its name that was kept last.
func (in *Instance) keptOf(w uniting, now state) (replaced, error) {
	entries, err := os.ReadDir(in.path(keptIn))
	if err != nil {
		return replaced{}, err
	}
	done := replaced{Path: w.Main.Path, Is: now}
	for _, e := range entries { // by name, which begins with the time
		kept := filepath.Join(keptIn, e.Name())
		is, err := stateOf(in.path(kept))
		if err != nil || !strings.HasSuffix(e.Name(), "-"+flat(w.Main.Path)) {
			continue
		}
		if done.Kept, done.Was = kept, is; is == w.Main.state {
			break
		}
	}
	if done.Kept == "" {
		return done, fmt.Errorf("the file as it was is not among those that were kept: %w", service.ErrStale)
	}
	return done, nil
}

// id names a step by all that it was planned for.
func (w uniting) id() string {
	text, err := json.Marshal(w)
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

func told(v *service.Verdict, w uniting) {
	b := w.Balance
	for name, n := range map[string]int64{"rows_before": b.Before, "rows_taken": b.Taken, "rows_doubled": b.Doubles, "rows_replaced": b.Replaced, "rows_older": b.Older, "rows_after": b.After} {
		v.Set(w.Table+"_"+name, n)
	}
}

// notes are those of the file, with the increments that it will hold and the step that
// made it. What describes the columns of an Arrow writer is left out: the file has another
// writer now.
func (in *Instance) notes(w uniting, made string) (map[string]string, error) {
	f, err := footer.Read(in.path(w.Main.Path))
	if err != nil {
		return nil, err
	}
	delete(f.Notes, "ARROW:schema")
	marks, err := in.merged(w.Main)
	if err != nil {
		return nil, err
	}
	marks = slices.DeleteFunc(marks, func(mark string) bool { return !in.there(mark) })
	for _, s := range w.Increments {
		marks = append(marks, s.mark())
	}
	text, err := json.Marshal(marks)
	f.Notes[mergedNote], f.Notes[madeNote] = string(text), made
	return f.Notes, err
}

// there reports whether an increment is still where it was when it was merged.
func (in *Instance) there(mark string) bool {
	parts := strings.SplitN(mark, " ", 3)
	s, err := in.see(in.path(parts[len(parts)-1]))
	return err == nil && s.mark() == mark
}

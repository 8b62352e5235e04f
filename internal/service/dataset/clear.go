package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"upkeep/internal/service"
	"upkeep/internal/tables"
)

// clearing is what a step of opClear needs: increments that the table's file says it holds.
type clearing struct {
	Table      string `json:"table"`
	Main       seen   `json:"main"`
	Increments []seen `json:"increments"`
}

// clear lists the step that puts increments away once they were held for long enough.
func (in *Instance) clear(name string, t Table, main seen, held map[seen]int64) []service.Step {
	grace := t.Increments.Grace.Std()
	if grace == 0 {
		grace = usualGrace
	}
	var ripe []seen
	for s, since := range held {
		if in.env.Now().Sub(time.Unix(since, 0)) >= grace {
			ripe = append(ripe, s)
		}
	}
	if len(ripe) == 0 {
		return nil
	}
	slices.SortFunc(ripe, func(a, b seen) int { return strings.Compare(a.Path, b.Path) })
	return []service.Step{step(opClear, service.Reversible, name, clearing{name, main, ripe},
		service.Message{ID: opClear, Args: service.Args{"table": name, "increments": len(ripe), "grace": grace.Seconds()}})}
}

// doClear proves every row of every increment to be in the table as it is by then, and moves
// the files to where originals are kept.
func (in *Instance) doClear(ctx context.Context, s service.Step, _ service.Report) (out service.Outcome, err error) {
	c, err := argsOf[clearing](s)
	if err != nil {
		return out, err
	}
	moved := map[string]string{} // from path to where it is now
	err = in.locked(ctx, true, func() (err error) {
		if c.Main, err = in.see(in.path(c.Main.Path)); err != nil { // a merge came before it, or a writer
			return err
		}
		for _, inc := range c.Increments {
			kept, err := in.clearOne(ctx, c, inc)
			if err != nil {
				return err
			}
			if kept != "" {
				moved[inc.Path] = kept
			}
		}
		return nil
	})
	out.Verdict.Set(c.Table+"_increments_cleared", len(moved))
	text, encoded := json.Marshal(moved)
	out.Result = text
	return out, errors.Join(in.full(err), encoded)
}

// clearOne says where an increment is kept now: one that was put away before the run was
// killed, too. One that has grown stays.
func (in *Instance) clearOne(ctx context.Context, c clearing, inc seen) (kept string, err error) {
	if in.unchanged(inc) != nil {
		return in.keptState(inc.state), nil
	}
	if err := in.proven(ctx, c, inc); err != nil {
		return "", err
	}
	if err := in.unchanged(c.Main); err != nil {
		return "", err
	}
	return in.putAway(inc)
}

// proven is an error unless the table has every key of increments, and with it a row
// that is not earlier. A row without a whole key must be there as it is.
func (in *Instance) proven(ctx context.Context, c clearing, all ...seen) error {
	w := uniting{Work: service.Merge, Table: c.Table, Main: c.Main, Increments: all}
	return in.united(ctx, &w, "", func(u *union) error {
		row, err := u.db.One(ctx, "SELECT count(*) FROM ("+u.absent()+")")
		if err != nil {
			return err
		}
		if n, _ := row.Values[0].(int64); n > 0 {
			return fmt.Errorf("%d rows of %s are not in table %s: %w", n, all[0].Path, c.Table, service.ErrRefused)
		}
		if len(w.Increments) < len(all) {
			return changed(all[0].Path, nil)
		}
		return nil
	})
}

// absent gives the gathered rows that the file lacks, and of which it has no later one.
func (u *union) absent() string {
	return fmt.Sprintf(`SELECT %[1]s FROM %[2]s WHERE %[7]s NOT IN (SELECT g FROM %[3]s) EXCEPT SELECT %[1]s FROM %[4]s WHERE file_row_number IN (SELECT n FROM %[5]s) OR %[6]s`,
		u.list(), tables.Name(gathered), tables.Name(beaten), u.fileRows(), tables.Name(matched), nulls(u.t.Key), tables.Name(place))
}

// putAway moves an increment in one step, so that what its writer saves meanwhile under
// the same name stays. What turns out to have grown goes back: it is another one than was
// proven.
func (in *Instance) putAway(inc seen) (kept string, err error) {
	path := in.path(inc.Path)
	kept, err = in.named(path, renamed)
	if err != nil {
		return "", fmt.Errorf("keep %s: %w", inc.Path, err)
	}
	is, err := stateOf(in.path(kept))
	if err == nil && is == inc.state {
		return kept, synced(filepath.Dir(path))
	}
	if back := renamed(in.path(kept), path); back != nil {
		return "", fmt.Errorf("%s has grown and is in %s: %w", inc.Path, kept, errors.Join(err, back))
	}
	return "", err
}

// renamed gives a file another name that nobody has yet.
func renamed(from, to string) error {
	return unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
}

// undoClear brings increments back to where they were.
func (in *Instance) undoClear(_ context.Context, done json.RawMessage) (steps []service.Step, err error) {
	moved := map[string]string{}
	if err := json.Unmarshal(done, &moved); err != nil {
		return nil, fmt.Errorf("read what was put away: %w", err)
	}
	return in.returning(moved), nil
}

// returning lists the step that brings them back, from path to where they are now.
func (in *Instance) returning(moved map[string]string) []service.Step {
	if len(moved) == 0 {
		return nil
	}
	return []service.Step{step(opReturn, service.Reversible, slices.Min(slices.Collect(maps.Keys(moved))), moved,
		service.Message{ID: opReturn, Args: service.Args{"increments": len(moved)}})}
}

// doReturn does it. One that is there again is done.
func (in *Instance) doReturn(_ context.Context, s service.Step, _ service.Report) (out service.Outcome, err error) {
	moved, err := argsOf[map[string]string](s)
	if err != nil {
		return out, err
	}
	for path, kept := range moved {
		if err := in.returned(path, kept); err != nil {
			return out, err
		}
	}
	return out, nil
}

// returned brings one back, unless somebody has made another file of its name since.
func (in *Instance) returned(path, kept string) error {
	was, lost := stateOf(in.path(kept))
	is, missing := stateOf(in.path(path))
	switch {
	case missing == nil && errors.Is(lost, service.ErrNotFound):
		return nil
	case missing == nil && lost == nil && is != was:
		return changed(path, fmt.Errorf("another file has its name; it stays in %s", kept))
	case lost != nil:
		return fmt.Errorf("bring %s back: %w", path, lost)
	case missing != nil:
		if err := os.Link(in.path(kept), in.path(path)); err != nil {
			return fmt.Errorf("bring %s back: %w", path, err)
		}
	}
	return errors.Join(os.Remove(in.path(kept)), synced(filepath.Dir(in.path(path))))
}

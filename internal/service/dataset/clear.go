package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

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
// Since when the file holds them, its own time says: it was written then or later.
func (in *Instance) clear(name string, t Table, main seen, held []seen) []service.Step {
	grace := t.Increments.Grace.Std()
	if grace == 0 {
		grace = usualGrace
	}
	if len(held) == 0 || in.env.Now().UnixNano()-main.Time < grace.Nanoseconds() {
		return nil
	}
	return []service.Step{step(opClear, service.Reversible, name, clearing{name, main, held},
		service.Message{ID: opClear, Args: service.Args{"table": name, "increments": len(held), "grace": grace.Seconds()}})}
}

// doClear proves every row of every increment to be in the table, then moves the files to
// where originals are kept.
func (in *Instance) doClear(ctx context.Context, s service.Step, _ service.Report) (out service.Outcome, err error) {
	c, err := argsOf[clearing](s)
	if err != nil {
		return out, err
	}
	moved := map[string]string{} // from path to where it is now
	err = in.locked(ctx, true, func() error {
		if err := in.unchanged(c.Main); err != nil {
			return err
		}
		for _, inc := range c.Increments {
			if in.unchanged(inc) != nil {
				continue // it has grown, or is put away already
			}
			if err := in.proven(ctx, c, inc); err != nil {
				return err
			}
			kept, err := in.putAway(inc)
			if err != nil {
				return err
			}
			moved[inc.Path] = kept
		}
		return nil
	})
	out.Verdict.Set(c.Table+"_increments_cleared", len(moved))
	text, encoded := json.Marshal(moved)
	out.Result = text
	return out, errors.Join(err, encoded)
}

// proven is an error unless the table has every key of an increment, and with it a row
// that is not earlier. A row without a whole key must be there as it is.
func (in *Instance) proven(ctx context.Context, c clearing, inc seen) error {
	w := uniting{Work: service.Merge, Table: c.Table, Main: c.Main, Increments: []seen{inc}}
	return in.united(ctx, w, "", func(u *union) error {
		row, err := u.db.One(ctx, "SELECT count(*) FROM ("+u.absent()+")")
		if err != nil {
			return err
		}
		if n, _ := row.Values[0].(int64); n > 0 {
			return fmt.Errorf("%d rows of %s are not in table %s: %w", n, inc.Path, c.Table, service.ErrRefused)
		}
		return nil
	})
}

// absent gives the gathered rows that the file lacks, and of which it has no later one.
func (u *union) absent() string {
	return fmt.Sprintf(`SELECT %[1]s FROM %[2]s WHERE %[7]s NOT IN (SELECT g FROM %[3]s) EXCEPT SELECT %[1]s FROM %[4]s WHERE file_row_number IN (SELECT n FROM %[5]s) OR %[6]s`,
		u.list(), tables.Name(gathered), tables.Name(beaten), u.fileRows(), tables.Name(matched), nulls(u.t.Key), tables.Name(place))
}

func (in *Instance) putAway(inc seen) (kept string, err error) {
	path := in.path(inc.Path)
	if kept, err = in.keep(path); err != nil {
		return "", fmt.Errorf("keep %s: %w", inc.Path, err)
	}
	return kept, errors.Join(os.Remove(path), synced(filepath.Dir(path)))
}

// undoClear brings increments back to where they were.
func (in *Instance) undoClear(_ context.Context, done json.RawMessage) (steps []service.Step, err error) {
	moved := map[string]string{}
	if err := json.Unmarshal(done, &moved); err != nil {
		return nil, fmt.Errorf("read what was put away: %w", err)
	}
	if len(moved) == 0 {
		return nil, nil
	}
	return []service.Step{step(opReturn, service.Reversible, "increments", moved, service.Message{ID: opReturn, Args: service.Args{"increments": len(moved)}})}, nil
}

// doReturn does it. One that is there again is done.
func (in *Instance) doReturn(_ context.Context, s service.Step, _ service.Report) (out service.Outcome, err error) {
	moved, err := argsOf[map[string]string](s)
	if err != nil {
		return out, err
	}
	for path, kept := range moved {
		if _, err := os.Lstat(in.path(path)); err == nil {
			continue
		}
		if err := os.Link(in.path(kept), in.path(path)); err != nil {
			return out, fmt.Errorf("bring %s back: %w", path, err)
		}
		if err := errors.Join(os.Remove(in.path(kept)), synced(filepath.Dir(in.path(path)))); err != nil {
			return out, err
		}
	}
	return out, nil
}

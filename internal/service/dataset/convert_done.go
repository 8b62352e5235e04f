package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"upkeep/internal/service"
)

// moved says that a file changed where that is why it could not be read.
func (in *Instance) moved(err error, c conversion) error {
	if err == nil {
		return nil
	}
	if stale := in.standing(c); stale != nil {
		return fmt.Errorf("%w (%s)", stale, err.Error()) // what was read of a file that moved means nothing
	}
	return err
}

// standing gives an error that wraps ErrStale where one of the files is another by now.
func (in *Instance) standing(c conversion) error {
	if err := in.unchanged(c.From...); err != nil {
		return err
	}
	if !c.anew() {
		return in.unchanged(c.Onto)
	}
	if _, err := stateOf(in.path(c.Onto.Path)); !errors.Is(err, service.ErrNotFound) {
		return changed(c.Onto.Path, err)
	}
	return nil
}

// doConvert writes the file anew beside it, compares it with what it was made of, and only
// then puts it in its place, under the writers' locks.
func (in *Instance) doConvert(ctx context.Context, s service.Step, r service.Report) (out service.Outcome, err error) {
	c, err := argsOf[conversion](s)
	if err != nil {
		return out, err
	}
	cfg, _, err := in.declare(ctx, in.dir)
	if err != nil {
		return out, err
	}
	write := in.convertFile
	if c.Back {
		write = in.convertDocument
	}
	err = in.locked(ctx, false, func() error {
		done, err := write(ctx, cfg, &c)
		if err != nil {
			return err
		}
		r.Add(done.Is.Size, done.Is.Size)
		c.tell(cfg, done, &out.Verdict)
		out.Result, err = json.Marshal(done)
		return errors.Join(err, in.forget(ctx, cfg, c))
	})
	return out, in.full(err)
}

// forget lets the next check begin anew with what a copy holds: it may be less than it held,
// and what its source holds is judged by itself.
func (in *Instance) forget(ctx context.Context, cfg Config, c conversion) error {
	if c.Back || in.env.State == nil {
		return nil
	}
	return in.env.State.Set(ctx, stateOfPast+" "+cfg.Copies[c.Copy].Copy, "")
}

// tell says what became of the rows.
func (c conversion) tell(cfg Config, done replaced, v *service.Verdict) {
	t := c.Tally
	from, onto := cfg.Copies[c.Copy].ends(c.Back)
	facts := map[string]any{"rows_in": t.In, "rows_before": t.Before, "rows_new": t.New, "rows_changed": t.Changed, "rows_doubled": t.Doubled, "rows_after": t.After,
		"changed": t.fields(), "original": done.Kept}
	if c.Back {
		facts["rows_kept"] = t.Alone
	} else {
		facts["rows_dropped"] = t.Alone
	}
	if t.Alone > 0 {
		facts["why"] = "not in " + from
	}
	for name, value := range facts {
		v.Set(onto+"_"+name, value)
	}
}

// undoConvert brings the original back; a file that was made where none was is put away.
func (in *Instance) undoConvert(ctx context.Context, done json.RawMessage) ([]service.Step, error) {
	var r replaced
	if err := json.Unmarshal(done, &r); err != nil {
		return nil, fmt.Errorf("read what was done: %w", err)
	}
	if r.Kept != "" || r.Path == "" {
		return in.undoReplace(ctx, done)
	}
	return []service.Step{step(opPutAway, service.Reversible, r.Path, r, service.Message{ID: opPutAway, Args: service.Args{"path": r.Path}})}, nil
}

// doPutAway moves a file to where originals are kept, as long as nobody changed it.
func (in *Instance) doPutAway(ctx context.Context, s service.Step, _ service.Report) (o service.Outcome, err error) {
	r, err := argsOf[replaced](s)
	if err != nil {
		return o, err
	}
	err = in.locked(ctx, false, func() error {
		if in.unchanged(seen{r.Path, r.Is}) == nil {
			_, err := in.putAway(seen{r.Path, r.Is})
			return err
		}
		if _, err := stateOf(in.path(r.Path)); errors.Is(err, service.ErrNotFound) && in.keptState(r.Is) != "" {
			return nil // it is away already
		}
		return changed(r.Path, nil)
	})
	return o, in.full(err)
}

package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"upkeep/internal/service"
	"upkeep/internal/tables/footer"
)

// rescuing is what a step of opRescue needs: a file in quarantine, and what can be read of it.
type rescuing struct {
	From   seen   `json:"from"`
	To     string `json:"to"` // the increment that becomes of it, below the store
	Groups []int  `json:"groups"`
	Rows   int64  `json:"rows"`
	Lost   int64  `json:"lost"`
}

// rescued is what became of one.
type rescued struct {
	From string `json:"from"` // where it was in quarantine
	Kept string `json:"kept"` // where it is now
	To   string `json:"to"`
	Is   state  `json:"is"` // of the increment
}

// planRescue lists a step for every file in quarantine of which something can be read: it
// becomes an increment again, and the original one of the originals.
func (in *Instance) planRescue(ctx context.Context, cfg Config) (steps []service.Step, err error) {
	all, err := in.inQuarantine()
	if err != nil {
		return nil, err
	}
	for _, kept := range all {
		s, err := in.see(in.path(kept))
		if err != nil {
			return nil, err
		}
		l, err := in.legible(ctx, in.path(kept))
		if err != nil {
			return nil, err
		}
		steps = append(steps, in.rescue(cfg, s, l)...)
	}
	return steps, nil
}

func (in *Instance) rescue(cfg Config, s seen, l legible) []service.Step {
	saved, lost := l.rows()
	to := in.free(cfg, cameFrom(s.Path))
	switch {
	case l.groups == nil:
		return refusal(s.Path, "torn", service.Args{"detail": plain(l.err, in.path(s.Path))})
	case saved == 0:
		return refusal(s.Path, "nothing-readable", service.Args{"detail": plain(l.err, in.path(s.Path))})
	case to == "":
		return refusal(s.Path, "no-increment", nil)
	}
	return []service.Step{step(opRescue, service.Reversible, s.Path, rescuing{s, to, l.kept(), saved, lost},
		service.Message{ID: opRescue, Args: service.Args{"path": s.Path, "to": to, "rows": saved, "lost": lost}})}
}

// free is a name for an increment that nobody has: its own, or one beside it that a table
// takes for one. "" is none.
func (in *Instance) free(cfg Config, name string) string {
	ext := path.Ext(name)
	for _, name := range []string{name, strings.TrimSuffix(name, ext) + "_rescued" + ext} {
		if _, err := os.Lstat(in.path(name)); errors.Is(err, os.ErrNotExist) && cfg.increment(name) {
			return name
		}
	}
	return ""
}

// increment reports whether a table takes a file of this name for one of its own.
func (c Config) increment(name string) bool {
	for _, t := range c.Tables {
		if slices.ContainsFunc(t.Increments.Files, func(pattern string) bool { return doublestar.MatchUnvalidated(path.Clean(pattern), name) }) {
			return true
		}
	}
	return false
}

// doRescue writes the increment beside its place, reads it back and gives it its name; then
// the file leaves the quarantine.
func (in *Instance) doRescue(ctx context.Context, s service.Step, _ service.Report) (out service.Outcome, err error) {
	r, err := argsOf[rescuing](s)
	if err != nil {
		return out, err
	}
	done := rescued{From: r.From.Path, To: r.To, Kept: in.keptState(r.From.state)}
	if done.Kept == "" {
		done.Kept, err = in.rescued(ctx, r)
	}
	if err != nil {
		return out, in.full(err)
	}
	if done.Is, err = stateOf(in.path(r.To)); err != nil {
		return out, err
	}
	out.Verdict.Warn("dataset.salvaged", r.To, service.Args{"path": r.To, "kept": done.Kept, "rows": r.Rows, "dropped": r.Lost})
	for name, value := range map[string]any{"path": r.To, "rows_in": r.Rows + r.Lost, "rows_out": r.Rows, "dropped": r.Lost, "original": done.Kept} {
		out.Verdict.Set(name, value)
	}
	out.Result, err = json.Marshal(done)
	return out, err
}

func (in *Instance) rescued(ctx context.Context, r rescuing) (kept string, err error) {
	if err := in.unchanged(r.From); err != nil {
		return "", err
	}
	from, to := in.path(r.From.Path), in.path(r.To)
	draft := filepath.Join(filepath.Dir(to), draftOf+filepath.Base(to))
	if err := gone(draft); err != nil { // of a run that was killed
		return "", err
	}
	defer func() { err = errors.Join(err, gone(draft)) }()
	if err := readableRows(ctx, from, draft, r); err != nil {
		return "", err
	}
	err = renamed(draft, to)
	if errors.Is(err, os.ErrExist) {
		var same bool
		if same, err = sameContent(draft, to); err == nil && !same {
			err = changed(r.To, errors.New("another file has its name"))
		}
	}
	if err := errors.Join(err, synced(filepath.Dir(to))); err != nil {
		return "", fmt.Errorf("write %s: %w", r.To, err)
	}
	return in.named(from, renamed)
}

// readableRows copies row groups as they are, for the same owner, down to the disk, and reads
// them back.
func readableRows(ctx context.Context, from, draft string, r rescuing) error {
	file, err := os.OpenFile(draft, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = footer.Copy(ctx, from, file, footer.Change{Keep: func(group int) bool { return slices.Contains(r.Groups, group) }})
	if err := errors.Join(err, owned(file, from), file.Sync(), file.Close()); err != nil {
		return err
	}
	if _, err := footer.Walk(ctx, draft); err != nil {
		return fmt.Errorf("%w: %w", err, errUnlike)
	}
	if f, err := footer.Read(draft); err != nil || f.Rows != r.Rows {
		return errors.Join(fmt.Errorf("of %d rows there are %d: %w", r.Rows, f.Rows, errUnlike), err)
	}
	return nil
}

// undoRescue puts the file back into quarantine, and what was made of it among the
// originals. Rows that were merged meanwhile are taken back with that merge.
func (in *Instance) undoRescue(_ context.Context, done json.RawMessage) ([]service.Step, error) {
	var r rescued
	if err := json.Unmarshal(done, &r); err != nil || r.Kept == "" {
		return nil, fmt.Errorf("read what was done: %w", errors.Join(err, service.ErrUnsupported))
	}
	return []service.Step{step(opUnrescue, service.Reversible, r.From, r, service.Message{ID: opUnrescue, Args: service.Args{"path": r.From, "to": r.To}})}, nil
}

func (in *Instance) doUnrescue(_ context.Context, s service.Step, _ service.Report) (out service.Outcome, err error) {
	r, err := argsOf[rescued](s)
	if err != nil {
		return out, err
	}
	if in.keptState(r.Is) == "" {
		if err := in.unchanged(seen{r.To, r.Is}); err != nil {
			return out, err
		}
		if _, err := in.named(in.path(r.To), renamed); err != nil {
			return out, err
		}
	}
	return out, in.returned(r.From, r.Kept)
}

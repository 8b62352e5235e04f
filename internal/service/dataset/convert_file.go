package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"upkeep/internal/tables"
	"upkeep/internal/tables/footer"
)

// convertFile writes a Parquet file anew and puts it in place. A step that was done before
// its run was killed finds that out by what the file says of itself.
func (in *Instance) convertFile(ctx context.Context, cfg Config, c *conversion) (done replaced, err error) {
	path := in.path(c.Onto.Path)
	draft := filepath.Join(filepath.Dir(path), draftOf+filepath.Base(path))
	if err := in.leftover(path, draft); err != nil {
		return done, err
	}
	if done, err := in.converted(*c); err != nil || done.Path != "" {
		return done, err
	}
	if err := errors.Join(in.standing(*c), in.noneWaits(cfg, cfg.Copies[c.Copy].Copy)); err != nil {
		return done, err
	}
	step := stepID(*c)
	defer func() { err = errors.Join(err, gone(draft)) }()
	if err := in.draftFile(ctx, c, draft, step); err != nil {
		return done, in.moved(err, *c)
	}
	if err := in.standing(*c); err != nil {
		return done, err
	}
	if c.anew() {
		return in.placedAnew(*c, draft)
	}
	return in.replace(path, draft, c.Onto.state)
}

// converted finds the work of a step done.
func (in *Instance) converted(c conversion) (done replaced, err error) {
	path := in.path(c.Onto.Path)
	if !c.anew() {
		return in.madeBy(c.Onto, stepID(c))
	}
	of, is := in.madeOf(path)
	if !is || of.Step != stepID(c) {
		return done, nil
	}
	now, err := stateOf(path)
	return replaced{Path: c.Onto.Path, Is: now}, err
}

// placedAnew gives a draft the name of a file that is not there. One that somebody has made
// meanwhile stays.
func (in *Instance) placedAnew(c conversion, draft string) (done replaced, err error) {
	is, err := stateOf(draft)
	if err != nil {
		return done, err
	}
	path := in.path(c.Onto.Path)
	if err := os.Link(draft, path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return done, changed(path, nil)
		}
		return done, fmt.Errorf("put %s in its place: %w", path, err)
	}
	return replaced{Path: c.Onto.Path, Is: is}, synced(filepath.Dir(path))
}

// draftFile writes and proves the new file: it holds what was computed, and compared with
// the source it needs no further change.
func (in *Instance) draftFile(ctx context.Context, c *conversion, draft, step string) error {
	err := in.convertingAt(ctx, *c, how{writes: draft}, func(m *maker) (err error) {
		if c.Tally, err = m.tally(ctx); err != nil {
			return err
		}
		notes, err := in.conversionNotes(*c, step)
		if err != nil {
			return err
		}
		return m.write(ctx, draft, notes)
	})
	if err != nil {
		return err
	}
	if err := in.proveDraft(ctx, *c, draft); err != nil {
		return err
	}
	owner := c.Onto
	if c.anew() {
		owner = c.From[0] // whoever writes the one writes the other
	}
	return like(in.path(owner.Path), draft)
}

// conversionNotes are those of the file that is there, with the step that makes the new
// one: which increments it has taken in stays true.
func (in *Instance) conversionNotes(c conversion, step string) (map[string]string, error) {
	own, err := json.Marshal(made{step, c.Onto.state})
	notes := map[string]string{madeNote: string(own)}
	if f, unread := footer.Read(in.path(c.Onto.Path)); unread == nil {
		delete(f.Notes, "ARROW:schema")
		maps.Copy(f.Notes, notes)
		notes = f.Notes
	}
	return notes, err
}

// result is the statement that gives the rows of the new file.
func (m *maker) result() string {
	parts := make([]string, len(m.columns))
	for i, c := range m.columns {
		was := fmt.Sprintf("f%d::%s", i, c.sql)
		switch {
		case c.key >= 0:
			was = fmt.Sprintf("coalesce(%s, s%d::%s)", was, c.key, c.sql)
		case c.value >= 0:
			was = fmt.Sprintf("coalesce(v%d::%s, %s)", c.value, c.sql, was)
		}
		parts[i] = was + " AS " + tables.Name(c.name)
	}
	return fmt.Sprintf("SELECT %s FROM %s LEFT JOIN %s USING (%s)", strings.Join(parts, ", "), tables.Name(given), tables.Name(single), m.on())
}

// write makes the new file and reads it back: count and content must be those of the
// statement.
func (m *maker) write(ctx context.Context, path string, notes map[string]string) error {
	if err := m.db.Do(ctx, "COPY ("+m.result()+") TO "+tables.Text(path)+" (FORMAT parquet, COMPRESSION snappy"+noted(notes)+")"); err != nil {
		return fmt.Errorf("write the table anew: %w", err)
	}
	want, err := m.proof(ctx, m.result())
	if err != nil {
		return fmt.Errorf("compute the rows again: %w", err)
	}
	have, err := m.proof(ctx, "FROM "+tables.From(tables.Parquet, path))
	if err != nil {
		return fmt.Errorf("read the new file: %w", err)
	}
	if have != want {
		return fmt.Errorf("it holds %s, not %s: %w", have, want, errUnlike)
	}
	return nil
}

func (m *maker) proof(ctx context.Context, from string) (string, error) {
	names := make([]string, len(m.columns))
	for i, c := range m.columns {
		names[i] = tables.Name(c.name)
	}
	row, err := m.db.One(ctx, "SELECT count(*), sum(hash("+strings.Join(names, ", ")+")) FROM ("+from+")")
	if err != nil {
		return "", err
	}
	return fmt.Sprint(row.Values...), nil
}

// proveDraft compares a draft with the table that it was made of, as a plan does: nothing
// is due, and what must be the same is.
func (in *Instance) proveDraft(ctx context.Context, c conversion, draft string) error {
	return in.convertingAt(ctx, c, how{instead: map[string]string{c.Onto.Path: draft}}, func(m *maker) error {
		t, err := m.tally(ctx)
		if err != nil {
			return err
		}
		if t.due(c.Back) || t.Before != c.Tally.After || t.Alone != c.Tally.Alone && c.Back {
			return fmt.Errorf("of %d rows in it %d lack, %d differ (%v), %d are nobody's: %w", t.Before, t.New, t.Changed, t.fields(), t.Alone+t.Doubled, errUnlike)
		}
		return m.agrees(ctx, c)
	})
}

// drafted are the files that are read in the place of one that is not there.
func (s *store) drafted(patterns []string) []string {
	for _, name := range patterns {
		if s.how.instead[name] != "" {
			return []string{s.in.path(name)}
		}
	}
	return nil
}

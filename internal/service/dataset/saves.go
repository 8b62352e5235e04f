package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"upkeep/internal/diag"
	"upkeep/internal/glob"
	"upkeep/internal/service"
)

// unit is a file of the store that can be brought back from copies of it.
type unit struct {
	Path  string   // below the store
	Saves []string // patterns of copies beside it
}

// only is the file of a table that lies in one; "" where it may lie in several.
func (t Table) only() string {
	switch {
	case t.Document != "":
		return filepath.Clean(t.Document)
	case len(t.Files) == 1 && glob.Escape(t.Files[0]) == t.Files[0]:
		return filepath.Clean(t.Files[0])
	}
	return ""
}

// lyingIn lists the tables that lie in a file.
func (c Config) lyingIn(path string) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(c.Tables)) {
		if c.Tables[name].only() == path {
			names = append(names, name)
		}
	}
	return names
}

// units are the files that have copies beside them, or may be in points: those of tables that
// follow from no other.
func (c Config) units() (all []unit) {
	byPath := map[string][]string{}
	for name, t := range c.Tables {
		if path := t.only(); path != "" && (len(c.Saves[name]) > 0 || !c.follows(name)) {
			byPath[path] = append(byPath[path], c.Saves[name]...)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(byPath)) {
		all = append(all, unit{path, byPath[path]})
	}
	return all
}

// follows reports whether a table is declared to hold what another one holds.
func (c Config) follows(table string) bool {
	for _, a := range c.Copies {
		if a.Copy == table {
			return true
		}
	}
	return false
}

func (c *Config) validateSaves(p *diag.List) {
	for _, name := range slices.Sorted(maps.Keys(c.Saves)) {
		t, declared := c.Tables[name]
		switch {
		case !declared:
			p.Addf("saves."+name, "%q is no declared table", name)
		case t.only() == "":
			p.Addf("saves."+name, "copies beside can only take the place of one file: %q lies in several", name)
		}
		glob.Validate(p, "saves."+name, c.Saves[name])
	}
}

// Peers are the targets that this one names.
func (c *Config) Peers() []service.PeerRef { return Writers(c.Writers) }

// Writers are the references to targets whose processes write into a store.
func Writers(names []string) (all []service.PeerRef) {
	for i, name := range names {
		all = append(all, service.PeerRef{Path: fmt.Sprintf("writers[%d]", i), Target: name, Offers: "halt"})
	}
	return all
}

// save is a copy of a unit's file, or that file itself.
type save struct {
	Name  string    // its path below the store, or the point
	Point string    // that holds it; "" = it lies beside
	Sum   string    // of its content
	Also  []string  // others with the same content
	Was   state     // of one beside
	At    time.Time // of what it holds, as that tells; else when it was copied
	taken time.Time // when it was copied, as far as that is known
	part  service.Part
	judgement
}

// mostSaves bounds how many are read: the last copied ones.
const mostSaves = 100

// saves lists what a unit could be brought back from, each content once. The file itself is
// none of them.
func (in *Instance) saves(ctx context.Context, cfg Config, u unit, w service.Wanted) (all []*save, err error) {
	if all, err = in.beside(cfg, u); err != nil {
		return nil, err
	}
	elsewhere, err := elsewhere(ctx, u, w)
	if err != nil {
		return nil, err
	}
	all = append(all, elsewhere...)
	slices.SortStableFunc(all, func(a, b *save) int { return b.taken.Compare(a.taken) })
	all = all[:min(len(all), mostSaves)]
	for _, s := range all {
		if err := in.sum(ctx, s); err != nil {
			return nil, err
		}
	}
	return distinct(all), nil
}

// beside lists the files that the patterns name. Links lead to something else and are no
// copies; files that belong to the store are none, either.
func (in *Instance) beside(cfg Config, u unit) (all []*save, err error) {
	members, err := in.members(cfg)
	if err != nil {
		return nil, err
	}
	paths, err := in.find(u.Saves)
	for _, path := range paths {
		name := in.within(path)
		own := slices.ContainsFunc(members, func(m member) bool { return m.name == filepath.ToSlash(name) })
		is, unusual := stateOf(path)
		if own || unusual != nil || slices.Contains(cfg.Locks, name) {
			continue
		}
		all = append(all, &save{Name: name, Was: is, taken: time.Unix(0, is.Time)})
	}
	return all, err
}

func elsewhere(ctx context.Context, u unit, w service.Wanted) (all []*save, err error) {
	for _, p := range w.Points {
		c, err := w.Open(ctx, p.Point)
		if err != nil {
			return nil, fmt.Errorf("open the copy in point %s: %w", p.Point, err)
		}
		part, err := c.Part(ctx, filepath.ToSlash(u.Path))
		if errors.Is(err, service.ErrNotFound) {
			continue
		}
		s := &save{Name: p.Point, Point: p.Point, Sum: part.SHA256, taken: p.At, part: part}
		if err != nil {
			s.unread(err)
		}
		all = append(all, s)
	}
	return all, nil
}

// sum reads a save that has no digest yet. One that cannot be read stays among the others
// with the reason.
func (in *Instance) sum(ctx context.Context, s *save) error {
	if s.Sum != "" || len(s.faults) > 0 {
		return nil
	}
	from, err := in.openSave(ctx, s)
	if err == nil {
		s.Sum, _, err = digest(ctx, from)
		err = errors.Join(err, from.Close())
	}
	if err != nil {
		s.unread(err)
	}
	return ctx.Err()
}

func (in *Instance) openSave(ctx context.Context, s *save) (io.ReadCloser, error) {
	if s.Point != "" {
		return openPart(ctx, s.part)
	}
	return os.Open(in.path(s.Name))
}

// distinct joins those of one content. A file beside comes before a copy elsewhere.
func distinct(all []*save) (each []*save) {
	slices.SortStableFunc(all, func(a, b *save) int { return strings.Compare(a.Point, b.Point) })
	first := map[string]*save{}
	for _, s := range all {
		if same := first[s.Sum]; s.Sum != "" && same != nil {
			same.Also = append(same.Also, s.Name)
			continue
		}
		first[s.Sum], each = s, append(each, s)
	}
	return each
}

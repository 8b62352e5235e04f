package dataset

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"golang.org/x/sys/unix"

	"upkeep/internal/glob"
	"upkeep/internal/service"
)

// member is one file of the store.
type member struct {
	name   string   // its way within the store, divided by slashes
	tables []string // those whose rows it holds; none = it is there by also:
}

// members lists what belongs to the store, by name. Files that lie beside and are not
// declared do not.
func (in *Instance) members(cfg Config) ([]member, error) {
	tables := map[string][]string{}
	add := func(table string, patterns []string, without func(string) bool) error {
		paths, err := in.find(patterns)
		for _, p := range paths {
			if name := filepath.ToSlash(in.within(p)); !without(name) {
				tables[name] = append(tables[name], table)
			}
		}
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Tables)) {
		if err := add(name, cfg.Tables[name].all(), nothing); err != nil {
			return nil, err
		}
	}
	if err := add("", cfg.Also, cfg.excludes); err != nil {
		return nil, err
	}
	aside, err := in.inQuarantine() // what is in no table is in every copy
	if err != nil {
		return nil, err
	}
	for _, name := range aside {
		tables[filepath.ToSlash(name)] = nil
	}
	var all []member
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		all = append(all, member{name, slices.DeleteFunc(tables[name], func(table string) bool { return table == "" })})
	}
	return all, nil
}

func nothing(string) bool { return false }

// all are the files of a table: a document, files, increments.
func (t Table) all() []string {
	all := slices.Concat(t.Files, t.Increments.Files)
	if t.Document != "" {
		all = append(all, glob.Escape(t.Document))
	}
	return all
}

func (c Config) excludes(name string) bool {
	return slices.ContainsFunc(c.Exclude, func(pattern string) bool { return doublestar.MatchUnvalidated(path.Clean(pattern), name) })
}

// contentIdentity changes with every write. A file that was written less than a tick
// before clock may be written again without a new time: it has none, and is read each time.
func contentIdentity(st *unix.Stat_t, clock int64) string {
	if young(st, clock) {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d.%d.%d", st.Size, st.Mtim.Nano(), st.Ctim.Nano(), st.Ino, st.Dev)
}

// tick is longer than the kernel takes to advance the clock of file times.
const tick = 20e6 // nanoseconds

func young(st *unix.Stat_t, clock int64) bool { return st.Ctim.Nano() > clock-tick }

// fileClock is the clock that stamps files, in nanoseconds.
func fileClock() (int64, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &t); err != nil {
		return 0, fmt.Errorf("read the clock: %w", err)
	}
	return t.Nano(), nil
}

// same reports whether nobody wrote to a file between two looks. Nobody can set the
// change time, so that a write of the same length shows.
func same(a, b *unix.Stat_t) bool {
	return a.Size == b.Size && a.Mtim == b.Mtim && a.Ctim == b.Ctim && a.Ino == b.Ino && a.Dev == b.Dev
}

// selected says which files a selection is about: those of one table, or of a path or
// pattern; a directory stands for everything in it.
func selected(sel service.Selection) func(member) bool {
	only := strings.TrimSuffix(sel.Only, "/")
	return func(m member) bool {
		return sel.All() || slices.Contains(m.tables, only) || m.name == only ||
			doublestar.MatchUnvalidated(only, m.name) || doublestar.MatchUnvalidated(only+"/**", m.name)
	}
}

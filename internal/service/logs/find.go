package logs

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"upkeep/internal/glob"
	"upkeep/internal/service"
)

// found is everything declared, as one look at the directories showed it.
type found struct {
	logs       []*log   // by path
	odd        []string // matched, and neither regular files nor directories: links, pipes, sockets
	unreadable []string // directories and files that cannot be looked at
	// changed is when a directory was changed last before it was listed (ns, Unix), for
	// those where a later change shows.
	changed map[string]int64
	anew    map[string][]*log // of directories that were listed again, by name
}

// settled is how long ago the last change of a directory must be for the next one to
// have another time: file systems count in steps of up to 2 s.
const settled = 3 * time.Second

// remember takes the time of a directory that is listed after that.
func (f *found) remember(d *directory) error {
	now, err := d.lookAt(d.File, "")
	if err != nil || time.Since(now.written()) < settled {
		return err
	}
	if f.changed == nil {
		f.changed = map[string]int64{}
	}
	f.changed[d.path] = now.Last
	return nil
}

// holds reports whether a directory has the names that it had when it was listed.
func (f *found) holds(d *directory) (bool, error) {
	last, known := f.changed[d.path]
	if !known {
		return false, nil
	}
	now, err := d.lookAt(d.File, "")
	return now.Last == last, err
}

// relisted takes what a directory holds now, and when it was changed last.
func (f *found) relisted(dir string, logs []*log, changed map[string]int64) {
	if f.anew == nil {
		f.anew = map[string][]*log{}
	}
	f.anew[dir] = logs
	if f.changed == nil {
		f.changed = map[string]int64{}
	}
	delete(f.changed, dir)
	maps.Copy(f.changed, changed)
}

// newest is a stream as the last listing of its directory showed it; nil where that did not.
func (f *found) newest(l *log) *log {
	logs, again := f.anew[l.dir]
	if !again {
		return l
	}
	at, there := slices.BinarySearchFunc(logs, l.name, func(l *log, name string) int { return strings.Compare(l.name, name) })
	if !there {
		return nil
	}
	return logs[at]
}

// log is one stream: its present file, if there is one, and its generations, the
// oldest first.
type log struct {
	dir         string
	name        string
	current     *file
	generations []generation
}

type generation struct {
	file
	mark
}

func (l *log) path() string { return filepath.Join(l.dir, l.name) }

func (f *found) files() (n, bytes int64) {
	for _, l := range f.logs {
		for _, g := range l.generations {
			n, bytes = n+1, bytes+g.Size
		}
		if l.current != nil {
			n, bytes = n+1, bytes+l.current.Size
		}
	}
	return n, bytes
}

// find looks at every declared directory. It opens no file.
func (in *Instance) find(ctx context.Context) (*found, error) {
	f := &found{}
	dirs, err := in.directories(ctx, f)
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		logs, err := in.list(dir, f)
		switch {
		case errors.Is(err, service.ErrNotFound): // nothing there is what find says
		case err != nil:
			f.unreadable = append(f.unreadable, shown(dir))
		default:
			f.logs = append(f.logs, logs...)
		}
	}
	return f, nil
}

// declared reports whether a file of this path is meant.
func (in *Instance) declared(path string) bool {
	matches := func(pattern string) bool { ok, err := doublestar.Match(pattern, path); return ok && err == nil }
	return slices.ContainsFunc(in.patterns, matches) && !in.excluded(path)
}

func (in *Instance) excluded(path string) bool {
	return slices.ContainsFunc(in.cfg.Exclude, func(pattern string) bool {
		subject := filepath.Base(path)
		if strings.Contains(pattern, "/") {
			pattern, subject = glob.Absolute(glob.Escape(in.env.Base), pattern), path
		}
		ok, err := doublestar.Match(pattern, subject)
		return ok && err == nil
	})
}

// list sorts the names of one directory into logs and their generations.
func (in *Instance) list(path string, f *found) ([]*log, error) {
	d, err := openDir(path)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	if err := f.remember(d); err != nil {
		return nil, err
	}
	names, err := d.names()
	if err != nil {
		return nil, err
	}
	there := map[string]*log{}
	for _, name := range names {
		if err := in.sort(d, name, names, there, f); err != nil {
			return nil, err
		}
	}
	logs := make([]*log, 0, len(there))
	for _, l := range there {
		l.order()
		logs = append(logs, l)
	}
	slices.SortFunc(logs, func(a, b *log) int { return strings.Compare(a.name, b.name) })
	return logs, nil
}

func (in *Instance) sort(d *directory, name string, names []string, there map[string]*log, f *found) error {
	m, old := in.rotated(d.path, name, names)
	if !old && (isHalf(name) || packed(name) || !in.declared(filepath.Join(d.path, name))) {
		return nil
	}
	now, err := d.look(name)
	switch {
	case errors.Is(err, service.ErrNotFound):
		return nil // gone since the directory was read
	case err != nil:
		return err
	case now.isDir():
		return nil
	case !now.regular():
		f.odd = append(f.odd, shown(now.path()))
		return nil
	}
	l := there[m.base]
	if l == nil {
		l = &log{dir: d.path, name: m.base}
		there[m.base] = l
	}
	if old {
		l.generations = append(l.generations, generation{now, m})
	} else {
		l.current = &now
	}
	return nil
}

// rotated reports whether name is a generation of a declared file. Where a pattern as
// wide as * matches the rotated name too, it is one only by our own mark, or if the
// file that it would be a generation of is there: data.1 may be somebody's data.
func (in *Instance) rotated(dir, name string, names []string) (mark, bool) {
	m, ok := parseName(name)
	if !ok || isHalf(name) || !in.declared(filepath.Join(dir, m.base)) || in.excluded(filepath.Join(dir, name)) {
		return mark{base: name}, false
	}
	_, there := slices.BinarySearch(names, m.base)
	if !m.own && !there && in.declared(filepath.Join(dir, name)) {
		return mark{base: name}, false
	}
	return m, true
}

// order puts the oldest generation first. A compressed one beside its plain self is
// what a crash left: it does not count.
func (l *log) order() {
	plain := map[raw]bool{}
	for _, g := range l.generations {
		plain[g.Name] = !g.zipped
	}
	l.generations = slices.DeleteFunc(l.generations, func(g generation) bool {
		return g.zipped && plain[raw(strings.TrimSuffix(string(g.Name), ".gz"))]
	})
	slices.SortStableFunc(l.generations, func(a, b generation) int {
		switch {
		case a.Last != b.Last:
			return sign(a.Last - b.Last)
		case a.number != b.number:
			return b.number - a.number
		}
		return strings.Compare(string(a.Name), string(b.Name))
	})
}

func sign(n int64) int {
	if n < 0 {
		return -1
	}
	return 1
}

// directories expands what stands before the last slash of every pattern.
func (in *Instance) directories(ctx context.Context, f *found) ([]string, error) {
	var dirs []string
	for _, pattern := range in.patterns {
		w := descent{found: f}
		if err := w.into(ctx, "/", strings.Split(strings.TrimPrefix(pattern, "/"), "/")); err != nil {
			return nil, err
		}
		dirs = append(dirs, w.dirs...)
	}
	slices.Sort(dirs)
	return slices.Compact(dirs), nil
}

// descent goes down the directories of one pattern.
type descent struct {
	found *found
	dirs  []string
}

func (w *descent) into(ctx context.Context, dir string, parts []string) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case parts[0] == "**":
		return w.anywhere(ctx, dir, parts)
	case len(parts) == 1:
		w.dirs = append(w.dirs, dir)
		return nil
	case !strings.ContainsAny(parts[0], `*?[{\`):
		return w.into(ctx, filepath.Join(dir, parts[0]), parts[1:])
	}
	for _, sub := range w.below(dir) {
		if ok, err := doublestar.Match(parts[0], sub); ok && err == nil {
			if err := w.into(ctx, filepath.Join(dir, sub), parts[1:]); err != nil {
				return err
			}
		}
	}
	return nil
}

// anywhere is ** : no directory, or any number of them.
func (w *descent) anywhere(ctx context.Context, dir string, parts []string) error {
	rest := parts[1:]
	if len(rest) == 0 {
		rest = []string{"*"}
	}
	if err := w.into(ctx, dir, rest); err != nil {
		return err
	}
	for _, sub := range w.below(dir) {
		if err := w.into(ctx, filepath.Join(dir, sub), parts); err != nil {
			return err
		}
	}
	return nil
}

// below lists directories; a link to one is not followed.
func (w *descent) below(dir string) (names []string) {
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		w.found.unreadable = append(w.found.unreadable, shown(dir))
	}
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

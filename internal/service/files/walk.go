package files

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// walk is one pass over everything declared, in ascending order of part names.
// It holds one open directory per level and the names of the directories it is
// in, nothing else.
type walk struct {
	rules   *rules
	top     string
	strict  bool // a stand-in: links are not followed even where a declaration trusts them
	oneDisk bool
	gaps    *gaps
	seen    []bool // rules that something was found for
	anchors []int  // trusted directories, open until close
	current entry
	buf     []byte
}

// location is a directory on the way.
type location struct {
	path   string // part name: "etc/app/", "" for the top
	pos    position
	anchor int    // trusted directory; everything below is opened without following links
	rel    string // of the directory below anchor: "", "sub/"
	dev    uint64
}

// entry is one declared thing. It is valid until the yield returns.
type entry struct {
	name   string // of the part
	base   string
	dir    int // open parent
	anchor int
	rel    string // of the entry below anchor
	follow bool   // base may be a link that stands for its target
	// matched says that the last name of a pattern matched it: it is not declared as
	// part of a directory.
	matched bool
	stat    unix.Stat_t
}

func (e *entry) isDir() bool     { return e.stat.Mode&unix.S_IFMT == unix.S_IFDIR }
func (e *entry) isRegular() bool { return e.stat.Mode&unix.S_IFMT == unix.S_IFREG }
func (e *entry) isLink() bool    { return e.stat.Mode&unix.S_IFMT == unix.S_IFLNK }

var errStop = errors.New("the receiver has enough")

func (in *Instance) newWalk() *walk {
	return &walk{
		rules:   &in.rules,
		top:     in.top,
		strict:  in.standIn(),
		oneDisk: in.cfg.OneFilesystem,
		gaps:    &gaps{},
		seen:    make([]bool, len(in.rules.list)),
	}
}

// each yields every declared entry until yield returns false. What it cannot see
// is in gaps; an error means that the walk itself failed.
func (w *walk) each(ctx context.Context, yield func(*entry) bool) error {
	at := location{pos: w.rules.start()}
	fd, children, err := w.open(unix.AT_FDCWD, w.top, true, at)
	if err != nil {
		return fmt.Errorf("open %s: %w", w.top, err)
	}
	w.anchors = append(w.anchors, fd)
	at.anchor = fd
	err = w.every(ctx, fd, at, children, yield)
	if errors.Is(err, errStop) {
		return nil
	}
	w.missing()
	return err
}

func (w *walk) close() error {
	var err error
	for _, fd := range w.anchors {
		err = errors.Join(err, unix.Close(fd))
	}
	w.anchors = nil
	return err
}

func (w *walk) missing() {
	for i, r := range w.rules.list {
		if !w.seen[i] {
			w.gaps.add(missing, r.declared)
		}
	}
}

// open opens the directory name in parent, for reading where its names must be
// listed and else for passing through, and returns what of it matters. A
// directory that opens and cannot be listed comes with an error.
func (w *walk) open(parent int, name string, follow bool, at location) (int, []child, error) {
	how := unix.O_DIRECTORY
	if !follow {
		how |= unix.O_NOFOLLOW
	}
	if w.rules.only(at.pos) != nil {
		fd, err := openat(parent, name, how|unix.O_PATH, 0)
		if err != nil {
			return -1, nil, err
		}
		children, err := w.children(fd, at)
		return fd, children, err
	}
	fd, err := quietly(func(flags int) (int, error) { return openat(parent, name, how|flags, 0) })
	if err != nil {
		return -1, nil, err
	}
	children, err := w.children(fd, at)
	return fd, children, err
}

// every yields the children, in order, each with what is below it.
func (w *walk) every(ctx context.Context, fd int, at location, children []child, yield func(*entry) bool) error {
	for i := range children {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.child(ctx, fd, at, &children[i], yield); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) child(ctx context.Context, fd int, at location, c *child, yield func(*entry) bool) error {
	e := &w.current
	*e = entry{name: at.path + c.name, base: c.name, dir: fd, anchor: at.anchor, rel: at.rel + c.name, follow: c.follow}
	err := e.look()
	if err == unix.ENOENT || err == unix.ENOTDIR {
		return nil // declared and not there, or gone since it was listed
	}
	if err != nil {
		w.blocked(e.name, c)
		return nil
	}
	if c.declared {
		w.rules.enter(at.pos, c.name, w.seen)
		e.matched = !at.pos.whole && !c.follow && !w.strict
	}
	switch {
	case e.isDir() != c.dir:
		w.gaps.add(vanished, e.name) // its place in the order is past
		return nil
	case e.isDir():
		return w.enter(ctx, at, c, e, yield)
	case c.declared && !yield(e):
		return errStop
	}
	return nil
}

// look describes the entry. A trusted link to nowhere is kept as a link.
func (e *entry) look() (err error) {
	e.stat, err = stat(e.dir, e.base, e.follow)
	if e.follow && (err == unix.ENOENT || err == unix.ELOOP) {
		e.follow = false
		e.stat, err = stat(e.dir, e.base, false)
	}
	return err
}

// enter yields a directory and what is in it.
func (w *walk) enter(ctx context.Context, at location, c *child, e *entry, yield func(*entry) bool) error {
	e.name += "/"
	inside := location{path: e.name, pos: c.pos, anchor: at.anchor, rel: e.rel + "/", dev: e.stat.Dev}
	if w.oneDisk && at.pos.whole && inside.dev != at.dev {
		return w.yield(c, e, yield)
	}
	fd, children, err := w.open(e.dir, c.name, c.follow, inside)
	if err == unix.ENOENT {
		return nil
	}
	if fd >= 0 && c.follow {
		inside.anchor, inside.rel = fd, ""
		w.anchors = append(w.anchors, fd)
	} else if fd >= 0 {
		defer unix.Close(fd)
	}
	if err != nil {
		w.blocked(e.name, c)
	}
	if err := w.yield(c, e, yield); err != nil {
		return err
	}
	return w.every(ctx, fd, inside, children, yield)
}

func (w *walk) yield(c *child, e *entry, yield func(*entry) bool) error {
	if c.declared && !yield(e) {
		return errStop
	}
	return nil
}

// blocked notes something that permissions or a broken disk hide.
func (w *walk) blocked(name string, c *child) {
	w.gaps.add(unreadable, name)
	for _, s := range c.pos.states {
		w.seen[s.rule] = true // hidden is not missing
	}
}

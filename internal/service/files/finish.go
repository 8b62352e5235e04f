package files

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"upkeep/internal/service"
)

// finish walks the restored tree beside the copy: it makes hard links, removes
// what the copy does not list, and gives each directory its mode and times once
// nothing in it changes any more.
func (w *restoration) finish(ctx context.Context) error {
	walk := w.in.newWalk()
	f := finishing{restoration: w, keep: lacking(w.copy.Manifest())}
	err := walk.merge(ctx, w.copy, f.visit)
	if err == nil {
		err = f.leave("")
	}
	if err := errors.Join(err, walk.close()); err != nil {
		return err
	}
	if f.kept > 0 {
		w.in.env.Log.Warn("the copy lacks files: what it does not list was kept", "kept", f.kept)
	}
	return nil
}

type finishing struct {
	*restoration
	keep  bool // the copy lacks files: their absence is no reason to remove them
	kept  int64
	above []unfinished // directories around the present one, outermost first
}

// unfinished is a directory that something below may still change.
type unfinished struct {
	name string
	meta meta
	drop bool // it is not in the copy
}

func (f *finishing) visit(p *service.Part, e *entry, next string) error {
	if p == nil {
		return f.surplus(e, next)
	}
	if err := f.leave(p.Name); err != nil || !f.sel.has(p.Name) {
		return err
	}
	m, err := parse(*p)
	if err != nil {
		return err
	}
	switch {
	case m.kind == directory:
		f.above = append(f.above, unfinished{name: p.Name, meta: m})
	case m.hardlink != "" && f.sel.has(m.hardlink):
		if err := f.hardlink(p.Name, m.hardlink); err != nil {
			return fmt.Errorf("link %s to %s: %w", shown(p.Name), shown(m.hardlink), full(err))
		}
	}
	return nil
}

// surplus removes what the copy does not list.
func (f *finishing) surplus(e *entry, next string) error {
	if err := f.leave(e.name); err != nil {
		return err
	}
	if !f.sel.has(e.name) || leadsTo(e, next) || kindOf(e.stat.Mode) == "" {
		return nil
	}
	if f.keep {
		f.kept++
		return nil
	}
	if e.isDir() {
		f.above = append(f.above, unfinished{name: e.name, drop: true})
		return nil
	}
	if err := unix.Unlinkat(e.dir, e.base, 0); err != nil && err != unix.ENOENT {
		return fmt.Errorf("remove %s: %w", shown(e.name), err)
	}
	return nil
}

// leave finishes the directories that name is not in.
func (f *finishing) leave(name string) error {
	for len(f.above) > 0 {
		last := f.above[len(f.above)-1]
		if name != "" && strings.HasPrefix(name, last.name) {
			return nil
		}
		f.above = f.above[:len(f.above)-1]
		if err := f.complete(last); err != nil {
			return fmt.Errorf("finish %s: %w", shown(last.name), err)
		}
	}
	return nil
}

func (f *finishing) complete(d unfinished) error {
	to, err := f.places.of(d.name, "")
	if err != nil {
		return err
	}
	if d.drop {
		return removeDirectory(to)
	}
	fd, err := beneath(to.anchor, to.rel, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.apply(fd, d.meta, d.meta.mtime), unix.Close(fd))
}

// removeDirectory leaves one that still holds what the declaration excludes, a
// socket or a mounted disk.
func removeDirectory(to place) error {
	if to.rel == "" {
		return nil
	}
	parent, err := to.parent()
	if err != nil {
		return err
	}
	defer unix.Close(parent)
	err = unix.Unlinkat(parent, to.base(), unix.AT_REMOVEDIR)
	switch err {
	case unix.ENOTEMPTY, unix.EEXIST, unix.EBUSY, unix.ENOENT:
		return nil
	}
	return err
}

// hardlink makes name the same file as first.
func (f *finishing) hardlink(name, first string) error {
	from, err := f.places.of(first, "")
	if err != nil {
		return err
	}
	to, err := f.places.of(name, "")
	if err != nil {
		return err
	}
	source, err := from.parent()
	if err != nil {
		return err
	}
	defer unix.Close(source)
	dir, err := to.parent()
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	return linked(source, from.base(), dir, to.base())
}

func linked(source int, first string, dir int, name string) error {
	want, err := stat(source, first, false)
	if err != nil {
		return err
	}
	// Renaming one of two names of a file to the other does nothing at all.
	if have, err := stat(dir, name, false); err == nil && have.Dev == want.Dev && have.Ino == want.Ino {
		return nil
	}
	temporary := beside(name)
	if err := unix.Unlinkat(dir, temporary, 0); err != nil && err != unix.ENOENT {
		return err
	}
	if err := unix.Linkat(source, first, dir, temporary, 0); err != nil {
		return err
	}
	return rename(dir, temporary, name)
}

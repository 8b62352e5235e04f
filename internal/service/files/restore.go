package files

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"upkeep/internal/service"
)

// writers is how many files are written at a time.
const writers = 4

// Restore puts the copy back in its place. Each file is written beside the old one
// and takes its name when it is whole, so that a full disk or a crash leaves the
// old file. What the copy does not list is removed, within the declared paths and
// the selection only; nothing is removed when the copy says that it lacks
// something. A second call ends in the same state.
func (in *Instance) Restore(ctx context.Context, c service.Copy, sel service.Selection, r service.Report) (err error) {
	chosen, err := in.selectionOf(sel)
	if err != nil {
		return err
	}
	w := &restoration{in: in, copy: c, sel: chosen, report: r, owners: newOwners(),
		places: places{rules: &in.rules, top: in.top, strict: in.standIn(), open: map[string]int{}, used: map[int]bool{}}}
	w.batch.durable = !in.standIn()
	w.buffers.New = newBuffer
	defer func() { err = errors.Join(err, w.places.close()) }()
	if err := w.plan(ctx); err != nil {
		return fmt.Errorf("plan the restore: %w", err)
	}
	if err := w.contents(ctx); err != nil {
		return fmt.Errorf("restore contents: %w", err)
	}
	if err := w.finish(ctx); err != nil {
		return fmt.Errorf("finish the restore: %w", err)
	}
	if in.standIn() {
		return nil
	}
	return w.places.sync()
}

type restoration struct {
	in      *Instance
	copy    service.Copy
	sel     selection
	report  service.Report
	places  places
	owners  *owners
	batch   batch
	buffers sync.Pool
	done    atomic.Int64
	total   int64
}

// contents writes every selected part but hard links, which need the file they
// name.
func (w *restoration) contents(ctx context.Context) error {
	group, writing := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	listing := w.each(writing, func(p service.Part, m meta) error { return w.place(writing, group, p, m) })
	// A writer's own error comes first: it is why the listing was cancelled.
	if err := group.Wait(); err != nil {
		return errors.Join(err, w.batch.drop())
	}
	if listing != nil {
		return errors.Join(listing, w.batch.drop())
	}
	return w.batch.commit()
}

// each calls do with the selected parts of the copy.
func (w *restoration) each(ctx context.Context, do func(service.Part, meta) error) error {
	for p, err := range w.copy.Parts(ctx) {
		if err != nil {
			return fmt.Errorf("list the copy: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if !w.sel.has(p.Name) {
			continue
		}
		m, err := parse(p)
		if err != nil {
			return err
		}
		if err := do(p, m); err != nil {
			return fmt.Errorf("%s: %w", shown(p.Name), err)
		}
	}
	return nil
}

func (w *restoration) place(ctx context.Context, group *errgroup.Group, p service.Part, m meta) error {
	if m.hardlink != "" {
		if w.sel.has(m.hardlink) {
			return nil // finish makes it
		}
		first, err := w.copy.Part(ctx, m.hardlink)
		if err != nil {
			return fmt.Errorf("the file it is a hard link of: %w", err)
		}
		p.Open, p.SHA256, p.Size = first.Open, first.SHA256, first.Size
	}
	if m.kind == directory {
		return w.directory(ctx, p.Name, m)
	}
	to, err := w.places.of(p.Name, m.via)
	if err != nil {
		return err
	}
	if err := w.ensure(ctx, to, p.Name); err != nil {
		return err
	}
	if m.kind != file {
		return w.special(to, m)
	}
	group.Go(func() error {
		if err := w.file(ctx, to, p, m); err != nil {
			return fmt.Errorf("%s: %w", shown(p.Name), full(err))
		}
		return nil
	})
	return nil
}

// full makes a full disk recognisable.
func full(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("%w: %w", service.ErrNoSpace, err)
	}
	return err
}

// directory makes a directory with room to work in; finish gives it its mode.
func (w *restoration) directory(ctx context.Context, name string, m meta) error {
	to, err := w.places.of(name, "")
	if err != nil {
		return err
	}
	if to.rel == "" {
		return nil // a declared directory, made when it was opened
	}
	if err := w.ensure(ctx, to, name); err != nil {
		return err
	}
	parent, err := to.parent()
	if err != nil {
		return err
	}
	defer unix.Close(parent)
	return makeDirectory(parent, to.base(), m.mode)
}

func makeDirectory(parent int, name string, mode uint32) error {
	err := unix.Mkdirat(parent, name, 0o700)
	if err == unix.EEXIST {
		st, look := stat(parent, name, false)
		if look == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR {
			if err := unix.Unlinkat(parent, name, 0); err != nil {
				return fmt.Errorf("make way for a directory: %w", err)
			}
			return makeDirectory(parent, name, mode)
		}
		err = look
	}
	if err != nil || os.Geteuid() == 0 {
		return err
	}
	// Nobody but root can write into a read-only directory.
	return unix.Fchmodat(parent, name, mode&0o7777|0o700, 0)
}

// ensure makes the directories above a part that the selection leaves out or a
// pattern does not cover, as the copy has them or else as 0755.
func (w *restoration) ensure(ctx context.Context, to place, name string) error {
	parent, err := to.parent()
	if err == nil {
		return unix.Close(parent)
	}
	if err != unix.ENOENT {
		return fmt.Errorf("open its directory: %w", err)
	}
	above := strings.TrimSuffix(name, "/")
	above = above[:strings.LastIndexByte(above, '/')+1]
	m := meta{kind: directory, mode: 0o755, uid: uint32(os.Geteuid()), gid: uint32(os.Getegid())}
	p, err := w.copy.Part(ctx, above)
	if err == nil {
		m, err = parse(p)
	}
	if err != nil && !errors.Is(err, service.ErrNotFound) {
		return err
	}
	up := place{to.anchor, strings.TrimSuffix(to.rel[:strings.LastIndexByte(to.rel, '/')+1], "/")}
	if err := w.ensure(ctx, up, above); err != nil {
		return err
	}
	return w.between(up, m)
}

// between makes one directory that no later pass will come to.
func (w *restoration) between(at place, m meta) error {
	parent, err := at.parent()
	if err != nil {
		return err
	}
	defer unix.Close(parent)
	if err := makeDirectory(parent, at.base(), m.mode); err != nil {
		return err
	}
	return w.mark(parent, at.base(), m, unix.Timespec{Nsec: unix.UTIME_OMIT})
}

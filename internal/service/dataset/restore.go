package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"upkeep/internal/service"
)

// Restore puts the files of a copy in place. All are written beside the old ones first
// and held to their digests; then, under the writers' locks, each takes its name, and
// declared files that the copy does not have are removed: their rows would count twice.
// Nothing is removed when the copy says that it lacks files. A second call ends in the same
// state.
func (in *Instance) Restore(ctx context.Context, c service.Copy, sel service.Selection, r service.Report) (err error) {
	promised, err := promisedBy(c.Manifest())
	if err != nil {
		return err
	}
	w := &restoration{in: in, copy: c, sel: sel, report: r, stored: map[string]bool{}, dirs: map[string]bool{}}
	defer func() { err = errors.Join(err, w.discard()) }()
	if err := w.room(ctx); err != nil {
		return err
	}
	if err := parts(ctx, c, sel, func(p service.Part) error { return w.write(ctx, p) }); err != nil {
		return fmt.Errorf("write the copy: %w", err)
	}
	return in.locked(ctx, false, func() error { return w.finish(ctx, promised.config()) })
}

type restoration struct {
	in          *Instance
	copy        service.Copy
	sel         service.Selection
	report      service.Report
	done, total int64
	written     []written
	stored      map[string]bool // parts of the copy, selected or not
	dirs        map[string]bool // whose names change
}

// written is a whole file that has not its name yet.
type written struct{ beside, path string }

// clean refuses names that lead out of the store.
func clean(name string) error {
	if !filepath.IsLocal(name) || filepath.Clean(name) != name {
		return fmt.Errorf("part %q is no path within a store: %w", name, service.ErrDamaged)
	}
	return nil
}

// room lists the copy and refuses one that does not fit beside what is there.
func (w *restoration) room(ctx context.Context) error {
	chosen := selected(w.sel)
	for p, err := range w.copy.Parts(ctx) {
		if err != nil {
			return fmt.Errorf("list the copy: %w", err)
		}
		w.stored[p.Name] = true
		if chosen(memberOf(p)) {
			w.total += max(p.Size, 0)
		}
	}
	if err := errors.Join(ctx.Err(), os.MkdirAll(w.in.dir, 0o755)); err != nil {
		return err
	}
	free, err := available(w.in.dir)
	if err == nil && w.total > free {
		return fmt.Errorf("the copy has %d bytes, %s has %d: %w", w.total, w.in.dir, free, service.ErrNoSpace)
	}
	return err
}

// write puts a file beside its place. A link in its place stays, and the file that it
// leads to is replaced.
func (w *restoration) write(ctx context.Context, p service.Part) (err error) {
	path := w.in.path(p.Name)
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	beside := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".upkeep-restore")
	if err := os.Remove(beside); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove what an earlier restore left: %w", err)
	}
	file, err := os.OpenFile(beside, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	w.written = append(w.written, written{beside, path})
	if err := w.fill(ctx, file, p); err != nil {
		return errors.Join(full(err), file.Close())
	}
	return errors.Join(w.finishFile(file, p), file.Close())
}

// full makes a full disk recognisable.
func full(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("%w: %w", service.ErrNoSpace, err)
	}
	return err
}

// fill writes the content and holds it to its digest.
func (w *restoration) fill(ctx context.Context, to io.Writer, p service.Part) error {
	content, err := openPart(ctx, p)
	if err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(to, sum), during{ctx, content})
	if err := errors.Join(err, content.Close()); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); p.SHA256 != "" && got != p.SHA256 {
		return fmt.Errorf("content has %d bytes and sha256 %s, promised is %s: %w", n, got, p.SHA256, service.ErrDamaged)
	}
	w.done += n
	w.report.Add(w.done, w.total)
	return nil
}

// finishFile gives the file its owner, mode and time, and writes it to disk.
func (w *restoration) finishFile(file *os.File, p service.Part) error {
	if os.Geteuid() == 0 {
		if err := file.Chown(owner(p)); err != nil {
			return err
		}
	}
	if err := file.Chmod(modeOf(p)); err != nil {
		return err
	}
	if err := os.Chtimes(file.Name(), time.Time{}, timeOf(p)); err != nil {
		return err
	}
	if w.in.remove != nil {
		return nil // a sibling for a drill need not outlive a crash
	}
	return full(file.Sync())
}

// finish gives all files their names and removes what the copy does not have.
func (w *restoration) finish(ctx context.Context, promised Config) error {
	for _, f := range w.written {
		if err := errors.Join(ctx.Err(), os.Rename(f.beside, f.path)); err != nil {
			return err
		}
		w.dirs[filepath.Dir(f.path)] = true
	}
	w.written = nil
	if err := w.removeExtra(promised); err != nil {
		return err
	}
	for dir := range w.dirs {
		if err := syncDir(dir); err != nil {
			return fmt.Errorf("write the names in %s to disk: %w", dir, err)
		}
	}
	return nil
}

// removeExtra takes away what the copy would hold if it had been there. What is declared
// only since is left alone.
func (w *restoration) removeExtra(promised Config) error {
	list, err := w.in.members(promised)
	if err != nil || lacking(w.copy.Manifest()) {
		return err
	}
	chosen := selected(w.sel)
	for _, m := range list {
		if w.stored[m.name] || !chosen(m) || ours(m.name) {
			continue
		}
		if err := os.Remove(w.in.path(m.name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove %s, which the copy does not have: %w", m.name, err)
		}
		w.dirs[filepath.Dir(w.in.path(m.name))] = true
	}
	return nil
}

// lacking reports whether a copy has not all files of the store: that one is not in it
// is no reason to remove it.
func lacking(m service.Manifest) bool {
	return slices.ContainsFunc(m.Findings, func(f service.Finding) bool { return f.ID == notCopied })
}

// discard removes what has not got its name.
func (w *restoration) discard() (err error) {
	for _, f := range w.written {
		if gone := os.Remove(f.beside); gone != nil && !errors.Is(gone, os.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

package repository

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/content"
	"github.com/kopia/kopia/repo/maintenance"
	"github.com/kopia/kopia/repo/object"
	"github.com/kopia/kopia/snapshot"
	"github.com/kopia/kopia/snapshot/snapshotmaintenance"
	"golang.org/x/sys/unix"

	"upkeep/internal/service"
)

// unsealedLife is how long an unfinished point can still be resumed; after that
// full maintenance removes it.
const unsealedLife = 7 * 24 * time.Hour

// Remove deletes a point: complete, incomplete, or one whose records are
// damaged. Its space comes back with full maintenance, a day later at the
// earliest. The ID must be whole.
func (r *Repository) Remove(ctx context.Context, id string) error {
	return r.remove(ctx, []string{id})
}

func (r *Repository) remove(ctx context.Context, ids []string) error {
	err := r.change(ctx, "remove points", func(ctx context.Context, k repo.DirectRepositoryWriter) error {
		for _, id := range ids {
			if err := removePoint(ctx, k, id); err != nil {
				return fmt.Errorf("remove point %s: %w", id, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	left, err := r.reader.FindManifests(ctx, map[string]string{typeLabel: recordType})
	if err != nil {
		return readError(err)
	}
	for _, m := range left {
		for _, id := range ids {
			if m.Labels[pointLabel] == id {
				return fmt.Errorf("point %s is still there: a record of it is younger than its removal", id)
			}
		}
	}
	return nil
}

func removePoint(ctx context.Context, k repo.RepositoryWriter, id string) error {
	own := map[string]string{typeLabel: recordType, pointLabel: id}
	found, err := k.FindManifests(ctx, own)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return service.ErrNotFound
	}
	if err := deleteAll(ctx, k, own); err != nil {
		return err
	}
	return deleteAll(ctx, k, map[string]string{typeLabel: snapshot.ManifestType, pointTag: id})
}

// Maintain tidies the repository up. Quick maintenance merges indexes; full
// maintenance also removes points that nobody finished within a week and gives
// back the space of what no point needs, but spares what is younger than a day
// and waits for a second full run hours later, so that it is safe beside stock
// kopia. The error wraps service.ErrBusy while a point is being written.
func (r *Repository) Maintain(ctx context.Context, full bool) error {
	unlock, err := r.lock(exclusive)
	if err != nil {
		return err
	}
	err = r.maintain(ctx, full)
	if err := errors.Join(err, unlock()); err != nil {
		return fmt.Errorf("maintain repository: %w", err)
	}
	return nil
}

func (r *Repository) maintain(ctx context.Context, full bool) error {
	mode := maintenance.ModeQuick
	if full {
		mode = maintenance.ModeFull
		if err := r.prepareFull(ctx); err != nil {
			return err
		}
	}
	return r.change(ctx, "maintenance", func(ctx context.Context, k repo.DirectRepositoryWriter) error {
		return snapshotmaintenance.Run(ctx, k, mode, true, maintenance.SafetyFull)
	})
}

// prepareFull removes what nobody finished, and refuses to go on where a copy
// has lost the snapshot that keeps its content.
func (r *Repository) prepareFull(ctx context.Context) error {
	all, err := r.all(ctx)
	if err != nil {
		return err
	}
	var old []string
	for id, p := range all {
		if p.sealed == nil && p.begun != nil && r.opt.Now().Sub(p.begun.At) > unsealedLife {
			old = append(old, id)
			continue
		}
		if err := r.allHeld(ctx, p); err != nil {
			return err
		}
	}
	if len(old) > 0 {
		if err := r.remove(ctx, old); err != nil {
			return err
		}
	}
	return sweepTemporary(r.opt.Path, time.Now().Add(-temporaryLife))
}

func (r *Repository) allHeld(ctx context.Context, p *records) error {
	for _, c := range p.stored() {
		found, err := r.snapshots(ctx, p.id, c.Target)
		if err != nil {
			return err
		}
		if found == 0 {
			return fmt.Errorf("the kopia snapshot of %s in point %s was deleted; remove the point first: %w", c.Target, p.id, service.ErrRefused)
		}
	}
	return nil
}

// temporaryLife is the age at which a file that kopia was writing when it was
// killed is no longer anybody's.
const temporaryLife = 24 * time.Hour

func sweepTemporary(path string, before time.Time) error {
	return filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(d.Name(), ".f.tmp.") {
			return unlessGone(err)
		}
		info, err := d.Info()
		if err != nil || info.ModTime().After(before) {
			return unlessGone(err)
		}
		return unlessGone(os.Remove(file))
	})
}

// unlessGone forgives a file that another process of kopia has replaced or
// removed meanwhile.
func unlessGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Forget takes damaged content back from the index, so that the next backup
// stores it anew; without that it would be taken for stored. What else lies in the
// same packs is looked at too: the part that was found may be the list of others.
// Content that can be read after all stays. It returns how much was taken back.
// Where the next backup holds the same bytes, the damaged point is whole again.
func (r *Repository) Forget(ctx context.Context, damaged []Damage) (contents int, err error) {
	err = r.change(ctx, "forget damaged content", func(ctx context.Context, k repo.DirectRepositoryWriter) error {
		f := &forgetting{k: k, packs: map[blob.ID]bool{}}
		for _, d := range damaged {
			if err := f.object(ctx, d.Object); err != nil {
				return fmt.Errorf("forget content of %s %q: %w", d.Target, d.Part, err)
			}
		}
		if err := f.rest(ctx); err != nil {
			return fmt.Errorf("forget what lies beside it: %w", err)
		}
		contents = f.dropped
		return nil
	})
	return contents, err
}

type forgetting struct {
	k       repo.DirectRepositoryWriter
	packs   map[blob.ID]bool // in which something could not be read
	dropped int
}

// object descends: the list of an object's pieces may be what is damaged.
func (f *forgetting) object(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	id, err := object.ParseID(name)
	if err != nil {
		return err
	}
	ids, err := f.k.VerifyObject(ctx, id)
	for lower, indirect := id.IndexObjectID(); err != nil && indirect; lower, indirect = lower.IndexObjectID() {
		ids, err = f.k.VerifyObject(ctx, lower)
	}
	if err != nil {
		return nil //nolint:nilerr // not in the index: nothing to take back
	}
	return f.unreadable(ctx, ids)
}

// rest drops what cannot be read of the packs that are known to be damaged.
func (f *forgetting) rest(ctx context.Context) error {
	if len(f.packs) == 0 {
		return nil
	}
	var ids []content.ID
	err := f.k.ContentReader().IterateContents(ctx, content.IterateOptions{}, func(info content.Info) error {
		if f.packs[info.PackBlobID] {
			ids = append(ids, info.ContentID)
		}
		return nil
	})
	if err != nil {
		return readError(err)
	}
	return f.unreadable(ctx, ids)
}

func (f *forgetting) unreadable(ctx context.Context, ids []content.ID) error {
	for _, id := range ids {
		info, err := f.k.ContentInfo(ctx, id)
		if err != nil || info.Deleted {
			continue // taken back before
		}
		if _, err = f.k.ContentReader().GetContent(ctx, id); err == nil {
			continue
		}
		if err := readError(err); !errors.Is(err, service.ErrDamaged) {
			return err
		}
		if err := f.k.ContentManager().DeleteContent(ctx, id); err != nil {
			return err
		}
		f.packs[info.PackBlobID] = true
		f.dropped++
	}
	return nil
}

// Usage is what the repository takes and what its file system has left, in bytes.
type Usage struct {
	Bytes int64 // on the disk, all files of the repository
	Free  int64 // for this user
	Total int64 // of the file system
}

// Usage measures the directory.
func (r *Repository) Usage(ctx context.Context) (Usage, error) {
	var u Usage
	err := filepath.WalkDir(r.opt.Path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return unlessGone(err)
		}
		info, err := d.Info()
		if err == nil && info.Mode().IsRegular() {
			u.Bytes += info.Size()
		}
		return errors.Join(unlessGone(err), ctx.Err())
	})
	if err != nil {
		return u, fmt.Errorf("measure repository: %w", err)
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(r.opt.Path, &disk); err != nil {
		return u, fmt.Errorf("measure the disk of the repository: %w", err)
	}
	u.Free, u.Total = int64(disk.Bavail)*disk.Bsize, int64(disk.Blocks)*disk.Bsize
	return u, nil
}

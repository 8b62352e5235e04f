package dataset

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"upkeep/internal/tables"
	"upkeep/internal/tables/document"
	"upkeep/internal/tables/footer"
)

// salvaged writes what can be read of a broken file.
func (in *Instance) salvaged(ctx context.Context, m mending, from string) (draft string, err error) {
	if m.parquet() {
		return in.draft(m, 1, func(to *os.File) error {
			_, err := footer.Copy(ctx, from, to, footer.Change{Keep: func(group int) bool { return slices.Contains(m.Groups, group) }})
			return err
		})
	}
	cfg, _, err := in.declare(ctx, in.dir)
	if err != nil {
		return "", err
	}
	file, err := os.Open(from)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }() // it was only read
	saved, err := saves(cfg, m.Tables, file)
	if err != nil {
		return "", err
	}
	whole, err := unmarked(file)
	if err != nil {
		return "", err
	}
	return in.draft(m, 1, func(to *os.File) error { return saved.Write(whole, to) })
}

// saves measures how much of a broken document can be kept.
func saves(cfg Config, names []string, file *os.File) (document.Saved, error) {
	whole, err := unmarked(file)
	if err != nil {
		return document.Saved{}, err
	}
	var patterns []document.Pattern
	for _, name := range names {
		rows, err := document.ParsePattern(cfg.Tables[name].Rows)
		if err != nil {
			return document.Saved{}, err
		}
		patterns = append(patterns, rows)
	}
	through, _, err := lenient(file, whole)
	if err != nil {
		return document.Saved{}, err
	}
	return document.Salvage(through, patterns)
}

// draft writes a file beside the one that it will replace, for the same owner, down to the
// disk. What an earlier try left under its name is removed, never written to: it may be
// a second name of an original.
func (in *Instance) draft(m mending, n int, write func(*os.File) error) (path string, err error) {
	return in.draftLike(m, n, func(f *os.File) error { return owned(f, in.path(m.Path)) }, write)
}

func (in *Instance) draftPath(m mending, n int) string {
	dir, base := filepath.Split(in.path(m.Path))
	return filepath.Join(dir, fmt.Sprintf("%s%d-%s", draftOf, n, base))
}

// draftLike is a draft whose owner and mode are those of something else.
func (in *Instance) draftLike(m mending, n int, own, write func(*os.File) error) (path string, err error) {
	path = in.draftPath(m, n)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	if err := errors.Join(write(f), own(f), f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(path))
	}
	return path, nil
}

// owned gives a file the owner and mode of another one.
func owned(f *os.File, like string) error {
	info, err := os.Stat(like)
	if err != nil {
		return err
	}
	of := info.Sys().(*syscall.Stat_t)
	return errors.Join(f.Chown(int(of.Uid), int(of.Gid)), f.Chmod(info.Mode().Perm()))
}

// readable are the row groups of a Parquet file by whether all their values can be read;
// whole says that there is nothing to save. A footer that cannot be read is an error.
func (s *store) readableGroups(ctx context.Context, file string) (groups []footer.Group, whole bool, err error) {
	groups, err = footer.Groups(ctx, file)
	if err != nil {
		return nil, false, err
	}
	damaged := slices.ContainsFunc(groups, func(g footer.Group) bool { return g.Damaged != nil })
	if !damaged && s.scan(ctx, file) == nil {
		return groups, true, ctx.Err()
	}
	for i := range groups {
		if groups[i].Damaged == nil {
			groups[i].Damaged = s.scanGroup(ctx, file, i)
		}
	}
	return groups, false, ctx.Err()
}

// scanGroup reads the values of one row group, by way of a file that has no other.
func (s *store) scanGroup(ctx context.Context, file string, group int) error {
	path := filepath.Join(s.scratch, "group.parquet")
	alone, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(path) }() // else the scratch directory is swept
	_, err = footer.Copy(ctx, file, alone, footer.Change{Keep: func(i int) bool { return i == group }})
	if err := errors.Join(err, alone.Close()); err != nil {
		return err
	}
	return s.scan(ctx, path)
}

// scan reads every value of files.
func (s *store) scan(ctx context.Context, files ...string) error {
	db, err := tables.Open(ctx, tables.Limits{Scratch: s.scratch}, files, nil)
	if err != nil {
		return err
	}
	_, err = db.One(ctx, "SELECT bit_xor(hash(r)) FROM "+tables.From(tables.Parquet, files...)+" r")
	return errors.Join(err, db.Close())
}

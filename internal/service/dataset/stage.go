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
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"upkeep/internal/service"
	"upkeep/internal/tables"
	"upkeep/internal/tables/document"
	"upkeep/internal/tables/footer"
)

const (
	stagePurpose = "dataset-stage"
	// mostStaged bounds what is copied aside while writers wait; it takes a second.
	mostStaged = 256 << 20
	// rounds is how often the store is gone over until nothing changes meanwhile.
	rounds = 8
	pause  = 30 * time.Millisecond // between two of them: longer than a tick
	// recent is how long after its last write a file that is not whole may still become so.
	recent = 2 * time.Second
)

// stage holds the files of a store as they were at one moment: copies aside of most, open
// files of those that are too large. A writer that puts another file in the place of one
// does not change it.
type stage struct {
	in     *Instance
	cfg    Config
	dir    string // with the store's own paths
	room   int64  // for copies
	mu     sync.Mutex
	files  map[string]*staged
	unread map[string]string // files that cannot be read, and why
	lacks  []string          // locks that were not to be had
	taken  time.Time
	until  time.Time // zero: everything is of the time taken
}

// staged is one file as it was read.
type staged struct {
	member
	stat    unix.Stat_t
	clock   int64    // of files, when it was read
	settled bool     // as far as can be told, its content is of one moment
	live    *os.File // is read where it lies
	again   bool     // it changed while it was read there
	moved   bool     // and did so once more
}

// take goes over the store, with its writers' locks where they are to be had, until one
// round finds nothing changed since the one before.
func (s *stage) take(ctx context.Context) (err error) {
	held, lacks, err := s.in.lock(ctx, s.cfg, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.release()) }()
	s.lacks = lacks
	for round := range rounds {
		if round > 1 {
			time.Sleep(pause)
		}
		s.taken = s.in.env.Now()
		changed, err := s.round(ctx)
		if err != nil || !changed {
			return err
		}
	}
	s.until = s.in.env.Now()
	return nil
}

// round reads what is new or changed, and forgets what is gone.
func (s *stage) round(ctx context.Context) (changed bool, err error) {
	list, err := s.in.members(s.cfg)
	if err != nil {
		return false, err
	}
	there := map[string]bool{}
	for _, m := range list {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		there[m.name] = true
		read, err := s.renew(m)
		if err != nil {
			return false, fmt.Errorf("copy %s: %w", m.name, err)
		}
		changed = changed || read
	}
	for name := range s.files {
		if !there[name] {
			changed = true
			if err := s.drop(name); err != nil {
				return false, err
			}
		}
	}
	return changed, nil
}

// renew reads a file unless it is still the one that was read.
func (s *stage) renew(m member) (read bool, err error) {
	was, now := s.files[m.name], unix.Stat_t{}
	if was != nil && was.settled && unix.Stat(s.in.path(m.name), &now) == nil && same(&was.stat, &now) {
		return false, nil
	}
	if s.unread[m.name] != "" {
		return false, nil
	}
	if err := s.drop(m.name); err != nil {
		return false, err
	}
	return true, s.read(m)
}

func (s *stage) drop(name string) error {
	f := s.files[name]
	if f == nil {
		return nil
	}
	delete(s.files, name)
	if f.live != nil {
		return errors.Join(f.live.Close(), os.Remove(s.path(name)))
	}
	s.room += f.stat.Size
	return os.Remove(s.path(name))
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

// read takes one file. What cannot be opened is no part of the copy, which says so.
func (s *stage) read(m member) (err error) {
	from, err := os.OpenFile(s.in.path(m.name), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil // it went away, and the next round sees no such file
	}
	if errors.Is(err, os.ErrPermission) {
		s.unread[m.name] = err.Error()
		return nil
	}
	if err != nil {
		return err
	}
	f := &staged{member: m}
	if f.clock, err = fileClock(); err == nil {
		err = unix.Fstat(int(from.Fd()), &f.stat)
	}
	if err == nil && f.stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return from.Close()
	}
	if err == nil {
		err = os.MkdirAll(filepath.Dir(s.path(m.name)), 0o700)
	}
	if err != nil {
		return errors.Join(err, from.Close())
	}
	s.files[m.name] = f
	if f.stat.Size > s.room {
		return s.hold(f, from)
	}
	s.room -= f.stat.Size
	return errors.Join(s.copy(f, from), from.Close())
}

// hold keeps a file open that is too large to be copied while writers wait. The path
// through /proc leads to the open file itself, whatever has its name by now.
func (s *stage) hold(f *staged, from *os.File) error {
	f.live, f.settled = from, true
	return os.Symlink(fmt.Sprintf("/proc/self/fd/%d", from.Fd()), s.path(f.name))
}

// copy takes the content, at no cost where the file system can share it.
func (s *stage) copy(f *staged, from *os.File) (err error) {
	to, err := os.OpenFile(s.path(f.name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if unix.IoctlFileClone(int(to.Fd()), int(from.Fd())) != nil {
		if _, err := io.Copy(to, io.NewSectionReader(from, 0, f.stat.Size)); err != nil {
			return err
		}
	}
	var after unix.Stat_t
	if err := unix.Fstat(int(from.Fd()), &after); err != nil {
		return err
	}
	f.settled = same(&f.stat, &after) && !young(&f.stat, f.clock) && (f.clock-f.stat.Mtim.Nano() > int64(recent) || fault(s.path(f.name)) == "")
	return nil
}

// fault is what is wrong with a document or a Parquet file as a whole; "" with others.
func fault(path string) string {
	var err error
	switch {
	case tables.FormatOf(path) == tables.Parquet:
		_, err = footer.Read(path)
	case filepath.Ext(path) == ".json":
		err = parses(path)
	}
	if err != nil {
		return plain(err, path)
	}
	return ""
}

func parses(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	from, _, err := lenient(file, file)
	if err != nil {
		return err
	}
	return document.Read(from, nil, nil)
}

// sorted are the files by name.
func (s *stage) sorted() []*staged {
	return slices.SortedFunc(maps.Values(s.files), func(a, b *staged) int { return strings.Compare(a.name, b.name) })
}

func (s *stage) close() (err error) {
	for _, f := range s.files {
		if f.live != nil {
			err = errors.Join(err, f.live.Close())
		}
	}
	return err
}

// newStage makes an empty one. remove takes its directory away.
func (in *Instance) newStage(ctx context.Context) (s *stage, remove func() error, err error) {
	cfg, _, err := in.declare(ctx, in.dir)
	if err != nil {
		return nil, nil, err
	}
	dir, remove, err := in.env.Dir(stagePurpose)
	if err != nil {
		return nil, nil, fmt.Errorf("make room for a copy aside: %w", err)
	}
	free, err := available(dir)
	if err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	return &stage{in: in, cfg: cfg, dir: dir, room: min(mostStaged, free/2), files: map[string]*staged{}, unread: map[string]string{}}, remove, nil
}

// available is how many bytes more fit on the disk of a directory.
func available(dir string) (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, fmt.Errorf("look at the disk of %s: %w", dir, err)
	}
	return int64(fs.Bavail) * fs.Bsize, nil
}

// notCopied says that a copy lacks files.
const notCopied = "dataset.not-copied"

// judge tells what the copy lacks, and what is in it as it should not be.
func (s *stage) judge(v *service.Verdict) {
	for _, name := range s.lacks {
		v.Warn("dataset.copied-unlocked", name, service.Args{"lock": name, "dir": s.in.dir, "wait": s.cfg.LockWait.Std().Seconds()})
	}
	for _, f := range s.sorted() {
		if detail := fault(s.path(f.name)); detail != "" {
			v.Warn("dataset.copied-damaged", f.name, service.Args{"path": f.name, "detail": detail})
		}
		if f.moved {
			v.Warn("dataset.copied-moving", f.name, service.Args{"path": f.name})
		}
	}
	if unread := slices.Sorted(maps.Keys(s.unread)); len(unread) > 0 {
		v.Crit(notCopied, "", service.Args{"n": len(unread), "names": unread, "detail": s.unread[unread[0]]})
	}
}

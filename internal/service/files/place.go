package files

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"upkeep/internal/service"
)

// places finds where parts belong. It never leaves the declared paths: their
// literal leading names are trusted, links included, and made where they are
// missing; below them no link is followed.
type places struct {
	rules  *rules
	top    string
	strict bool
	open   map[string]int // trusted directories by path
	used   map[int]bool   // those that something was put below
}

// place is a path below a trusted directory; rel is "" for the directory itself.
type place struct {
	anchor int
	rel    string
}

func (p place) base() string { return p.rel[strings.LastIndexByte(p.rel, '/')+1:] }

// parent opens the directory that the place is in.
func (p place) parent() (int, error) {
	cut := strings.LastIndexByte(p.rel, '/')
	return beneath(p.anchor, p.rel[:max(cut, 0)], unix.O_PATH|unix.O_DIRECTORY, 0)
}

// of returns the place of a part. via is the target of the trusted link that stood
// for it when it was copied: while the link is still the same, the place is where
// it points.
func (s *places) of(name, via string) (place, error) {
	names, err := clean(name)
	if err != nil {
		return place{}, err
	}
	declared, trusted := s.rules.declares(names)
	if !declared {
		return place{}, outside(name)
	}
	if s.strict {
		trusted = 0
	}
	isDir := strings.HasSuffix(name, "/")
	if via != "" && !isDir && trusted == len(names) {
		if to, ok, err := s.through(names, via); ok || err != nil {
			return to, err
		}
	}
	if !isDir {
		trusted = min(trusted, len(names)-1)
	}
	anchor, err := s.anchor(names[:trusted])
	s.used[anchor] = true
	return place{anchor, strings.Join(names[trusted:], "/")}, err
}

// clean splits a part's name and refuses one that is no path below the top.
func clean(name string) ([]string, error) {
	names := strings.Split(strings.TrimSuffix(name, "/"), "/")
	for _, n := range names {
		if n == "" || n == "." || n == ".." || strings.IndexByte(n, 0) >= 0 {
			return nil, fmt.Errorf("part %q is no clean path: %w", name, service.ErrDamaged)
		}
	}
	return names, nil
}

func outside(name string) error {
	return &service.Fault{ID: "files.outside", Args: service.Args{"path": shown(name)},
		Err: fmt.Errorf("%s is not among the declared paths: %w", shown(name), service.ErrRefused)}
}

// through follows the declared link of those names if it still points to via.
func (s *places) through(names []string, via string) (place, bool, error) {
	parent, err := s.anchor(names[:len(names)-1])
	if err != nil {
		return place{}, false, err
	}
	now, err := readlink(parent, names[len(names)-1])
	if err != nil || now != via {
		return place{}, false, nil // it is gone or leads elsewhere: the file itself is put there
	}
	target, err := filepath.EvalSymlinks("/" + strings.Join(names, "/"))
	if err != nil {
		return place{}, false, nil // it leads nowhere
	}
	resolved := split(target)
	anchor, err := s.anchor(resolved[:len(resolved)-1])
	s.used[anchor] = true
	return place{anchor, resolved[len(resolved)-1]}, true, err
}

// anchor opens the trusted directory of those names and makes what is missing.
func (s *places) anchor(names []string) (int, error) {
	path := strings.Join(names, "/")
	if fd, known := s.open[path]; known {
		return fd, nil
	}
	if len(names) == 0 {
		fd, err := openat(unix.AT_FDCWD, s.top, unix.O_PATH|unix.O_DIRECTORY, 0)
		if err != nil {
			return -1, fmt.Errorf("open %s: %w", s.top, err)
		}
		s.open[path] = fd
		return fd, nil
	}
	parent, err := s.anchor(names[:len(names)-1])
	if err != nil {
		return -1, err
	}
	fd, err := openOrMake(parent, names[len(names)-1])
	if err != nil {
		return -1, fmt.Errorf("open /%s: %w", path, err)
	}
	s.open[path] = fd
	return fd, nil
}

func openOrMake(parent int, name string) (int, error) {
	fd, err := openat(parent, name, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != unix.ENOENT {
		return fd, err
	}
	if err := unix.Mkdirat(parent, name, 0o755); err != nil {
		return -1, err
	}
	return openat(parent, name, unix.O_PATH|unix.O_DIRECTORY, 0)
}

// sync writes the names of everything that was put in place to disk.
func (s *places) sync() error {
	for path, fd := range s.open {
		if !s.used[fd] {
			continue
		}
		if err := syncDisk(fd); err != nil {
			return fmt.Errorf("write /%s to disk: %w", path, err)
		}
	}
	return nil
}

func syncDisk(dir int) error {
	fd, err := openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err == unix.EACCES {
		return nil // a directory on the way that may only be passed through
	}
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(fd), unix.Close(fd))
}

func (s *places) close() error {
	var err error
	for _, fd := range s.open {
		err = errors.Join(err, unix.Close(fd))
	}
	return err
}

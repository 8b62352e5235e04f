package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"upkeep/internal/service"
)

// file is what a file was when it was looked at. As JSON it goes into steps.
type file struct {
	Dir  raw    `json:"dir"`
	Name raw    `json:"name"`
	Dev  uint64 `json:"dev"`
	Ino  uint64 `json:"ino"`
	Born int64  `json:"born,omitempty"` // ns, Unix; 0 where the file system does not say
	Size int64  `json:"size"`
	Last int64  `json:"last"` // ns, Unix: when it was written last
	mode uint32
	uid  int
	gid  int
}

// node is what the kernel calls a file.
type node struct{ dev, ino uint64 }

func (f file) node() node         { return node{f.Dev, f.Ino} }
func (f file) path() string       { return filepath.Join(string(f.Dir), string(f.Name)) }
func (f file) written() time.Time { return time.Unix(0, f.Last) }
func (f file) regular() bool      { return f.mode&unix.S_IFMT == unix.S_IFREG }
func (f file) isDir() bool        { return f.mode&unix.S_IFMT == unix.S_IFDIR }

// permissions leaves out the bits that lend rights: nobody needs them on a log.
func (f file) permissions() uint32 { return f.mode & 0o777 }

// same reports whether two looks saw one file with one content.
func (f file) same(g file) bool { return f.is(g) && f.Size == g.Size && f.Last == g.Last }

// is reports whether two looks saw one file, whatever it holds: a recycled inode
// number has another time of birth.
func (f file) is(g file) bool {
	return f.node() == g.node() && (f.Born == g.Born || f.Born == 0 || g.Born == 0)
}

// directory is an open directory. Names are looked up in it and nowhere else, and
// links are never followed.
type directory struct {
	*os.File
	path string
}

func openDir(path string) (*directory, error) {
	f, err := os.OpenFile(path, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, explained(err)
	}
	return &directory{File: f, path: path}, nil
}

func (d *directory) fd() int { return int(d.Fd()) }

// names lists the directory in ascending byte order.
func (d *directory) names() ([]string, error) {
	if _, err := d.Seek(0, 0); err != nil {
		return nil, err
	}
	names, err := d.Readdirnames(-1)
	slices.Sort(names)
	return names, explained(err)
}

func (d *directory) look(name string) (file, error) {
	return d.statx(d.fd(), name, name, unix.AT_SYMLINK_NOFOLLOW)
}

func (d *directory) lookAt(f *os.File, name string) (file, error) {
	return d.statx(int(f.Fd()), "", name, unix.AT_EMPTY_PATH)
}

func (d *directory) statx(fd int, at, name string, how int) (file, error) {
	var s unix.Statx_t
	if err := unix.Statx(fd, at, how, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &s); err != nil {
		return file{}, explained(&fs.PathError{Op: "look at", Path: shown(filepath.Join(d.path, name)), Err: err})
	}
	f := file{Dir: raw(d.path), Name: raw(name), Dev: unix.Mkdev(s.Dev_major, s.Dev_minor), Ino: s.Ino, Size: int64(s.Size),
		Last: s.Mtime.Sec*1e9 + int64(s.Mtime.Nsec), mode: uint32(s.Mode), uid: int(s.Uid), gid: int(s.Gid)}
	if s.Mask&unix.STATX_BTIME != 0 {
		f.Born = s.Btime.Sec*1e9 + int64(s.Btime.Nsec)
	}
	return f, nil
}

// open opens a regular file for reading and says what it is. A pipe of that name does
// not make it wait.
func (d *directory) open(name string) (*os.File, file, error) {
	f, err := d.openAs(name, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, file{}, err
	}
	now, err := d.lookAt(f, name)
	if err == nil && !now.regular() {
		err = fmt.Errorf("%s is no regular file: %w", shown(now.path()), service.ErrUnsupported)
	}
	if err != nil {
		f.Close()
		return nil, file{}, err
	}
	return f, now, nil
}

func (d *directory) openAs(name string, flags int, mode uint32) (*os.File, error) {
	path := filepath.Join(d.path, name)
	fd, err := unix.Openat(d.fd(), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NOCTTY, mode)
	if err != nil {
		return nil, explained(&fs.PathError{Op: "open", Path: shown(path), Err: err})
	}
	return os.NewFile(uintptr(fd), path), nil
}

// rename never replaces a file.
func (d *directory) rename(from, to string, how uint) error {
	if err := unix.Renameat2(d.fd(), from, d.fd(), to, how); err != nil {
		return explained(&fs.PathError{Op: "rename to " + shown(to), Path: shown(filepath.Join(d.path, from)), Err: err})
	}
	return d.Sync()
}

// remove takes a name away; one that has gone already is no error.
func (d *directory) remove(name string) error {
	if err := unix.Unlinkat(d.fd(), name, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return explained(&fs.PathError{Op: "remove", Path: shown(filepath.Join(d.path, name)), Err: err})
	}
	return d.Sync()
}

// explained wraps the sentinel that an error of the file system means.
func explained(err error) error {
	for _, known := range []struct{ cause, means error }{
		{fs.ErrPermission, service.ErrDenied}, {fs.ErrNotExist, service.ErrNotFound}, {unix.ENOSPC, service.ErrNoSpace},
		{unix.EDQUOT, service.ErrNoSpace}, {unix.EROFS, service.ErrDenied},
	} {
		if errors.Is(err, known.cause) {
			return fmt.Errorf("%w: %w", err, known.means)
		}
	}
	return err
}

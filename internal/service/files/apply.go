package files

import (
	"os"
	"os/user"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// mark applies m to name in dir, whatever it is, without following a link.
func (w *restoration) mark(dir int, name string, m meta, written unix.Timespec) error {
	fd, err := openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return w.apply(fd, m, written)
}

// apply gives the open thing its owner, mode, attributes and time, in this order:
// a new owner clears setuid and capabilities, and every change the time. The path
// through /proc leads to the open thing itself, also when it is a link.
func (w *restoration) apply(fd int, m meta, written unix.Timespec) error {
	if os.Geteuid() == 0 {
		uid, gid := w.owners.of(m)
		if err := unix.Fchownat(fd, "", uid, gid, unix.AT_EMPTY_PATH); err != nil {
			return err
		}
	}
	path := handle(fd, "")
	if m.kind != link {
		if err := unix.Chmod(path, m.mode&0o7777); err != nil {
			return err
		}
	}
	if m.kind == file || m.kind == directory {
		if err := w.attributes(path, m); err != nil {
			return err
		}
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{{Nsec: unix.UTIME_OMIT}, written}, 0)
}

// attributes makes the extended attributes those of m. Where this process or the
// file system may not hold one it goes on: a comparison shows it.
func (w *restoration) attributes(path string, m meta) error {
	names, err := attribute(func(buf []byte) (int, error) { return unix.Listxattr(path, buf) })
	if err == unix.ENOTSUP && len(m.xattrs) == 0 {
		return nil
	}
	if err != nil && err != unix.ENOTSUP {
		return err
	}
	for _, name := range strings.Split(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		if _, wanted := m.xattrs[name]; name != "" && !wanted {
			if err := w.tolerate(unix.Removexattr(path, name), name); err != nil {
				return err
			}
		}
	}
	for name, value := range m.xattrs {
		if err := w.tolerate(unix.Setxattr(path, name, []byte(value), 0), name); err != nil {
			return err
		}
	}
	return nil
}

func (w *restoration) tolerate(err error, name string) error {
	switch err {
	case unix.ENOTSUP, unix.EPERM, unix.EACCES, unix.EINVAL:
		w.in.env.Log.Warn("extended attribute not restored", "attribute", name, "reason", err)
		return nil
	case unix.ENODATA:
		return nil
	}
	return err
}

// owners finds the numbers of the copy's owners on this machine: by name, because
// numbers differ between machines, and by number where nobody has the name.
type owners struct {
	mu     sync.Mutex
	users  map[string]int // -1: nobody has the name
	groups map[string]int
}

func newOwners() *owners { return &owners{users: map[string]int{}, groups: map[string]int{}} }

func (o *owners) of(m meta) (uid, gid int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	uid = known(o.users, m.user, func() (string, error) {
		u, err := user.Lookup(m.user)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	})
	gid = known(o.groups, m.group, func() (string, error) {
		g, err := user.LookupGroup(m.group)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	})
	if uid < 0 {
		uid = int(m.uid)
	}
	if gid < 0 {
		gid = int(m.gid)
	}
	return uid, gid
}

func known(cache map[string]int, name string, look func() (string, error)) int {
	if name == "" {
		return -1
	}
	id, met := cache[name]
	if met {
		return id
	}
	id = -1
	if text, err := look(); err == nil {
		if n, err := strconv.Atoi(text); err == nil {
			id = n
		}
	}
	cache[name] = id
	return id
}

package files

import (
	"os/user"
	"strings"

	"golang.org/x/sys/unix"
)

// describer turns entries of one walk into what a part says of them.
type describer struct {
	gaps   *gaps
	users  map[uint32]string
	groups map[uint32]string
	links  map[inode]*sharers
}

type inode struct{ dev, ino uint64 }

// sharers are the names of one file. It is forgotten once all of them were seen.
type sharers struct {
	first string
	left  uint64
}

func newDescriber(g *gaps) *describer {
	return &describer{gaps: g, users: map[uint32]string{}, groups: map[uint32]string{}, links: map[inode]*sharers{}}
}

func (d *describer) describe(e *entry) meta {
	st := &e.stat
	m := meta{
		kind: kindOf(st.Mode), mode: st.Mode & 0o7777, uid: st.Uid, gid: st.Gid,
		user: d.user(st.Uid), group: d.group(st.Gid), mtime: st.Mtim, allocated: -1,
	}
	switch m.kind {
	case file:
		m.hardlink = d.firstOf(e)
		if on := st.Blocks * 512; on < st.Size {
			m.allocated = on
		}
	case link:
		m.target = d.target(e)
	case character, block:
		m.device = st.Rdev
	}
	if e.follow {
		m.via, _ = readlink(e.dir, e.base) // an error says that it is no link
	}
	if m.kind == file || m.kind == directory {
		m.xattrs = d.xattrs(e)
	}
	return m
}

// kindOf is empty for a socket, which no copy can hold.
func kindOf(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return file
	case unix.S_IFDIR:
		return directory
	case unix.S_IFLNK:
		return link
	case unix.S_IFIFO:
		return fifo
	case unix.S_IFCHR:
		return character
	case unix.S_IFBLK:
		return block
	}
	return ""
}

func (d *describer) target(e *entry) string {
	to, err := readlink(e.dir, e.base)
	if err != nil {
		d.gaps.add(vanished, e.name)
	}
	return to
}

// firstOf returns the name under which the same file was met before, or "".
func (d *describer) firstOf(e *entry) string {
	if e.stat.Nlink < 2 || e.follow {
		return ""
	}
	key := inode{e.stat.Dev, e.stat.Ino}
	met, known := d.links[key]
	if !known {
		d.links[key] = &sharers{e.name, e.stat.Nlink - 1}
		return ""
	}
	if met.left--; met.left == 0 {
		delete(d.links, key)
	}
	return met.first
}

func (d *describer) user(id uint32) string {
	name, known := d.users[id]
	if !known {
		if u, err := user.LookupId(itoa(int64(id))); err == nil {
			name = u.Username
		}
		d.users[id] = name
	}
	return name
}

func (d *describer) group(id uint32) string {
	name, known := d.groups[id]
	if !known {
		if g, err := user.LookupGroupId(itoa(int64(id))); err == nil {
			name = g.Name
		}
		d.groups[id] = name
	}
	return name
}

// xattrs reads the extended attributes: access lists, capabilities, the user's
// own. What cannot be read is a gap, not an error.
func (d *describer) xattrs(e *entry) map[string]string {
	path := handle(e.dir, e.base)
	names, err := attribute(func(buf []byte) (int, error) {
		if e.follow {
			return unix.Listxattr(path, buf)
		}
		return unix.Llistxattr(path, buf)
	})
	if err != nil || len(names) == 0 {
		d.unread(e, err)
		return nil
	}
	found := map[string]string{}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		value, err := attribute(func(buf []byte) (int, error) {
			if e.follow {
				return unix.Getxattr(path, name, buf)
			}
			return unix.Lgetxattr(path, name, buf)
		})
		if err != nil {
			d.unread(e, err)
			continue
		}
		found[name] = string(value)
	}
	return found
}

func (d *describer) unread(e *entry, err error) {
	switch err {
	case nil, unix.ENOTSUP, unix.ENODATA: // there are none, or it went between the calls
	default:
		d.gaps.add(attributes, e.name)
	}
}

// attribute calls read with a buffer that is large enough. Most files have no
// attributes: the first call asks for the size only and allocates nothing.
func attribute(read func([]byte) (int, error)) ([]byte, error) {
	for {
		size, err := read(nil)
		if err != nil || size == 0 {
			return nil, err
		}
		buf := make([]byte, size)
		n, err := read(buf)
		if err == unix.ERANGE { // it grew
			continue
		}
		return buf[:max(n, 0)], err
	}
}

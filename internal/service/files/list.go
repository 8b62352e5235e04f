package files

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// child is one name of a directory that can be declared or lead to what is.
type child struct {
	name     string
	dir      bool // sorts as if its name ended in a slash
	pos      position
	declared bool
	follow   bool // reached by literal names: a link stands for what it points at
}

// byPath orders children as their full paths are ordered.
func byPath(a, b child) int {
	n := min(len(a.name), len(b.name))
	if c := strings.Compare(a.name[:n], b.name[:n]); c != 0 {
		return c
	}
	return int(a.at(n)) - int(b.at(n))
}

func (c *child) at(i int) byte {
	switch {
	case i < len(c.name):
		return c.name[i]
	case c.dir:
		return '/'
	}
	return 0
}

// children returns what of the directory fd matters, in order.
func (w *walk) children(fd int, at location) ([]child, error) {
	var found []child
	consider := func(name string, kind byte) {
		pos, declared := w.rules.enter(at.pos, name, nil)
		if !declared && len(pos.states) == 0 || w.rules.excluded(at.path, name) {
			return
		}
		c := child{name: name, pos: pos, declared: declared, follow: pos.literal && !w.strict, dir: kind == unix.DT_DIR}
		if kind == unix.DT_UNKNOWN || kind == unix.DT_LNK && c.follow {
			st, err := stat(fd, name, c.follow)
			c.dir = err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR
		}
		found = append(found, c)
	}
	err := w.names(fd, at, consider)
	slices.SortFunc(found, byPath)
	return found, err
}

// names calls yield with each name of the directory that may matter.
func (w *walk) names(fd int, at location, yield func(name string, kind byte)) error {
	if known := w.rules.only(at.pos); known != nil {
		for _, name := range known {
			yield(name, unix.DT_UNKNOWN)
		}
		return nil
	}
	if w.buf == nil {
		w.buf = make([]byte, 64<<10)
	}
	for {
		n, err := unix.Getdents(fd, w.buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return err
		}
		entries(w.buf[:n], yield)
	}
}

// entries reads struct linux_dirent64: inode (8), offset (8), length (2), type (1)
// and a name that ends in NUL. Package os would make an object per name.
func entries(buf []byte, yield func(name string, kind byte)) {
	for len(buf) > 0 {
		length := binary.NativeEndian.Uint16(buf[16:])
		kind, name := buf[18], buf[19:length]
		name = name[:bytes.IndexByte(name, 0)]
		if text := string(name); text != "." && text != ".." {
			yield(text, kind)
		}
		buf = buf[length:]
	}
}

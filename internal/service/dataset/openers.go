package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// procDir is where the kernel shows its processes.
const procDir = "/proc"

// opener is a process that has a file open, by one of its descriptors.
type opener struct {
	pid    int
	path   string // as the kernel names it; of one that lost its name, the last
	gone   bool   // the file has lost its name
	node   node
	writes bool
	locks  bool // it holds a flock on the file, or shares one with who took it
}

// node tells files apart, whatever their names.
type node struct{ device, inode uint64 }

func nodeOf(path string) (node, error) {
	var s unix.Stat_t
	if err := unix.Stat(path, &s); err != nil {
		return node{}, fmt.Errorf("look at %s: %w", path, err)
	}
	return node{s.Dev, s.Ino}, nil
}

// openers are those of some files. blind says that there are processes which this one may
// not look into: of another user, or of another namespace.
type openers struct {
	found []opener
	blind bool
}

// whoOpens looks into every process but this one for open files of these base names.
func whoOpens(ctx context.Context, names map[string]bool) (all openers, err error) {
	entries, err := os.ReadDir(procDir)
	if err != nil {
		return all, fmt.Errorf("list processes: %w", err)
	}
	all.blind = hidden()
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		if err := ctx.Err(); err != nil {
			return all, err
		}
		if err := all.look(pid, names); err != nil {
			return all, fmt.Errorf("look into process %d: %w", pid, err)
		}
	}
	return all, nil
}

// hidden reports whether processes may exist that are not even listed: here are those of
// this namespace alone, or of this user.
func hidden() bool {
	const first = "pid:[4026531836]" // the namespace of the machine itself has this number on every kernel
	space, err := os.Readlink(filepath.Join(procDir, "self/ns/pid"))
	if err != nil || space != first {
		return true
	}
	_, err = os.Stat(filepath.Join(procDir, "1"))
	return err != nil
}

// look adds what one process has open. One that ends meanwhile has nothing open.
func (all *openers) look(pid int, names map[string]bool) error {
	dir := filepath.Join(procDir, strconv.Itoa(pid), "fd")
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		var o opener
		if o, err = openedAs(pid, e.Name(), names); o.pid != 0 {
			all.found = append(all.found, o)
		}
		if err != nil && !ended(err) {
			break
		}
		err = nil
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		all.blind = all.blind || !ofKernel(pid)
		return nil
	case err != nil && !ended(err):
		return err
	}
	return nil
}

func ended(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) }

// ofKernel reports whether a process is the kernel's own, or has ended: it has no command
// line and opens nothing.
func ofKernel(pid int) bool {
	line, err := os.ReadFile(filepath.Join(procDir, strconv.Itoa(pid), "cmdline"))
	return err == nil && len(line) == 0
}

// openedAs is what one descriptor leads to, with the pid 0 where it is no file of these
// names.
func openedAs(pid int, descriptor string, names map[string]bool) (o opener, err error) {
	dir := filepath.Join(procDir, strconv.Itoa(pid))
	link, err := os.Readlink(filepath.Join(dir, "fd", descriptor))
	if errors.Is(err, unix.ENAMETOOLONG) {
		return o, nil // longer than any path that a file of ours can be opened by
	}
	if err != nil {
		return o, err
	}
	path, gone := strings.CutSuffix(link, " (deleted)")
	if !names[filepath.Base(path)] {
		return o, nil
	}
	o.path, o.gone = path, gone
	if o.node, err = nodeOf(filepath.Join(dir, "fd", descriptor)); err != nil {
		return o, err
	}
	text, err := os.ReadFile(filepath.Join(dir, "fdinfo", descriptor))
	if err != nil {
		return o, err
	}
	o.pid, o.writes, o.locks = pid, true, false
	return o, o.read(text)
}

// read takes what the kernel says of a descriptor: how it was opened, in octal, and the
// locks that were taken by it.
func (o *opener) read(text []byte) error {
	for line := range bytes.Lines(text) {
		key, value, _ := strings.Cut(string(line), ":")
		switch key {
		case "flags":
			flags, err := strconv.ParseInt(strings.TrimSpace(value), 8, 64)
			if err != nil {
				return err
			}
			o.writes = flags&unix.O_ACCMODE != unix.O_RDONLY
		case "lock":
			o.locks = o.locks || strings.Contains(value, " FLOCK ")
		}
	}
	return nil
}

// lockers are the processes that took a flock on a file, as the kernel lists them for
// everybody, and that cannot be looked into. It leaves out those of other namespaces, names a device
// that a file on a file system made of others may not have, and goes on to name one that has
// ended when another one has the lock from it.
func lockers(of node) (pids []int, err error) {
	text, err := os.ReadFile(filepath.Join(procDir, "locks"))
	if err != nil {
		return nil, fmt.Errorf("list locks: %w", err)
	}
	is := fmt.Sprintf("%02x:%02x:%d", unix.Major(of.device), unix.Minor(of.device), of.inode)
	for line := range bytes.Lines(text) {
		f := strings.Fields(string(line)) // 1: FLOCK ADVISORY WRITE 4711 fe:00:12 0 EOF; one that waits has -> in the second place
		if len(f) < 6 || f[1] != "FLOCK" || f[5] != is {
			continue
		}
		if pid, err := strconv.Atoi(f[4]); err == nil && pid > 0 && pid != os.Getpid() && shut(pid) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// shut reports whether a process cannot be looked into.
func shut(pid int) bool {
	_, err := os.ReadDir(filepath.Join(procDir, strconv.Itoa(pid), "fd"))
	return errors.Is(err, fs.ErrPermission)
}

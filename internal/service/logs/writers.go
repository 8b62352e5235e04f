package logs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"upkeep/internal/service"
)

// holder is a process that has a file open.
type holder struct {
	pid     int
	program string
	writes  bool
}

func (h holder) String() string {
	if h.pid == 0 {
		return "PID ?" // in a container, or of a user whose processes are hidden
	}
	return fmt.Sprintf("%d (%s)", h.pid, h.program)
}

// holders are all regular files that processes have open, as far as they let us look.
type holders struct {
	only  map[node]bool // what is asked about; nil is every file
	by    map[node][]holder
	blind []holder // processes that may not be looked into
}

// writing are the processes that have the file open for writing.
func (h *holders) writing(f file) (found []holder) {
	for _, o := range h.by[f.node()] {
		if o.writes {
			found = append(found, o)
		}
	}
	return found
}

func (h *holders) has(f file) bool { return len(h.by[f.node()]) > 0 }

// use is who writes into a file, or may.
type use struct {
	writers []holder
	blind   []holder // processes that may not be looked into, where nothing else tells
}

func (u use) none() bool    { return len(u.writers)+len(u.blind) == 0 }
func (u use) all() []holder { return append(slices.Clone(u.writers), u.blind...) }

// use asks the kernel whether anybody has the file open for writing, in whatever
// container; who that is, the processes say that can be seen.
func (in *Instance) use(f file, h *holders) use {
	switch written, known := in.leased(f); {
	case !known:
		return use{h.writing(f), h.blind}
	case !written:
		return use{}
	}
	if writers := h.writing(f); len(writers) > 0 {
		return use{writers: writers}
	}
	return use{writers: []holder{{}}}
}

// leased takes a read lease on a file and gives it back at once: the kernel grants one
// only while nobody has the file open for writing. It is not known where the file is
// another user's, or its file system has no leases.
func (in *Instance) leased(f file) (written, known bool) {
	d, err := openDir(string(f.Dir))
	if err != nil {
		return false, false
	}
	defer d.Close()
	o, now, err := d.open(string(f.Name))
	if err != nil {
		return false, false
	}
	defer o.Close()
	if !now.is(f) {
		return false, false
	}
	switch _, err := unix.FcntlInt(o.Fd(), unix.F_SETLEASE, unix.F_RDLCK); {
	case errors.Is(err, unix.EAGAIN):
		return true, true
	case err != nil:
		return false, false
	}
	_, err = unix.FcntlInt(o.Fd(), unix.F_SETLEASE, unix.F_UNLCK)
	return false, err == nil
}

// user looks at one file now.
func (in *Instance) user(ctx context.Context, f file) (use, error) {
	if written, known := in.leased(f); known && !written {
		return use{}, ctx.Err()
	}
	h, err := in.holders(ctx, map[node]bool{f.node(): true})
	if err != nil {
		return use{}, err
	}
	return in.use(f, h), nil
}

// nodes are what files are asked about by.
func nodes(files func(yield func(file) bool)) map[node]bool {
	all := map[node]bool{}
	for f := range files {
		all[f.node()] = true
	}
	return all
}

// holders looks into every process but this one's own, whose readers lose nothing.
func (in *Instance) holders(ctx context.Context, only map[node]bool) (*holders, error) {
	if _, err := os.Stat(filepath.Join(in.proc, "1")); err != nil {
		return nil, &service.Fault{ID: "logs.processes-hidden", Err: fmt.Errorf("look at process 1: %w: %w", err, service.ErrDenied)}
	}
	entries, err := os.ReadDir(in.proc)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", explained(err))
	}
	h := &holders{only: only, by: map[node][]holder{}}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := in.inspect(pid, h); err != nil {
			return nil, fmt.Errorf("look into process %d: %w", pid, err)
		}
	}
	return h, nil
}

// inspect adds what one process has open. One that ends meanwhile has nothing open.
func (in *Instance) inspect(pid int, h *holders) error {
	dir := filepath.Join(in.proc, strconv.Itoa(pid), "fd")
	names, err := readNames(dir)
	switch {
	case gone(err):
		return nil
	case errors.Is(err, fs.ErrPermission):
		if !in.kernelThread(pid) {
			h.blind = append(h.blind, holder{pid: pid, program: in.program(pid)})
		}
		return nil
	case err != nil:
		return err
	}
	for _, name := range names {
		err := in.descriptor(pid, dir, name, h)
		if errors.Is(err, fs.ErrPermission) { // one with capabilities that we lack
			h.blind = append(h.blind, holder{pid: pid, program: in.program(pid)})
			return nil
		}
		if err != nil && !gone(err) {
			return err
		}
	}
	return nil
}

func readNames(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) }

func (in *Instance) descriptor(pid int, dir, name string, h *holders) error {
	var s unix.Stat_t
	if err := unix.Stat(filepath.Join(dir, name), &s); err != nil {
		return err
	}
	n := node{s.Dev, s.Ino}
	if s.Mode&unix.S_IFMT != unix.S_IFREG || h.only != nil && !h.only[n] {
		return nil
	}
	writes, err := in.forWriting(pid, name)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(h.by[n], func(o holder) bool { return o.pid == pid }); i >= 0 {
		h.by[n][i].writes = h.by[n][i].writes || writes
		return nil
	}
	h.by[n] = append(h.by[n], holder{pid: pid, program: in.program(pid), writes: writes})
	return nil
}

// forWriting reads the flags that a descriptor was opened with, which are octal.
func (in *Instance) forWriting(pid int, name string) (bool, error) {
	text, err := os.ReadFile(filepath.Join(in.proc, strconv.Itoa(pid), "fdinfo", name))
	if err != nil {
		return false, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		value, ok := strings.CutPrefix(lines.Text(), "flags:")
		if !ok {
			continue
		}
		flags, err := strconv.ParseInt(strings.TrimSpace(value), 8, 64)
		return flags&unix.O_ACCMODE != unix.O_RDONLY, err
	}
	return true, nil // nothing is said: rather too careful
}

// program is what a process is called, for people.
func (in *Instance) program(pid int) string {
	name, err := os.ReadFile(filepath.Join(in.proc, strconv.Itoa(pid), "comm"))
	if err != nil {
		return "?"
	}
	return strings.TrimSpace(string(name))
}

// kernelThread reports whether a process is the kernel's own: it has no command
// line and opens no logs.
func (in *Instance) kernelThread(pid int) bool {
	stat, err := in.stat(pid)
	const ofKernel = 0x00200000 // PF_KTHREAD
	return err == nil && stat.flags&ofKernel != 0
}

// processStat are the fields of /proc/PID/stat that matter here.
type processStat struct {
	flags uint64
	begun uint64 // in ticks since the machine started: tells a process from a later one of the same number
	state string
}

func (in *Instance) stat(pid int) (s processStat, err error) {
	text, err := os.ReadFile(filepath.Join(in.proc, strconv.Itoa(pid), "stat"))
	if err != nil {
		return s, err
	}
	// The second field is the name in brackets, which may hold brackets and blanks.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 20 {
		return s, fmt.Errorf("process %d has %d fields in stat", pid, len(fields))
	}
	s.state = fields[0]
	if s.flags, err = strconv.ParseUint(fields[6], 10, 64); err != nil {
		return s, err
	}
	s.begun, err = strconv.ParseUint(fields[19], 10, 64)
	return s, err
}

package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/procfs"

	"upkeep/internal/service"
)

// group is what one look at the machine gave.
type group struct {
	alive     []procfs.ProcStat
	defunct   []procfs.ProcStat       // ended, not yet collected by their parent
	all       map[int]procfs.ProcStat // by pid: everything that could be read
	undecided int                     // processes that may be meant: we were not allowed to look
	stalePID  int                     // named by the pid file and not what it was written for
}

// match is what must be known before looking.
type match struct {
	uid     string    // empty: any user
	pid     int       // 0: any
	written time.Time // of the pid file
}

// find reads every process once. known holds those that earlier runs recognised:
// one that has ended has no command line any more.
func (in *Instance) find(ctx context.Context, known map[string]seen) (group, error) {
	g := group{all: map[int]procfs.ProcStat{}}
	m, err := in.prepare()
	if err != nil {
		return g, err
	}
	procs, err := in.visible()
	if err != nil {
		return g, err
	}
	for _, p := range procs {
		if err := ctx.Err(); err != nil {
			return g, err
		}
		if err := in.look(p, m, known, &g); err != nil {
			return g, fmt.Errorf("read process %d: %w", p.PID, err)
		}
	}
	if m.pid > 0 && len(g.alive)+len(g.defunct) == 0 && g.undecided == 0 {
		g.stalePID = m.pid
	}
	return g, nil
}

// prepare resolves the user and the pid file. Without a file nothing is meant.
func (in *Instance) prepare() (m match, err error) {
	if in.cfg.User != "" {
		if m.uid, err = userID(in.cfg.User); err != nil {
			return m, err
		}
	}
	if in.cfg.Pidfile == "" {
		return m, nil
	}
	path := in.cfg.Pidfile
	if !filepath.IsAbs(path) {
		path = filepath.Join(in.env.Base, path)
	}
	m.pid, m.written, err = readPID(path)
	return m, err
}

// nobody is a pid that no process has.
const nobody = -1

func readPID(path string) (pid int, written time.Time, err error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nobody, time.Time{}, nil
	}
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("read the pid file: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("read the pid file: %w", err)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(content)), "\n") // PostgreSQL writes more lines
	pid, err = strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid < 1 {
		return 0, time.Time{}, fmt.Errorf("read the pid file %s: its first line is no process number", path)
	}
	return pid, info.ModTime(), nil
}

func userID(name string) (string, error) {
	if _, err := strconv.Atoi(name); err == nil {
		return name, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return "", fmt.Errorf("look up user %s: %w", name, err)
	}
	return u.Uid, nil
}

// visible lists all processes. Where the machine hides those of other users
// (hidepid) nothing can be told: absent and invisible look alike.
func (in *Instance) visible() (procfs.Procs, error) {
	if _, err := in.proc.Proc(1); err != nil {
		return nil, &service.Fault{ID: "process.hidden", Err: fmt.Errorf("look at process 1: %w", service.ErrDenied)}
	}
	procs, err := in.proc.AllProcs()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	return procs, nil
}

// look decides about one process. One that ends meanwhile was never there.
func (in *Instance) look(p procfs.Proc, m match, known map[string]seen, g *group) error {
	stat, err := p.Stat()
	switch {
	case gone(err):
		return nil
	case errors.Is(err, fs.ErrPermission):
		g.undecided++
		return nil
	case err != nil:
		return err
	}
	g.all[p.PID] = stat
	if p.PID == os.Getpid() || m.pid != 0 && m.pid != p.PID {
		return nil
	}
	if dead(stat) {
		if _, before := known[key(stat)]; before || m.pid == p.PID {
			g.defunct = append(g.defunct, stat)
		}
		return nil
	}
	meant, err := in.fits(p, stat, m)
	if !meant && err == nil {
		return nil
	}
	again, twice := p.Stat() // the number may have passed to another process meanwhile
	switch {
	case gone(err) || gone(twice) || twice == nil && again.Starttime != stat.Starttime:
		return nil
	case errors.Is(err, fs.ErrPermission):
		g.undecided++
	case err != nil:
		return err
	default:
		g.alive = append(g.alive, stat)
	}
	return nil
}

// fits compares what is cheap and always readable first, so that a permission is
// missed only where it would decide.
func (in *Instance) fits(p procfs.Proc, stat procfs.ProcStat, m match) (bool, error) {
	argv, err := p.CmdLine()
	if err != nil || len(argv) == 0 { // the kernel's own
		return false, err
	}
	if !begins(argv, in.cfg.Command) {
		return false, nil
	}
	if m.uid != "" {
		status, err := p.NewStatus()
		if err != nil || strconv.FormatUint(status.UIDs[1], 10) != m.uid {
			return false, err
		}
	}
	if in.cfg.Exe != "" {
		exe, err := p.Executable()
		if errors.Is(err, fs.ErrPermission) && !resembles(argv, stat, in.cfg.Exe) {
			return false, nil
		}
		// An update replaces the file under a running program.
		if err != nil || strings.TrimSuffix(exe, " (deleted)") != in.cfg.Exe {
			return false, err
		}
	}
	if m.pid > 0 && len(in.cfg.Command) == 0 && in.cfg.Exe == "" {
		return startedBefore(stat, m.written)
	}
	return true, nil
}

// begins compares word by word, and the first by its file name unless a path was
// declared.
func begins(argv, command []string) bool {
	if len(command) == 0 {
		return true
	}
	if len(argv) < len(command) {
		return false
	}
	program := argv[0]
	if !strings.Contains(command[0], "/") {
		program = program[strings.LastIndex(program, "/")+1:]
	}
	return program == command[0] && slices.Equal(argv[1:len(command)], command[1:])
}

// resembles tells whether a process whose executable must not be read may be it: a
// program can change its name or its command line, and hardly does both.
func resembles(argv []string, stat procfs.ProcStat, exe string) bool {
	const nameLength = 15 // the kernel keeps no more
	name := filepath.Base(exe)
	return filepath.Base(argv[0]) == name || stat.Comm == name[:min(len(name), nameLength)]
}

// startedBefore tells the process that wrote its pid file from a later one that
// was given the same number. A minute allows for clocks that were set.
func startedBefore(stat procfs.ProcStat, written time.Time) (bool, error) {
	start, err := stat.StartTime()
	if err != nil {
		return false, err
	}
	return start <= float64(written.Add(time.Minute).Unix()), nil
}

// key tells a process from an earlier one with the same number.
func key(stat procfs.ProcStat) string { return fmt.Sprintf("%d:%d", stat.PID, stat.Starttime) }

func dead(stat procfs.ProcStat) bool { return stat.State == "Z" || stat.State == "X" }

func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
}

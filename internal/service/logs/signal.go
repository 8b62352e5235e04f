package logs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"upkeep/internal/service"
)

// process is a running program, told from a later one of the same number.
type process struct {
	pid   int
	begun uint64
}

// writer is the process that the pid file names, alive. One that began after the file
// was written and has the log not open is another program with a number given anew,
// which a signal might end.
func (in *Instance) writer(writers []holder) (p process, err error) {
	path := in.cfg.Rotate.Reopen.Pidfile
	if !filepath.IsAbs(path) {
		path = filepath.Join(in.env.Base, path)
	}
	pid, written, err := in.readPID(path)
	if err != nil {
		return p, err
	}
	stat, err := in.stat(pid)
	switch {
	case gone(err) || err == nil && strings.ContainsAny(stat.state, "ZX"):
		return p, in.noWriter(path, pid, "does not run")
	case err != nil:
		return p, fmt.Errorf("look at process %d: %w", pid, explained(err))
	}
	if slices.ContainsFunc(writers, func(h holder) bool { return h.pid == pid }) {
		return process{pid, stat.begun}, nil
	}
	booted, err := in.booted()
	if err != nil {
		return p, err
	}
	const slack = 10 * time.Second // of a clock that is set now and then
	if begun := booted.Add(time.Duration(stat.begun) * time.Second / ticks); begun.After(written.Add(slack)) {
		return p, in.noWriter(path, pid, "is younger than the file")
	}
	return process{pid, stat.begun}, nil
}

// ticks is the unit of start times in /proc, per second, on every architecture.
const ticks = 100

func (in *Instance) readPID(path string) (pid int, written time.Time, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, written, fmt.Errorf("read the pid file: %w", explained(err))
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, written, fmt.Errorf("look at the pid file: %w", explained(err))
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	pid, err = strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid < 2 {
		return 0, written, fmt.Errorf("read the pid file %s: its first line is no number of a process that may be told: %w", path, service.ErrRefused)
	}
	return pid, info.ModTime(), nil
}

// booted is when the machine started.
func (in *Instance) booted() (time.Time, error) {
	text, err := os.ReadFile(filepath.Join(in.proc, "stat"))
	if err != nil {
		return time.Time{}, fmt.Errorf("ask when the machine started: %w", explained(err))
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "btime "); ok {
			seconds, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			return time.Unix(seconds, 0), err
		}
	}
	return time.Time{}, errors.New("the kernel does not say when the machine started")
}

func (in *Instance) noWriter(path string, pid int, why string) error {
	return &service.Fault{ID: "logs.no-writer", Args: service.Args{"pidfile": shown(path), "pid": pid},
		Err: fmt.Errorf("process %d of pid file %s %s: %w", pid, path, why, service.ErrRefused)}
}

// signal tells the writer to open its file anew. The process is looked at again once
// there is a handle on it, so the signal reaches that one or nobody.
func (in *Instance) signal(p process) error {
	handle, err := unix.PidfdOpen(p.pid, 0)
	if err != nil {
		return fmt.Errorf("get hold of process %d: %w", p.pid, explained(err))
	}
	defer unix.Close(handle)
	if again, err := in.stat(p.pid); err != nil || again.begun != p.begun {
		return fmt.Errorf("process %d is another one now: %w", p.pid, service.ErrStale)
	}
	if err := unix.PidfdSendSignal(handle, signals()[in.cfg.Rotate.Reopen.Signal], nil, 0); err != nil {
		return fmt.Errorf("send %s to process %d: %w", in.cfg.Rotate.Reopen.Signal, p.pid, explained(err))
	}
	return nil
}

package process

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"upkeep/internal/service"
)

const (
	// haltRounds is how often what was started meanwhile is ended, too, before somebody is
	// taken to start it again and again.
	haltRounds = 3
	// killWait is how long the kernel may take to end a process that was killed: it frees
	// its memory first.
	killWait = 10 * time.Second
	// settles is how long whoever starts it again may take: systemd waits 100 ms.
	settles = 500 * time.Millisecond
	// halting is how often ctx is looked at while processes end.
	halting = 200 * time.Millisecond
)

// Running lists the declared processes and all below them. Upkeep itself is none of them,
// and where it is below one it is an error.
func (in *Instance) Running(ctx context.Context) ([]service.Process, error) {
	family, err := in.family(ctx)
	if err != nil {
		return nil, err
	}
	var all []service.Process
	for _, m := range family {
		if told, err := in.tell(m); err == nil {
			all = append(all, told)
		} else if !gone(err) {
			return nil, err
		}
	}
	return all, nil
}

// Halt ends them. Each is held by a descriptor of its own, so that another process with
// the same number is never hit.
func (in *Instance) Halt(ctx context.Context) (ended []service.Process, err error) {
	for range haltRounds {
		family, err := in.family(ctx)
		if err != nil || len(family) == 0 {
			return ended, err
		}
		more, err := in.end(ctx, family)
		ended = append(ended, more...)
		if err != nil {
			return ended, err
		}
		select {
		case <-ctx.Done():
			return ended, ctx.Err()
		case <-time.After(settles):
		}
	}
	return ended, in.comesBack(ctx)
}

// member is a process of the family of those that are declared.
type member struct {
	procfs.ProcStat
	meant bool
}

func (in *Instance) family(ctx context.Context) ([]member, error) {
	g, err := in.find(ctx, nil)
	if err != nil {
		return nil, err
	}
	if g.undecided > 0 {
		return nil, &service.Fault{ID: "process.not-all-seen", Args: service.Args{"hidden": g.undecided, "command": in.cfg.name()},
			Err: fmt.Errorf("look at %d processes: %w", g.undecided, service.ErrDenied)}
	}
	above := above(os.Getpid(), g.all)
	for _, p := range g.alive {
		if above[p.PID] {
			return nil, &service.Fault{ID: "process.above-upkeep", Args: service.Args{"command": in.cfg.name(), "pid": p.PID},
				Err: fmt.Errorf("process %d has started upkeep: %w", p.PID, service.ErrRefused)}
		}
	}
	return below(g), nil
}

// above are the ancestors of a process.
func above(pid int, all map[int]procfs.ProcStat) map[int]bool {
	found := map[int]bool{}
	for p, known := all[pid]; known && p.PPID > 0 && !found[p.PPID]; p, known = all[p.PPID] {
		found[p.PPID] = true
	}
	return found
}

// below are the declared processes and their descendants, older ones first.
func below(g group) (family []member) {
	children := map[int][]int{}
	for _, p := range g.all {
		children[p.PPID] = append(children[p.PPID], p.PID)
	}
	taken := map[int]bool{}
	for _, p := range g.alive {
		taken[p.PID] = true
		family = append(family, member{p, true})
	}
	for queue := pidsOf(g.alive); len(queue) > 0; queue = queue[1:] {
		for _, pid := range children[queue[0]] {
			if !taken[pid] && !dead(g.all[pid]) {
				taken[pid] = true
				family, queue = append(family, member{g.all[pid], false}), append(queue, pid)
			}
		}
	}
	slices.SortFunc(family, older)
	return family
}

func pidsOf(procs []procfs.ProcStat) (numbers []int) {
	for _, p := range procs {
		numbers = append(numbers, p.PID)
	}
	return numbers
}

// older orders processes by their start.
func older(a, b member) int {
	return cmp.Or(cmp.Compare(a.Starttime, b.Starttime), cmp.Compare(a.PID, b.PID))
}

// grip is a hold on a process that is to end, by a descriptor that stays its own.
type grip struct {
	service.Process
	fd    int
	ended bool
}

func (in *Instance) end(ctx context.Context, family []member) (ended []service.Process, err error) {
	all, err := in.hold(family)
	defer func() {
		for _, h := range all {
			err = errors.Join(err, unix.Close(h.fd))
			if h.ended {
				ended = append(ended, h.Process)
			}
		}
	}()
	if err == nil {
		err = in.mayEnd(all)
	}
	if err != nil {
		return nil, err
	}
	if err := errors.Join(ask(all), await(ctx, all, in.cfg.StopWithin.Std())); err != nil {
		return nil, err
	}
	if err := errors.Join(kill(all), await(ctx, all, killWait)); err != nil {
		return nil, err
	}
	return nil, in.lasting(all)
}

func (in *Instance) hold(family []member) (all []*grip, err error) {
	for _, m := range family {
		fd, err := unix.PidfdOpen(m.PID, 0)
		if gone(err) {
			continue
		}
		if err != nil {
			return all, fmt.Errorf("hold process %d: %w", m.PID, err)
		}
		h := &grip{fd: fd}
		if h.Process, err = in.tell(m); err == nil {
			all = append(all, h)
			continue
		}
		if err := errors.Join(err, unix.Close(fd)); !gone(err) {
			return all, err
		}
	}
	return all, nil
}

// mayEnd asks for permission before the first of them gets a signal.
func (in *Instance) mayEnd(all []*grip) error {
	for _, h := range all {
		if err := unix.PidfdSendSignal(h.fd, 0, nil, 0); errors.Is(err, unix.EPERM) {
			return &service.Fault{ID: "process.not-ours", Args: service.Args{"pid": h.PID, "command": h.Command},
				Err: fmt.Errorf("end process %d: %w", h.PID, service.ErrRefused)}
		}
	}
	return nil
}

// ask sends SIGTERM. One that is stopped takes it when it goes on.
func ask(all []*grip) (err error) {
	for _, h := range all {
		err = errors.Join(err, send(h, unix.SIGTERM))
		if h.Stopped {
			err = errors.Join(err, send(h, unix.SIGCONT))
		}
	}
	return err
}

func kill(all []*grip) (err error) {
	for _, h := range all {
		if !h.ended {
			h.Killed = true
			err = errors.Join(err, send(h, unix.SIGKILL))
		}
	}
	return err
}

func send(h *grip, s unix.Signal) error {
	if err := unix.PidfdSendSignal(h.fd, s, nil, 0); err != nil && !gone(err) {
		return fmt.Errorf("send %s to process %d: %w", unix.SignalName(s), h.PID, err)
	}
	return nil
}

// await marks those that have ended, until all have or the time is over.
func await(ctx context.Context, all []*grip, within time.Duration) error {
	over := time.Now().Add(within)
	for {
		if err := notice(all, min(halting, time.Until(over))); err != nil {
			return err
		}
		left := slices.ContainsFunc(all, func(h *grip) bool { return !h.ended })
		if err := ctx.Err(); err != nil || !left || !time.Now().Before(over) {
			return err
		}
	}
}

// notice waits until one more has ended.
func notice(all []*grip, within time.Duration) error {
	var asked []unix.PollFd
	var of []*grip
	for _, h := range all {
		if !h.ended {
			asked, of = append(asked, unix.PollFd{Fd: int32(h.fd), Events: unix.POLLIN}), append(of, h)
		}
	}
	if len(asked) == 0 {
		return nil
	}
	if _, err := unix.Poll(asked, int(max(within, 0).Milliseconds())); err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("wait for processes to end: %w", err)
	}
	for i, h := range of {
		h.ended = asked[i].Revents != 0
	}
	time.Sleep(time.Millisecond) // one that has just ended lets others of its own end, too
	return nil
}

// lasting tells which of them nothing ends: they wait for a disk.
func (in *Instance) lasting(all []*grip) error {
	i := slices.IndexFunc(all, func(h *grip) bool { return !h.ended })
	if i < 0 {
		return nil
	}
	h, state := all[i], "?"
	if p, err := in.proc.Proc(h.PID); err == nil {
		if stat, err := p.Stat(); err == nil {
			state = stat.State
		}
	}
	return &service.Fault{ID: "process.will-not-end", Args: service.Args{"pid": h.PID, "command": h.Command, "state": state},
		Err: fmt.Errorf("process %d is in state %s and was killed for %s: %w", h.PID, state, killWait, service.ErrBusy)}
}

// comesBack is an error when there are still some: who starts them has to stop first.
func (in *Instance) comesBack(ctx context.Context) error {
	running, err := in.Running(ctx)
	if err != nil || len(running) == 0 {
		return err
	}
	p := running[0]
	return &service.Fault{ID: "process.comes-back", Args: service.Args{"pid": p.PID, "command": p.Command, "parent": p.Parent, "by": in.commandOf(p.Parent)},
		Err: fmt.Errorf("process %d was started by %d after others like it had ended: %w", p.PID, p.Parent, service.ErrRefused)}
}

// tell describes a process, as long as its number is still its own.
func (in *Instance) tell(m member) (told service.Process, err error) {
	p, err := in.proc.Proc(m.PID)
	if err != nil {
		return told, err
	}
	argv, err := p.CmdLine()
	if err != nil {
		return told, err
	}
	now, err := p.Stat()
	if err != nil {
		return told, err
	}
	if now.Starttime != m.Starttime || dead(now) {
		return told, unix.ESRCH
	}
	told = service.Process{PID: m.PID, Parent: now.PPID, Command: typed(argv), Meant: m.meant, Stopped: now.State == "T"}
	told.Dir, _ = os.Readlink(filepath.Join(in.root, strconv.Itoa(m.PID), "cwd")) // not to be had of others' processes
	if start, err := now.StartTime(); err == nil {
		told.Started = time.UnixMilli(int64(start * 1000)).UTC().Truncate(time.Second)
	}
	return told, nil
}

func (in *Instance) commandOf(pid int) string {
	p, err := in.proc.Proc(pid)
	if err != nil {
		return ""
	}
	argv, err := p.CmdLine()
	if err != nil {
		return ""
	}
	return typed(argv)
}

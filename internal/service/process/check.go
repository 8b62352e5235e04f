package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/procfs"
	"github.com/shirou/gopsutil/v4/net"

	"upkeep/internal/service"
)

// Check compares what runs with what is expected, and each process with itself in
// the last run.
func (in *Instance) Check(ctx context.Context) (service.Verdict, error) {
	var v service.Verdict
	last, err := in.recall(ctx)
	if err != nil {
		return v, err
	}
	g, err := in.find(ctx, last.Procs)
	if err != nil {
		return v, err
	}
	now := in.compare(g, last)
	in.judgeCount(g, &v)
	in.judgeStates(g, now, &v)
	err = errors.Join(
		in.judgeSockets(ctx, g, &v),
		setFacts(g, now, last, &v),
		in.judgeMemory(ctx, g, &v),
		in.remember(ctx, now))
	return v, err
}

// judgeCount never calls a program absent while there are processes that it was
// not allowed to look at.
func (in *Instance) judgeCount(g group, v *service.Verdict) {
	running, least, most := len(g.alive), in.cfg.least(), in.cfg.Count.Max
	args := service.Args{"command": in.cfg.name(), "running": running, "min": least, "max": most, "pids": pids(g.alive)}
	switch {
	case running < least && g.undecided > 0:
		args["hidden"] = g.undecided
		v.Unsure("not-visible", "", args)
	case running == 0 && least > 0 && g.stalePID > 0:
		args["pid"], args["pidfile"] = g.stalePID, in.cfg.Pidfile
		v.Crit("pidfile-stale", "", args)
	case running == 0 && least > 0:
		v.Crit("absent", "", args)
	case running < least:
		v.Warn("too-few", "", args)
	case in.cfg.Expect == Absent && running > 0:
		v.Warn("unexpected", "", args)
	case in.cfg.Expect == Absent && g.undecided > 0:
		args["hidden"] = g.undecided
		v.Unsure("not-visible", "", args)
	case most > 0 && running > most:
		v.Warn("too-many", "", args)
	}
}

// judgeStates finds processes that exist and do nothing.
func (in *Instance) judgeStates(g group, now memory, v *service.Verdict) {
	var stopped, hung, blocked []procfs.ProcStat
	idlest := map[string]time.Duration{}
	for _, p := range g.alive {
		idle := now.At.Sub(now.Procs[key(p)].Since)
		stale := in.cfg.Progress > 0 && idle >= in.cfg.Progress.Std()
		switch {
		case p.State == "T":
			stopped = append(stopped, p)
		case stale && p.State == "D":
			blocked = append(blocked, p)
			idlest["D"] = max(idlest["D"], idle)
		case stale:
			hung = append(hung, p)
			idlest[""] = max(idlest[""], idle)
		}
	}
	of := len(g.alive)
	tell := func(slug string, which []procfs.ProcStat, idle time.Duration) {
		if len(which) > 0 {
			v.Crit(slug, "", service.Args{"command": in.cfg.name(), "processes": len(which), "running": of,
				"pids": pids(which), "pid": which[0].PID, "idle": idle.Seconds()})
		}
	}
	tell("stopped", stopped, 0)
	tell("blocked", blocked, idlest["D"])
	tell("hung", hung, idlest[""])
	if len(g.defunct) > 0 {
		v.Warn("defunct", "", service.Args{"command": in.cfg.name(), "processes": len(g.defunct),
			"pids": pids(g.defunct), "parent": g.defunct[0].PPID})
	}
}

// judgeSockets finds connections whose other side is gone: a client without a
// timeout waits on them for ever.
func (in *Instance) judgeSockets(ctx context.Context, g group, v *service.Verdict) error {
	if in.cfg.CloseWait == 0 {
		return nil
	}
	var hanging []procfs.ProcStat
	var total, hidden int
	for _, p := range g.alive {
		waiting, err := in.closeWait(ctx, p.PID)
		switch {
		case gone(err):
			continue
		case errors.Is(err, fs.ErrPermission):
			hidden++
		case err != nil:
			return fmt.Errorf("read the connections of process %d: %w", p.PID, err)
		}
		total += waiting
		if waiting >= in.cfg.CloseWait {
			hanging = append(hanging, p)
		}
	}
	v.Set("close_wait", total)
	args := service.Args{"command": in.cfg.name(), "connections": total, "processes": len(hanging),
		"limit": in.cfg.CloseWait, "pids": pids(hanging), "hidden": hidden}
	if len(hanging) > 0 {
		v.Crit("close-wait", "", args)
	}
	if hidden > 0 {
		v.Unsure("sockets-hidden", "", args)
	}
	return nil
}

// closeWait asks for permission first: without it the library finds no
// connections and no fault.
func (in *Instance) closeWait(ctx context.Context, pid int) (n int, err error) {
	p, err := in.proc.Proc(pid)
	if err != nil {
		return 0, err
	}
	if _, err := p.FileDescriptorTargets(); err != nil {
		return 0, err
	}
	connections, err := net.ConnectionsPidWithoutUidsWithContext(ctx, "tcp", int32(pid))
	for _, c := range connections {
		if c.Status == "CLOSE_WAIT" {
			n++
		}
	}
	return n, err
}

// setFacts records what runs. restarts counts processes that took the place of
// others since the last run.
func setFacts(g group, now, last memory, v *service.Verdict) error {
	v.Set("running", len(g.alive))
	v.Set("pids", pids(g.alive))
	var rss int64
	var cpu, oldest float64
	for _, p := range g.alive {
		rss += int64(p.ResidentMemory())
		cpu += p.CPUTime()
		start, err := p.StartTime()
		if err != nil {
			return fmt.Errorf("read the start of process %d: %w", p.PID, err)
		}
		if oldest == 0 || start < oldest {
			oldest = start
		}
	}
	v.Set("rss_bytes", rss)
	v.Set("cpu_s", cpu)
	if oldest > 0 {
		v.Set("started", time.Unix(int64(oldest), 0).UTC().Format(time.RFC3339))
	}
	if !last.At.IsZero() {
		v.Set("restarts", min(missing(last.Procs, now.Procs), missing(now.Procs, last.Procs)))
	}
	return nil
}

// missing counts what lives in a and not in b.
func missing(a, b map[string]seen) (n int) {
	for id, p := range a {
		if other, there := b[id]; !p.Ended && (!there || other.Ended) {
			n++
		}
	}
	return n
}

// pids lists process numbers for people and scripts, at most twenty.
func pids(procs []procfs.ProcStat) []string {
	const most = 20
	numbers := make([]int, len(procs))
	for i, p := range procs {
		numbers[i] = p.PID
	}
	slices.Sort(numbers)
	texts := []string{}
	for _, n := range numbers[:min(most, len(numbers))] {
		texts = append(texts, strconv.Itoa(n))
	}
	if len(numbers) > most {
		texts = append(texts, "…")
	}
	return texts
}

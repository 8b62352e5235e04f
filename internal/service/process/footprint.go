package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/prometheus/procfs"
)

// footprint is the memory of one process with everything below it, but for what below it is
// meant by the declaration itself and counted there.
type footprint struct {
	bytes int64
	// exact: shared pages count by their share (PSS), swapped ones as well. Where upkeep may
	// not read that it is the resident size (RSS), in which shared pages count in full.
	exact bool
	ticks uint64 // processor time, hundredths of a second, with that of ended children
}

// how names the measure to people.
func (f footprint) how() string {
	if f.exact {
		return "PSS"
	}
	return "RSS"
}

// from is where it was read.
func (f footprint) from() string {
	if f.exact {
		return "/proc/PID/smaps_rollup"
	}
	return "/proc/PID/stat"
}

// mostMeasured bounds how many processes are measured and remembered: the kernel walks all
// pages of each.
const mostMeasured = 256

// footprints measures the processes of the group, by key.
func (in *Instance) footprints(ctx context.Context, g group) (map[string]footprint, error) {
	below := map[int][]int{}
	for _, p := range g.all {
		below[p.PPID] = append(below[p.PPID], p.PID)
	}
	own := map[int]bool{}
	for _, p := range g.alive {
		own[p.PID] = true
	}
	all := map[string]footprint{}
	for _, p := range g.alive[:min(len(g.alive), mostMeasured)] {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		f := footprint{exact: true, ticks: spent(p)}
		if err := in.weigh(p, &f); gone(err) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("measure the memory of process %d: %w", p.PID, err)
		}
		if err := in.weighBelow(p.PID, below, own, g.all, &f); err != nil {
			return nil, err
		}
		all[key(p)] = f
	}
	return all, nil
}

// spent is the processor time of a process and its ended children.
func spent(p procfs.ProcStat) uint64 {
	return uint64(p.UTime) + uint64(p.STime) + uint64(max(p.CUTime, 0)) + uint64(max(p.CSTime, 0))
}

// weighBelow adds everything below a process. One that ended meanwhile holds nothing.
func (in *Instance) weighBelow(pid int, below map[int][]int, own map[int]bool, all map[int]procfs.ProcStat, f *footprint) error {
	counted := map[int]bool{pid: true} // processes were read one by one: numbers may run in a circle
	for queue := below[pid]; len(queue) > 0; queue = queue[1:] {
		child := queue[0]
		if own[child] || counted[child] {
			continue
		}
		counted[child] = true
		f.ticks += spent(all[child])
		if err := in.weigh(all[child], f); err != nil && !gone(err) {
			return fmt.Errorf("measure the memory of process %d: %w", child, err)
		}
		queue = append(queue, below[child]...)
	}
	return nil
}

// weigh adds one process.
func (in *Instance) weigh(stat procfs.ProcStat, f *footprint) error {
	p, err := in.proc.Proc(stat.PID)
	if err != nil {
		return err
	}
	smaps, err := p.ProcSMapsRollup()
	switch {
	case errors.Is(err, fs.ErrPermission):
		f.exact = false
		f.bytes += int64(stat.ResidentMemory())
		return nil
	case err != nil:
		return err
	}
	f.bytes += int64(smaps.Pss + smaps.SwapPss)
	return nil
}

// past is what earlier checks measured.
type past struct {
	Boot  string             `json:"boot"`  // process numbers and start times are of this boot
	Procs map[string][]point `json:"procs"` // by key, oldest first
	// Last is of the last look at which any ran: how large one gets is known when none does.
	Last sized `json:"last"`
}

// point is one process at one check.
type point struct {
	At    int64  `json:"t"` // Unix milliseconds
	Bytes int64  `json:"b"`
	Ticks uint64 `json:"c"`
	Exact bool   `json:"x"`
}

// sized is what one worker needs, as it was measured.
type sized struct {
	Memory held `json:"memory"`
	CPU    used `json:"cpu"`
}

// held is the memory of the largest.
type held struct {
	At    time.Time `json:"at,omitzero"` // zero = never measured
	Bytes int64     `json:"bytes"`
	Exact bool      `json:"exact"`
	Over  float64   `json:"over"` // seconds between the first look and the last
}

// used is the processor time of one, on average over all.
type used struct {
	At    time.Time `json:"at,omitzero"` // zero = never measured
	Cores float64   `json:"cores"`
	Over  float64   `json:"over"` // seconds
}

const stateOfMemory = "memory" // key of the state

// measured reads what earlier checks left; after a reboot only how large one was.
func (in *Instance) measured(ctx context.Context) (past, error) {
	boot, err := in.boot()
	if err != nil {
		return past{}, err
	}
	text, err := in.env.State.Get(ctx, stateOfMemory)
	if err != nil {
		return past{}, fmt.Errorf("recall the memory of the processes: %w", err)
	}
	var p past
	if text != "" {
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			return past{}, fmt.Errorf("read the memory of the processes: %w", err)
		}
	}
	if p.Boot != boot {
		p.Boot, p.Procs = boot, nil
	}
	return p, nil
}

func (in *Instance) keepMeasured(ctx context.Context, p past) error {
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("write down the memory of the processes: %w", err)
	}
	if err := in.env.State.Set(ctx, stateOfMemory, string(text)); err != nil {
		return fmt.Errorf("remember the memory of the processes: %w", err)
	}
	return nil
}

// sized is what one worker of the group needs: as far as that cannot be measured now, as it
// was before.
func (p past) sized(g group, weights map[string]footprint, now time.Time) (sized, error) {
	s := p.Last
	if len(weights) > 0 {
		s.Memory = p.largest(weights, now)
	}
	cpu := used{At: now}
	var spent, lived float64
	for _, stat := range g.alive {
		f, weighed := weights[key(stat)]
		if !weighed {
			continue
		}
		ticks, seconds, err := p.busy(stat, f, now)
		if err != nil {
			return s, err
		}
		spent, lived, cpu.Over = spent+ticks/100, lived+seconds, max(cpu.Over, seconds)
	}
	if cpu.Over >= settled {
		cpu.Cores = spent / lived
		s.CPU = cpu
	}
	return s, nil
}

// settled is for how many seconds a process must have been watched before its processor
// time tells something: all of them are busy when they begin.
const settled = 10

// largest is the largest process of the group, as it is or was at any check that is kept.
func (p past) largest(weights map[string]footprint, now time.Time) held {
	h := held{At: now, Exact: true}
	for id, f := range weights {
		h.Bytes, h.Exact = max(h.Bytes, f.bytes), h.Exact && f.exact
		for i, point := range p.Procs[id] {
			h.Bytes = max(h.Bytes, point.Bytes)
			if i == 0 {
				h.Over = max(h.Over, float64(now.UnixMilli()-point.At)/1000)
			}
		}
	}
	return h
}

// busy is the processor time of a process since the oldest point that is kept of it, else
// since its start.
func (p past) busy(stat procfs.ProcStat, f footprint, now time.Time) (ticks, seconds float64, err error) {
	if points := p.Procs[key(stat)]; len(points) > 0 && f.ticks >= points[0].Ticks && now.UnixMilli() > points[0].At {
		return float64(f.ticks - points[0].Ticks), float64(now.UnixMilli()-points[0].At) / 1000, nil
	}
	start, err := stat.StartTime()
	if err != nil {
		return 0, 0, fmt.Errorf("read the start of process %d: %w", stat.PID, err)
	}
	return float64(f.ticks), float64(now.UnixMilli())/1000 - start, nil
}

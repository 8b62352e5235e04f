package process

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/procfs"
)

// memory is what one run leaves for the next.
type memory struct {
	Boot  string          `json:"boot"` // process numbers and start times are of this boot
	At    time.Time       `json:"at"`
	Procs map[string]seen `json:"procs"` // by key
}

// seen is one process as it was.
type seen struct {
	Ticks uint64    `json:"ticks"` // processor time, hundredths of a second, with its children
	Since time.Time `json:"since"` // first seen with these ticks
	Ended bool      `json:"ended,omitempty"`
}

// compare notes for every living process since when it has used no processor time.
func (in *Instance) compare(g group, last memory) memory {
	now := memory{Boot: last.Boot, At: in.env.Now(), Procs: map[string]seen{}}
	children := map[int][]int{}
	for _, p := range g.all {
		children[p.PPID] = append(children[p.PPID], p.PID)
	}
	for _, p := range g.alive {
		ticks := work(p.PID, g.all, children)
		was, before := last.Procs[key(p)]
		if !before || was.Ticks != ticks {
			was = seen{Ticks: ticks, Since: now.At}
		}
		now.Procs[key(p)] = was
	}
	for _, p := range g.defunct {
		now.Procs[key(p)] = seen{Ended: true, Since: now.At}
	}
	return now
}

// work sums the processor time of a process and everything below it, ended
// children included: a parent that waits for busy children is not hung.
func work(pid int, all map[int]procfs.ProcStat, children map[int][]int) (ticks uint64) {
	counted := map[int]bool{pid: true} // processes were read one by one: numbers may run in a circle
	for queue := []int{pid}; len(queue) > 0; queue = queue[1:] {
		p := all[queue[0]]
		ticks += uint64(p.UTime) + uint64(p.STime) + uint64(max(p.CUTime, 0)) + uint64(max(p.CSTime, 0))
		for _, child := range children[p.PID] {
			if !counted[child] {
				counted[child] = true
				queue = append(queue, child)
			}
		}
	}
	return ticks
}

// recall returns what the last run left, empty but for the present boot when
// there was none or the machine was started anew.
func (in *Instance) recall(ctx context.Context) (memory, error) {
	boot, err := in.boot()
	if err != nil {
		return memory{}, err
	}
	text, err := in.env.State.Get(ctx, "procs")
	if err != nil {
		return memory{}, fmt.Errorf("recall the processes of the last run: %w", err)
	}
	last := memory{Boot: boot}
	if text == "" {
		return last, nil
	}
	if err := json.Unmarshal([]byte(text), &last); err != nil {
		return last, fmt.Errorf("read the processes of the last run: %w", err)
	}
	if last.Boot != boot {
		last = memory{Boot: boot}
	}
	return last, nil
}

func (in *Instance) remember(ctx context.Context, now memory) error {
	text, err := json.Marshal(now)
	if err != nil {
		return fmt.Errorf("write down the processes: %w", err)
	}
	if err := in.env.State.Set(ctx, "procs", string(text)); err != nil {
		return fmt.Errorf("remember the processes for the next run: %w", err)
	}
	return nil
}

func (in *Instance) boot() (string, error) {
	id, err := os.ReadFile(filepath.Join(in.root, "sys/kernel/random/boot_id"))
	if err != nil {
		return "", fmt.Errorf("read the ID of this boot: %w", err)
	}
	return strings.TrimSpace(string(id)), nil
}

package host

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"

	"upkeep/internal/service"
)

func (in *Instance) checkMemory(_ context.Context, v *service.Verdict) error {
	m, err := in.proc.Meminfo()
	if err != nil {
		return fmt.Errorf("read memory: %w", err)
	}
	if m.MemTotalBytes == nil || m.MemAvailableBytes == nil || *m.MemTotalBytes == 0 {
		return fmt.Errorf("read memory: this kernel does not say what is available: %w", service.ErrUnsupported)
	}
	total, free := *m.MemTotalBytes, *m.MemAvailableBytes
	v.Set("memory_total_bytes", int64(total))
	v.Set("memory_available_bytes", int64(free))
	used := 1 - float64(free)/float64(total)
	in.cfg.Memory.judge(v, used, "memory-low", "", service.Args{
		"used": used, "available": int64(free), "total": int64(total)})
	in.judgeSwap(m, v)
	return nil
}

func (in *Instance) judgeSwap(m procfs.Meminfo, v *service.Verdict) {
	if m.SwapTotalBytes == nil || m.SwapFreeBytes == nil {
		return
	}
	total, free := *m.SwapTotalBytes, *m.SwapFreeBytes
	v.Set("swap_total_bytes", int64(total))
	v.Set("swap_used_bytes", int64(total)-int64(free))
	if total == 0 {
		return
	}
	used := 1 - float64(free)/float64(total)
	in.cfg.Swap.judge(v, used, "swap-high", "", service.Args{
		"used": used, "free": int64(free), "total": int64(total)})
}

// checkPressure judges how long work waited for a resource within the last
// minute. A kernel without these numbers (before 4.20, or switched off) is a fact.
func (in *Instance) checkPressure(_ context.Context, v *service.Verdict) error {
	resources := []struct {
		name   string
		limits Limits
	}{
		{"cpu", in.cfg.Pressure.CPU}, {"memory", in.cfg.Pressure.Memory}, {"io", in.cfg.Pressure.IO},
	}
	facts := map[string]any{}
	for _, r := range resources {
		stats, err := in.proc.PSIStatsForResource(r.name)
		if noPressure(err) {
			v.Set("pressure", "not offered by this kernel")
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s pressure: %w", r.name, err)
		}
		some, full := share(stats.Some), share(stats.Full)
		facts[r.name] = map[string]any{"some": some, "full": full}
		waited := full
		if r.name == "cpu" { // as a whole the machine always runs something: full is 0
			waited = some
		}
		r.limits.judge(v, waited, r.name+"-pressure", "", service.Args{"waited": waited, "some": some, "full": full})
	}
	v.Set("pressure", facts)
	return nil
}

// noPressure tells a kernel that has no pressure files, or refuses to read them
// because it was started with psi=0, from one that could not be read.
func noPressure(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, errors.ErrUnsupported)
}

func share(line *procfs.PSILine) float64 {
	if line == nil {
		return 0
	}
	return line.Avg60 / 100
}

// checkLoad warns when the queue was too long over 1, 5 and 15 minutes alike: a
// peak is no reason to wake somebody.
func (in *Instance) checkLoad(_ context.Context, v *service.Verdict) error {
	load, err := in.proc.LoadAvg()
	if err != nil {
		return fmt.Errorf("read the load: %w", err)
	}
	stat, err := in.proc.Stat()
	if err != nil {
		return fmt.Errorf("count the cores: %w", err)
	}
	cores := max(len(stat.CPU), 1)
	v.Set("load1", load.Load1)
	v.Set("load5", load.Load5)
	v.Set("load15", load.Load15)
	v.Set("cores", cores)
	lowest := min(load.Load1, load.Load5, load.Load15) / float64(cores)
	if limit := in.cfg.Load.Warning; limit > 0 && lowest >= limit {
		v.Warn("load-high", "", service.Args{"load": load.Load15, "cores": cores, "limit": limit})
	}
	return nil
}

// kills is the kernel's count of processes killed for lack of memory, by the
// whole machine or by a container's limit, and the boot that it belongs to.
type kills struct {
	Boot  string `json:"boot"`
	Count int64  `json:"count"`
}

// checkKills reports kills since the last run. The first run has nothing to
// compare with. After a reboot everything counted is new.
func (in *Instance) checkKills(ctx context.Context, v *service.Verdict) error {
	now, there, err := in.countKills()
	if err != nil {
		return err
	}
	if !there { // kernels before 4.13
		v.Set("oom_kills", "not counted by this kernel")
		return nil
	}
	var last kills
	known, err := in.recall(ctx, "oom", &last)
	if err != nil {
		return err
	}
	if last.Boot != now.Boot {
		last.Count = 0
	}
	v.Set("oom_kills", now.Count)
	if fresh := now.Count - last.Count; known && fresh > 0 {
		v.Crit("oom-kills", "", service.Args{"kills": fresh})
	}
	return in.remember(ctx, "oom", now)
}

func (in *Instance) countKills() (now kills, there bool, err error) {
	if now.Boot, err = in.boot(); err != nil {
		return now, false, err
	}
	file, err := os.Open(filepath.Join(in.root, "vmstat"))
	if err != nil {
		return now, false, fmt.Errorf("read out-of-memory kills: %w", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if count, found := strings.CutPrefix(lines.Text(), "oom_kill "); found {
			if now.Count, err = strconv.ParseInt(count, 10, 64); err != nil {
				return now, false, fmt.Errorf("read out-of-memory kills: %w", err)
			}
			return now, true, nil
		}
	}
	return now, false, lines.Err()
}

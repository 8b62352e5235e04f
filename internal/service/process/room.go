package process

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"upkeep/internal/service"
)

// room is what processes may still take of this machine.
type room struct {
	available int64 // bytes
	cores     float64
	// Of the control group, and the file that says so; "" where it sets no limit.
	group     int64 // bytes
	groupFile string
	coresFile string // "" = all of the machine
}

// least is the memory that is left whatever limits it.
func (r room) least() int64 {
	if r.groupFile != "" {
		return min(r.available, r.group)
	}
	return r.available
}

// room reads the machine, and the control group of a process; 0 = of none.
func (in *Instance) room(pid int) (room, error) {
	m, err := in.proc.Meminfo()
	if err != nil {
		return room{}, fmt.Errorf("read memory: %w", err)
	}
	if m.MemAvailableBytes == nil || m.MemTotalBytes == nil {
		return room{}, fmt.Errorf("read memory: this kernel does not say what is available: %w", service.ErrUnsupported)
	}
	r := room{available: int64(*m.MemAvailableBytes), cores: float64(runtime.NumCPU())}
	if pid == 0 {
		return r, nil
	}
	err = in.ofGroup(pid, &r)
	if gone(err) { // it ended: nothing limits it any more
		err = nil
	}
	return r, err
}

// ofGroup narrows the room by the control group and those above it.
func (in *Instance) ofGroup(pid int, r *room) error {
	p, err := in.proc.Proc(pid)
	if err != nil {
		return err
	}
	groups, err := p.Cgroups()
	if err != nil {
		return err
	}
	for _, g := range groups {
		unified := len(g.Controllers) == 0
		if unified || slices.Contains(g.Controllers, "memory") {
			err = errors.Join(err, in.climb(mounted(unified, "memory"), g.Path, r, memoryLeft))
		}
		if unified || slices.Contains(g.Controllers, "cpu") {
			err = errors.Join(err, in.climb(mounted(unified, "cpu"), g.Path, r, coresGiven))
		}
	}
	return err
}

// mounted are where a hierarchy may be: version 2 alone or beside version 1.
func mounted(unified bool, controller string) []string {
	if unified {
		return []string{"", "unified"}
	}
	return []string{controller}
}

// climb asks a group and all above it: the least of their limits holds. A group that is
// not shown here, as in a container, is asked where its hierarchy begins.
func (in *Instance) climb(roots []string, path string, r *room, ask func(dir string, r *room) error) error {
	for _, root := range roots {
		for at := filepath.Join("/", path); ; at = filepath.Dir(at) {
			if err := ask(filepath.Join(in.groups, root, at), r); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("read the limits of control group %s: %w", at, err)
			}
			if at == "/" {
				break
			}
		}
	}
	return nil
}

// memoryLeft is what a group's limit leaves. Pages of files that it does not use are given
// back when memory is short, as the machine's own available memory counts them.
func memoryLeft(dir string, r *room) error {
	limit, file, err := number(dir, "memory.max", "memory.limit_in_bytes")
	if err != nil || limit >= noLimit {
		return err
	}
	used, _, err := number(dir, "memory.current", "memory.usage_in_bytes")
	if err != nil {
		return err
	}
	unused, err := inactive(filepath.Join(dir, "memory.stat"))
	if err != nil {
		return err
	}
	if left := max(0, int64(limit-used)+unused); r.groupFile == "" || left < r.group {
		r.group, r.groupFile = left, file
	}
	return nil
}

// noLimit is how version 1 says that there is none: the largest number of pages.
const noLimit = float64(math.MaxInt64 &^ 0xffff)

func inactive(stat string) (int64, error) {
	text, err := os.ReadFile(stat)
	if err != nil {
		return 0, err
	}
	found := map[string]int64{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		found[name], _ = strconv.ParseInt(value, 10, 64) // others are not asked for
	}
	return max(found["inactive_file"], found["total_inactive_file"]), nil
}

// coresGiven is how many cores a group may use on average.
func coresGiven(dir string, r *room) error {
	quota, period := 0.0, 0.0
	file := filepath.Join(dir, "cpu.max")
	text, err := os.ReadFile(file)
	switch {
	case err == nil:
		given, of, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
		if given == "max" {
			return nil
		}
		quota, _ = strconv.ParseFloat(given, 64)
		period, _ = strconv.ParseFloat(of, 64)
	case errors.Is(err, fs.ErrNotExist):
		if quota, file, err = number(dir, "cpu.cfs_quota_us"); err == nil {
			period, _, err = number(dir, "cpu.cfs_period_us")
		}
	}
	if err != nil || quota <= 0 || period <= 0 {
		return err
	}
	if given := quota / period; given < r.cores {
		r.cores, r.coresFile = given, file
	}
	return nil
}

// number reads the first of these files that is there; "max" is no limit.
func number(dir string, names ...string) (value float64, file string, err error) {
	for _, name := range names {
		file = filepath.Join(dir, name)
		var text []byte
		if text, err = os.ReadFile(file); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return 0, file, err
		}
		said := strings.TrimSpace(string(text))
		if said == "max" {
			return math.Inf(1), file, nil
		}
		value, err = strconv.ParseFloat(said, 64)
		return value, file, err
	}
	return 0, file, err
}

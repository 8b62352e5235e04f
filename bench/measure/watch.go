package measure

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Group is programs that do one work together.
type Group struct {
	Name string
	PIDs []int
}

// Watched is what a group took while it was watched.
type Watched struct {
	Group
	Resident []int64 // bytes of all its programs together, at each look
	CPU      time.Duration
	For      time.Duration
}

// Watch looks at groups again and again until ctx ends. A program that has ended meanwhile
// is an error: what it took is not known.
func Watch(ctx context.Context, every time.Duration, groups ...Group) ([]Watched, error) {
	all := make([]Watched, len(groups))
	before := make([]time.Duration, len(groups))
	start := time.Now()
	for i, g := range groups {
		all[i].Group = g
		_, cpu, err := taken(g)
		if err != nil {
			return nil, err
		}
		before[i] = cpu
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		for i, g := range groups {
			resident, cpu, err := taken(g)
			if err != nil {
				return nil, err
			}
			all[i].Resident = append(all[i].Resident, resident)
			all[i].CPU, all[i].For = cpu-before[i], time.Since(start)
		}
		select {
		case <-ctx.Done():
			return all, nil
		case <-tick.C:
		}
	}
}

// Median is the median of what was resident, in bytes.
func (w Watched) Median() int64 { return middle(w.Resident) }

// Growth is by how much the median of the last tenth is above that of the first tenth after
// the first looks, which are left out: a program that has just begun fills its caches.
func (w Watched) Growth(leaveOut int) int64 {
	rest := w.Resident[min(leaveOut, len(w.Resident)-1):]
	tenth := max(len(rest)/10, 1)
	return middle(rest[len(rest)-tenth:]) - middle(rest[:tenth])
}

func middle(values []int64) int64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// taken is what the programs of a group hold now and have computed so far.
func taken(g Group) (resident int64, cpu time.Duration, err error) {
	for _, pid := range g.PIDs {
		bytes, err := residentOf(pid)
		if err != nil {
			return 0, 0, fmt.Errorf("%s: %w", g.Name, err)
		}
		used, err := cpuOf(pid)
		if err != nil {
			return 0, 0, fmt.Errorf("%s: %w", g.Name, err)
		}
		resident, cpu = resident+bytes, cpu+used
	}
	return resident, cpu, nil
}

// residentOf is the second field of statm, in pages: proc(5).
func residentOf(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// ticks is the unit of times in stat: USER_HZ is 100 on every Linux that Go runs on.
const ticks = time.Second / 100

// cpuOf adds utime and stime, the 14th and 15th fields of stat; the second one may hold
// blanks and ends with a parenthesis.
func cpuOf(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var sum time.Duration
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n) * ticks
	}
	return sum, nil
}

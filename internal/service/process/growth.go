package process

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"upkeep/internal/diag"
	"upkeep/internal/glob"
	"upkeep/internal/quantity"
	"upkeep/internal/service"
)

// Growth says when the memory of a process counts as leaking: {per_hour: 50 MB, over: 2h,
// at_least: 6}.
type Growth struct {
	// PerHour is how much one process may grow in an hour. 0 does not look.
	PerHour quantity.Bytes `yaml:"per_hour"`
	// Over is for how long a process must have been watched: what a program loads when it
	// starts is no leak.
	Over quantity.Duration `yaml:"over"`
	// AtLeast is by how many checks at least, from 4 to 60.
	AtLeast int `yaml:"at_least"`
	// Unsaved are files that hold what a program made and has not saved: [temp/*.json]. While
	// there are any it is not between two batches, and is not restarted.
	Unsaved []string `yaml:"unsaved"`
	// Restart is a program that restarts this one: [systemctl, restart, runner]. With it upkeep
	// maintain restarts what leaks, when it is between two batches.
	Restart []string `yaml:"restart"`
}

const (
	growthOver    = quantity.Duration(2 * time.Hour)
	growthAtLeast = 6
	// mostPoints is how many points are kept of a process.
	mostPoints = 60
)

func (g Growth) validate(p *diag.List) {
	glob.Validate(p, "growth.unsaved", g.Unsaved)
	if slices.Contains(g.Restart, "") {
		p.Addf("growth.restart", "must not hold empty words")
	}
	if g.PerHour == 0 {
		if len(g.Restart) > 0 {
			p.Addf("growth.per_hour", "must say from which growth on it is restarted")
		}
		return
	}
	if g.PerHour < 0 {
		p.Addf("growth.per_hour", "must not be negative")
	}
	if g.Over <= 0 {
		p.Addf("growth.over", "must be longer than 0")
	}
	if g.AtLeast < 4 || g.AtLeast > mostPoints {
		p.Addf("growth.at_least", "must be from 4 to 60, is %d", g.AtLeast)
	}
}

// judgeMemory measures what every process holds, and compares it with what it held.
func (in *Instance) judgeMemory(ctx context.Context, g group, v *service.Verdict) error {
	if in.cfg.Growth.PerHour == 0 && !in.cfg.Workers.asked() {
		return nil
	}
	before, err := in.measured(ctx)
	if err != nil {
		return err
	}
	weights, err := in.footprints(ctx, g)
	if err != nil {
		return err
	}
	now := in.env.Now()
	one, err := before.sized(g, weights, now)
	if err != nil {
		return err
	}
	after := past{Boot: before.Boot, Last: one, Procs: map[string][]point{}}
	var total int64
	for id, f := range weights {
		total += f.bytes
		after.Procs[id] = in.cfg.Growth.thinned(before.Procs[id], f.at(now))
	}
	v.Set("memory_bytes", total)
	if err := in.judgeGrowth(after, weights, now, v); err != nil {
		return err
	}
	return in.keepMeasured(ctx, after)
}

func (f footprint) at(now time.Time) point {
	return point{At: now.UnixMilli(), Bytes: f.bytes, Ticks: f.ticks, Exact: f.exact}
}

// thinned adds a point where the last one is old enough that mostPoints span over. Points by
// another measure, or of a clock that was set back, say nothing about this one.
func (g Growth) thinned(points []point, now point) []point {
	if n := len(points); n > 0 {
		last := points[n-1]
		if last.Exact != now.Exact || last.At > now.At {
			return []point{now}
		}
		if now.At-last.At < g.Over.Std().Milliseconds()/mostPoints {
			return points
		}
	}
	points = append(points, now)
	return points[max(0, len(points)-mostPoints):]
}

// leak is how one process grows.
type leak struct {
	key         string
	pid         int
	held        int64
	rate, least float64 // bytes per hour: the likely one, and what it is at least
	over        time.Duration
	points      int
	exact       bool
}

// judgeGrowth names the processes that grow faster than they may, surely so.
func (in *Instance) judgeGrowth(p past, weights map[string]footprint, now time.Time, v *service.Verdict) error {
	if in.cfg.Growth.PerHour == 0 {
		return nil
	}
	leaking, judged, fastest := in.leaks(p, weights, now)
	v.Set("growth_judged", judged)
	if judged > 0 {
		v.Set("growth_bytes_per_hour", int64(fastest))
	}
	return in.tellLeaks(leaking, len(weights), v)
}

// leaks are the processes that grow too fast, the fastest first; how many could be judged,
// and how fast the fastest of those grows, in bytes per hour.
func (in *Instance) leaks(p past, weights map[string]footprint, now time.Time) (leaking []leak, judged int, fastest float64) {
	for _, id := range slices.Sorted(maps.Keys(weights)) {
		l, known := in.cfg.Growth.of(id, p.Procs[id], weights[id].at(now))
		if !known {
			continue
		}
		if judged++; judged == 1 || l.rate > fastest {
			fastest = l.rate
		}
		if l.least > float64(in.cfg.Growth.PerHour) {
			leaking = append(leaking, l)
		}
	}
	slices.SortStableFunc(leaking, func(a, b leak) int { return cmp.Compare(b.rate, a.rate) })
	return leaking, judged, fastest
}

// tellLeaks says how long the memory lasts when all of them go on as they do.
func (in *Instance) tellLeaks(leaking []leak, running int, v *service.Verdict) error {
	if len(leaking) == 0 {
		return nil
	}
	room, err := in.room(leaking[0].pid)
	if err != nil {
		return err
	}
	var together float64
	numbers := []string{}
	for _, l := range leaking {
		together += l.rate
		if len(numbers) < 20 {
			numbers = append(numbers, strconv.Itoa(l.pid))
		}
	}
	worst := leaking[0]
	v.Warn("leaking", "", service.Args{"command": in.cfg.name(), "processes": len(leaking), "running": running, "pids": numbers,
		"pid": worst.pid, "held": worst.held, "per_hour": int64(worst.rate), "least": int64(worst.least), "limit": int64(in.cfg.Growth.PerHour),
		"over": worst.over.Seconds(), "points": worst.points, "measure": footprint{exact: worst.exact}.how(), "restart": len(in.cfg.Growth.Restart) > 0,
		"left": float64(room.least()) / together * time.Hour.Seconds()})
	return nil
}

// of judges one process by its points and the present one, from as far back as over and
// at_least ask; false while that is not far enough.
func (g Growth) of(id string, points []point, now point) (leak, bool) {
	if n := len(points); n == 0 || points[n-1].At < now.At && points[n-1].Exact == now.Exact {
		points = append(slices.Clone(points), now)
	}
	from := len(points) - g.AtLeast
	for from > 0 && now.At-points[from].At < g.Over.Std().Milliseconds() {
		from--
	}
	if from < 0 || now.At-points[from].At < g.Over.Std().Milliseconds() {
		return leak{}, false
	}
	points = points[from:]
	first, _, _ := strings.Cut(id, ":")
	pid, err := strconv.Atoi(first)
	rate, least := slope(points)
	return leak{key: id, pid: pid, held: now.Bytes, rate: rate, least: least, points: len(points), exact: now.Exact,
		over: time.Duration(now.At-points[0].At) * time.Millisecond}, err == nil
}

// slope is the growth in bytes per hour: the median of the slopes between any two points
// (Theil 1950, Sen 1968), which what is loaded once and single peaks do not bend, and the
// lower end of Sen's interval: with 95 % it grows no slower, as far as the points are
// independent of each other.
func slope(points []point) (rate, least float64) {
	var slopes []float64
	for i, a := range points {
		for _, b := range points[i+1:] {
			if b.At > a.At {
				slopes = append(slopes, float64(b.Bytes-a.Bytes)/float64(b.At-a.At)*float64(time.Hour.Milliseconds()))
			}
		}
	}
	slices.Sort(slopes)
	n, pairs := float64(len(points)), float64(len(slopes))
	const oneSided95 = 1.645
	spread := oneSided95 * math.Sqrt(n*(n-1)*(2*n+5)/18)
	lower := max(0, int((pairs-spread)/2))
	return (slopes[(len(slopes)-1)/2] + slopes[len(slopes)/2]) / 2, slopes[lower]
}

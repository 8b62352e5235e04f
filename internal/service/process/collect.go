package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/procfs"

	"upkeep/internal/service"
)

// counters of one process, or of all that ever belonged to the group.
type counters struct {
	user, system            float64 // seconds
	major, minor            float64 // page faults
	voluntary, involuntary  float64 // context switches
	readBytes, writtenBytes float64 // from and to disks; 0 for other users' processes unless root
}

// tally keeps the group's counters growing when a process ends: a plain sum over
// the living would fall, and read as a restart of the counter.
type tally struct {
	total counters
	last  map[string]counters // of the living, by key
}

// Collect takes one round of samples under the names of process-exporter, the
// target being the group.
func (in *Instance) Collect(ctx context.Context, emit func(*dto.MetricFamily)) error {
	in.lock.Lock() // rounds side by side would count the same work twice
	defer in.lock.Unlock()
	g, err := in.find(ctx, nil)
	if err != nil {
		return err
	}
	if g.undecided > 0 { // a number that may be too small is worse than none
		return &service.Fault{ID: "process.partly-hidden", Args: service.Args{"hidden": g.undecided, "command": in.cfg.name()},
			Err: fmt.Errorf("look at %d processes: %w", g.undecided, service.ErrDenied)}
	}
	s, err := in.sample(g)
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	if err := registry.Register(round{group: in.env.Target, sample: s}); err != nil {
		return fmt.Errorf("prepare the samples: %w", err)
	}
	families, err := registry.Gather()
	if err != nil {
		return fmt.Errorf("gather the samples: %w", err)
	}
	for _, family := range families {
		emit(family)
	}
	return nil
}

// sample is one round.
type sample struct {
	processes, threads         int
	resident, virtual, swapped float64
	oldest                     float64 // Unix seconds; 0 when none runs
	files, worst               float64 // open, and the largest share of a process's limit
	states                     map[string]float64
	counters                   counters
}

func (in *Instance) sample(g group) (sample, error) {
	s := sample{processes: len(g.alive), states: map[string]float64{
		"Running": 0, "Sleeping": 0, "Waiting": 0, "Zombie": 0, "Other": 0}}
	living := map[string]counters{}
	for _, stat := range g.alive {
		c, err := in.read(stat, &s)
		if gone(err) {
			continue
		}
		if err != nil {
			return s, fmt.Errorf("read process %d: %w", stat.PID, err)
		}
		living[key(stat)] = c
	}
	s.counters = in.count(living)
	return s, nil
}

// count adds what every process did since the last round, and all that a new one
// did. The caller holds the lock.
func (in *Instance) count(living map[string]counters) counters {
	for id, c := range living {
		in.tally.total.add(c, in.tally.last[id])
	}
	in.tally.last = living
	return in.tally.total
}

func (t *counters) add(now, before counters) {
	t.user += now.user - before.user
	t.system += now.system - before.system
	t.major += now.major - before.major
	t.minor += now.minor - before.minor
	t.voluntary += now.voluntary - before.voluntary
	t.involuntary += now.involuntary - before.involuntary
	t.readBytes += now.readBytes - before.readBytes
	t.writtenBytes += now.writtenBytes - before.writtenBytes
}

// read adds one process to the round and returns its counters. What only root
// may read of others stays 0.
func (in *Instance) read(stat procfs.ProcStat, s *sample) (counters, error) {
	p, err := in.proc.Proc(stat.PID)
	if err != nil {
		return counters{}, err
	}
	status, err := p.NewStatus()
	if err != nil {
		return counters{}, err
	}
	disk, err := p.IO()
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return counters{}, err
	}
	start, err := stat.StartTime()
	if err != nil {
		return counters{}, err
	}
	if err := s.addFiles(p); err != nil {
		return counters{}, err
	}
	if s.oldest == 0 || start < s.oldest {
		s.oldest = start
	}
	s.threads += stat.NumThreads
	s.resident += float64(stat.ResidentMemory())
	s.virtual += float64(stat.VirtualMemory())
	s.swapped += float64(status.VmSwap)
	s.states[state(stat.State)]++
	const ticks = 100 // per second, on every platform of Go
	return counters{
		user: float64(stat.UTime) / ticks, system: float64(stat.STime) / ticks,
		major: float64(stat.MajFlt), minor: float64(stat.MinFlt),
		voluntary: float64(status.VoluntaryCtxtSwitches), involuntary: float64(status.NonVoluntaryCtxtSwitches),
		readBytes: float64(disk.ReadBytes), writtenBytes: float64(disk.WriteBytes),
	}, nil
}

func (s *sample) addFiles(p procfs.Proc) error {
	open, err := p.FileDescriptorsLen()
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	limits, err := p.Limits()
	if err != nil {
		return err
	}
	s.files += float64(open)
	if limits.OpenFiles > 0 {
		s.worst = max(s.worst, float64(open)/float64(limits.OpenFiles))
	}
	return nil
}

func state(letter string) string {
	switch letter {
	case "R":
		return "Running"
	case "S":
		return "Sleeping"
	case "D":
		return "Waiting"
	}
	return "Other"
}

package compose

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	dto "github.com/prometheus/client_model/go"
	"golang.org/x/sync/errgroup"
)

// Collect samples each running container of the project once, under cAdvisor's
// names, and what this kind alone knows under its own. An engine that does not
// answer gives upkeep_compose_up 0 and an error.
func (in *Instance) Collect(ctx context.Context, emit func(*dto.MetricFamily)) error {
	f := families{}
	p, err := in.load(ctx)
	if err != nil {
		return err
	}
	s, err := in.look(ctx, p.Name)
	if err != nil {
		f.gauge("upkeep_compose_up", "Whether the engine answers.", 0, "project", p.Name)
		f.emit(emit)
		return fmt.Errorf("collect: %w", err)
	}
	f.gauge("upkeep_compose_up", "Whether the engine answers.", 1, "project", p.Name)
	failed := errors.Join(in.samples(ctx, f, p, s), in.volumeSizes(ctx, f, p))
	f.emit(emit)
	return failed
}

// sampledAtOnce bounds the containers that the engine is asked for side by side. Up to version
// 20.10 it takes a second for each.
const sampledAtOnce = 16

func (in *Instance) samples(ctx context.Context, f families, p *project, s *seen) error {
	var (
		mu     sync.Mutex
		failed []error
		group  errgroup.Group
	)
	group.SetLimit(sampledAtOnce)
	for name, all := range s.services {
		for _, c := range all {
			group.Go(func() error {
				own := families{}
				err := in.sample(ctx, own, p, name, c)
				mu.Lock()
				defer mu.Unlock()
				f.merge(own)
				failed = append(failed, err)
				return nil
			})
		}
	}
	_ = group.Wait() // its funcs never fail: errors are kept
	return errors.Join(failed...)
}

func (in *Instance) sample(ctx context.Context, f families, p *project, name string, c container.InspectResponse) error {
	labels := []string{"name", strings.TrimPrefix(c.Name, "/"), "image", c.Config.Image, "service", name, "project", p.Name}
	f.gauge("upkeep_compose_container_running", "Whether the container runs.", truth(c.State.Running && !c.State.Restarting), labels...)
	f.gauge("upkeep_compose_container_restarts", "Restarts by the engine since the container was started by hand.", float64(c.RestartCount), labels...)
	if c.State.Health != nil {
		f.gauge("upkeep_compose_container_healthy", "Whether its health check passes.", truth(c.State.Health.Status == container.Healthy), labels...)
	}
	if size, ok := in.logSize(c); ok {
		f.gauge("upkeep_compose_container_log_bytes", "Size of the container's log files.", float64(size), labels...)
	}
	if !c.State.Running || c.State.Restarting {
		return nil
	}
	stats, err := in.stats(ctx, c.ID)
	if errdefs.IsNotFound(err) {
		return nil // it has gone since it was listed
	}
	if err != nil {
		return in.failed("sample "+name, err)
	}
	if stats.Read.Year() < 2000 {
		return nil // the engine answers with nothing for a container that has just ended
	}
	in.usage(f, stats, c, labels)
	return nil
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (in *Instance) stats(ctx context.Context, id string) (s container.StatsResponse, err error) {
	got, err := in.engine.ContainerStats(ctx, id, client.ContainerStatsOptions{})
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, got.Body.Close()) }()
	return s, json.NewDecoder(got.Body).Decode(&s)
}

const nanoseconds = 1e9

func (in *Instance) usage(f families, s container.StatsResponse, c container.InspectResponse, labels []string) {
	with := func(more ...string) []string { return append(append([]string{}, more...), labels...) }
	cpu := s.CPUStats.CPUUsage
	f.counter("container_cpu_usage_seconds_total", "Cumulative cpu time consumed.", float64(cpu.TotalUsage)/nanoseconds, with("cpu", "total")...)
	f.counter("container_cpu_user_seconds_total", "Cumulative user cpu time consumed.", float64(cpu.UsageInUsermode)/nanoseconds, labels...)
	f.counter("container_cpu_system_seconds_total", "Cumulative system cpu time consumed.", float64(cpu.UsageInKernelmode)/nanoseconds, labels...)
	f.gauge("container_memory_usage_bytes", "Current memory usage, including all memory regardless of when it was accessed.", float64(s.MemoryStats.Usage), labels...)
	f.gauge("container_memory_rss", "Size of RSS in bytes.", float64(pages(s.MemoryStats, "total_rss", "rss", "anon")), labels...)
	f.gauge("container_memory_cache", "Number of bytes of page cache memory.", float64(pages(s.MemoryStats, "total_cache", "cache", "file")), labels...)
	f.gauge("container_memory_working_set_bytes", "Current working set.", float64(workingSet(s.MemoryStats)), labels...)
	f.gauge("container_spec_memory_limit_bytes", "Memory limit for the container; 0 = none.", float64(c.HostConfig.Memory), labels...)
	f.gauge("container_threads", "Number of threads running inside the container.", float64(s.PidsStats.Current), labels...)
	f.gauge("container_start_time_seconds", "Start time of the container since unix epoch.", in.started(c), labels...)
	f.gauge("container_last_seen", "Last time a container was seen by the exporter", float64(in.env.Now().Unix()), labels...)
	throttled := s.CPUStats.ThrottlingData
	f.counter("container_cpu_cfs_periods_total", "Number of elapsed enforcement period intervals.", float64(throttled.Periods), labels...)
	f.counter("container_cpu_cfs_throttled_periods_total", "Number of throttled period intervals.", float64(throttled.ThrottledPeriods), labels...)
	f.counter("container_cpu_cfs_throttled_seconds_total", "Total time duration the container has been throttled.", float64(throttled.ThrottledTime)/nanoseconds, labels...)
	for device, n := range s.Networks {
		at := with("interface", device)
		f.counter("container_network_receive_bytes_total", "Cumulative count of bytes received.", float64(n.RxBytes), at...)
		f.counter("container_network_transmit_bytes_total", "Cumulative count of bytes transmitted.", float64(n.TxBytes), at...)
		f.counter("container_network_receive_errors_total", "Cumulative count of errors encountered while receiving.", float64(n.RxErrors), at...)
		f.counter("container_network_transmit_errors_total", "Cumulative count of errors encountered while transmitting.", float64(n.TxErrors), at...)
	}
	if len(s.BlkioStats.IoServiceBytesRecursive) == 0 {
		return // nothing was read or written yet, or the kernel does not count it
	}
	read, written := blockBytes(s.BlkioStats)
	f.counter("container_fs_reads_bytes_total", "Cumulative count of bytes read.", float64(read), labels...)
	f.counter("container_fs_writes_bytes_total", "Cumulative count of bytes written.", float64(written), labels...)
}

func (in *Instance) started(c container.InspectResponse) float64 {
	return float64(in.env.Now().Unix()) - float64(int64(in.since(c.State.StartedAt)))
}

// pages is the first of these numbers that the kernel has: its two versions of control groups
// name them differently.
func pages(m container.MemoryStats, names ...string) uint64 {
	for _, name := range names {
		if n, there := m.Stats[name]; there {
			return n
		}
	}
	return 0
}

// workingSet is what cannot be given back by dropping pages that nobody used
// lately; the kernel names it differently in its two versions of control groups.
func workingSet(m container.MemoryStats) uint64 {
	inactive, ok := m.Stats["total_inactive_file"]
	if !ok {
		inactive = m.Stats["inactive_file"]
	}
	if inactive > m.Usage {
		return 0
	}
	return m.Usage - inactive
}

func blockBytes(s container.BlkioStats) (read, written uint64) {
	for _, entry := range s.IoServiceBytesRecursive {
		switch strings.ToLower(entry.Op) {
		case "read":
			read += entry.Value
		case "write":
			written += entry.Value
		}
	}
	return read, written
}

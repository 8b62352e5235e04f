package host

import (
	"context"
	"fmt"
	"sync"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/node_exporter/collector"
)

// collectors are node_exporter's that stock dashboards and rules need and that
// cost a few milliseconds together.
func collectors() []string {
	return []string{
		"cpu", "diskstats", "filefd", "filesystem", "loadavg", "meminfo", "netdev",
		"pressure", "stat", "time", "uname", "vmstat",
	}
}

// setDefaults gives node_exporter's settings their default values. It keeps them
// as flags of one process-wide parser, empty until something was parsed, and its
// collectors likewise: so once per process, and not before somebody collects.
var setDefaults = sync.OnceValue(func() error {
	_, err := kingpin.CommandLine.Parse([]string{})
	return err
})

// Collect takes one round of node_ samples. A collector that has nothing to say
// here (no pressure in this kernel) shows as node_scrape_collector_success 0.
func (in *Instance) Collect(ctx context.Context, emit func(*dto.MetricFamily)) error {
	if err := setDefaults(); err != nil {
		return fmt.Errorf("prepare the collectors: %w", err)
	}
	node, err := collector.NewNodeCollector(in.env.Log, collectors()...)
	if err != nil {
		return fmt.Errorf("prepare the collectors: %w", err)
	}
	registry := prometheus.NewRegistry()
	if err := registry.Register(node); err != nil {
		return fmt.Errorf("prepare the collectors: %w", err)
	}
	return gather(ctx, registry, emit)
}

// gather leaves a round behind that hangs in the kernel: collectors take no
// context.
func gather(ctx context.Context, from prometheus.Gatherer, emit func(*dto.MetricFamily)) error {
	type round struct {
		families []*dto.MetricFamily
		err      error
	}
	done := make(chan round, 1)
	go func() {
		families, err := from.Gather()
		done <- round{families, err}
	}()
	select {
	case r := <-done:
		for _, family := range r.families {
			emit(family)
		}
		if r.err != nil {
			return fmt.Errorf("collect from the machine: %w", r.err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("collect from the machine: %w", ctx.Err())
	}
}

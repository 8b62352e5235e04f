package host

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/node_exporter/collector"

	"upkeep/internal/service"
)

// collectors are node_exporter's that stock dashboards and rules need and that
// cost a few milliseconds together.
func collectors() []string {
	return []string{
		"conntrack", "cpu", "diskstats", "filefd", "filesystem", "loadavg", "mdadm", "meminfo", "netdev",
		"netstat", "pressure", "sockstat", "stat", "time", "timex", "uname", "vmstat",
	}
}

// setDefaults gives the settings of these collectors their default values.
// node_exporter keeps them as flags of one process-wide list, empty until somebody
// parses a command line, and its collectors likewise: so once per process, and not
// before somebody collects. Flags of other exporters in the list are left alone.
var setDefaults = sync.OnceValue(func() error {
	for _, flag := range kingpin.CommandLine.Model().Flags {
		if !concerns(flag.Name) {
			continue
		}
		for _, value := range flag.Default {
			if err := flag.Value.Set(value); err != nil {
				return fmt.Errorf("set %s to its default: %w", flag.Name, err)
			}
		}
	}
	return nil
})

func concerns(flag string) bool {
	return strings.HasPrefix(flag, "path.") || slices.ContainsFunc(collectors(), func(name string) bool {
		return flag == "collector."+name || strings.HasPrefix(flag, "collector."+name+".")
	})
}

// Collect takes one round of node_ samples. A collector that has nothing to say
// here (no pressure in this kernel) shows as node_scrape_collector_success 0.
func (in *Instance) Collect(ctx context.Context, emit func(*dto.MetricFamily)) error {
	registry, err := in.exporter()
	if err != nil {
		return fmt.Errorf("prepare the collectors: %w", err)
	}
	return gather(ctx, registry, emit)
}

func newExporter(env service.Env) (*prometheus.Registry, error) {
	if err := setDefaults(); err != nil {
		return nil, err
	}
	node, err := collector.NewNodeCollector(slog.New(quiet{env.Log.Handler()}), collectors()...)
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	return registry, registry.Register(node)
}

// quiet logs for those who search a fault. node_exporter calls it an error that a
// machine has no udev; what failed shows in the samples.
type quiet struct{ slog.Handler }

// Handle lowers the record to debug.
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	if !q.Enabled(ctx, r.Level) {
		return nil
	}
	return q.Handler.Handle(ctx, r)
}

// WithAttrs and WithGroup keep it quiet.
func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(attrs)} }
func (q quiet) WithGroup(name string) slog.Handler       { return quiet{q.Handler.WithGroup(name)} }

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

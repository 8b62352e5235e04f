package dataset

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"upkeep/internal/service"
	"upkeep/internal/tables"
)

// Collect takes the numbers that files say of themselves, and the declared metrics: those
// are read when a file has changed. What cannot be told is left out, and an error says that it is.
func (in *Instance) Collect(ctx context.Context, emit func(*dto.MetricFamily)) error {
	cfg, _, err := in.declare(ctx, in.dir)
	if err != nil {
		return err
	}
	g := newGauges()
	var failed []error
	for _, name := range slices.Sorted(maps.Keys(cfg.Tables)) {
		failed = append(failed, ctx.Err(), g.table(in, name, cfg.Tables[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Waiting)) {
		paths, err := in.find(cfg.Waiting[name].Files)
		failed = append(failed, err)
		g.files.WithLabelValues(name).Set(float64(len(paths)))
	}
	failed = append(failed, g.metrics(ctx, in, cfg))
	families, err := g.registry.Gather()
	for _, family := range families {
		emit(family)
	}
	return errors.Join(append(failed, err)...)
}

type gauges struct {
	registry                                          *prometheus.Registry
	files, bytes, rows, written, increments, measured *prometheus.GaugeVec
}

func newGauges() gauges {
	g := gauges{registry: prometheus.NewRegistry()}
	gauge := func(name, help string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"table"})
		g.registry.MustRegister(v)
		return v
	}
	g.files = gauge("dataset_files", "Files of a table, or waiting to be taken in")
	g.bytes = gauge("dataset_bytes", "Bytes of the files of a table")
	g.rows = gauge("dataset_rows", "Rows of a table by the footers of its Parquet files")
	g.written = gauge("dataset_written_timestamp_seconds", "When the files of a table were last written")
	g.measured = gauge("dataset_measured_timestamp_seconds", "When the metrics of a table were measured; its files have not changed since")
	g.increments = gauge("dataset_increments", "Files with rows that are not merged into a table yet")
	return g
}

func (g gauges) table(in *Instance, name string, t Table) error {
	patterns := t.Files
	if t.Document != "" {
		patterns = []string{t.Document}
	}
	paths, err := in.find(patterns)
	if err != nil {
		return err
	}
	if len(t.Increments.Files) > 0 {
		waiting, err := in.unmerged(t, paths)
		if err != nil {
			return err
		}
		g.increments.WithLabelValues(name).Set(float64(len(waiting)))
	}
	g.files.WithLabelValues(name).Set(float64(len(paths)))
	return g.measure(in, name, paths)
}

func (g gauges) measure(in *Instance, name string, paths []string) error {
	var bytes, rows, counted int64
	var written float64
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("look at %s: %w", path, err)
		}
		bytes += info.Size()
		written = max(written, float64(info.ModTime().UnixNano())/1e9)
		if tables.FormatOf(path) != tables.Parquet {
			continue
		}
		f, err := in.footer(path)
		if err != nil {
			return err
		}
		rows, counted = rows+f.Rows, counted+1
	}
	g.bytes.WithLabelValues(name).Set(float64(bytes))
	if written > 0 {
		g.written.WithLabelValues(name).Set(written)
	}
	if counted > 0 && counted == int64(len(paths)) {
		g.rows.WithLabelValues(name).Set(float64(rows))
	}
	return nil
}

// metrics are the declared ones. A table that cannot be measured leaves out its own.
func (g gauges) metrics(ctx context.Context, in *Instance, cfg Config) error {
	var failed []error
	known := map[string]measured{}
	for _, name := range slices.Sorted(maps.Keys(cfg.Metrics)) {
		m := cfg.Metrics[name]
		if m.Increments {
			failed = append(failed, g.increment(in, name, m, cfg.Tables[m.Table]))
			continue
		}
		if _, asked := known[m.Table]; !asked {
			of, err := in.measured(ctx, cfg, m.Table)
			failed, known[m.Table] = append(failed, err), of
			if err == nil {
				g.measured.WithLabelValues(m.Table).Set(float64(of.At.UnixNano()) / 1e9)
			}
		}
		if value, is := known[m.Table].Values[name]; is {
			g.single(name, m.Help, value)
		}
	}
	return errors.Join(failed...)
}

func (g gauges) increment(in *Instance, name string, m Metric, t Table) error {
	files, err := in.find(t.Files)
	if err != nil {
		return err
	}
	waiting, err := in.unmerged(t, files)
	if err == nil {
		g.single(name, m.Help, float64(len(waiting)))
	}
	return err
}

func (g gauges) single(name, help string, value float64) {
	one := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	one.Set(value)
	g.registry.MustRegister(one)
}

// DeclaredMetrics are the gauges that the declaration asks for.
func (c *Config) DeclaredMetrics() (all []service.Metric) {
	for _, name := range slices.Sorted(maps.Keys(c.Metrics)) {
		all = append(all, service.Metric{Name: name, Type: "gauge", Help: c.Metrics[name].Help})
	}
	return all
}

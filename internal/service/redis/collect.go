package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/oliver006/redis_exporter/exporter"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"upkeep/internal/service"
)

// collectPatience bounds each question of the exporter where the context has no
// earlier end: it knows no contexts.
const collectPatience = 10 * time.Second

// Collect runs the stock exporter for one round. A server that does not answer
// gives redis_up 0 and an error. It is asked before: the exporter writes what goes
// wrong to stderr, and cannot tell a refused login from a dead server. Keys,
// scripts and settings are left out: they may hold what nobody wants in a graph.
func (in *Instance) Collect(ctx context.Context, emit func(*dto.MetricFamily)) error {
	if err := in.ping(ctx); err != nil {
		emit(down())
		return fmt.Errorf("collect: %w", err)
	}
	in.collecting.Lock()
	defer in.collecting.Unlock()
	if in.registry == nil {
		var err error
		if in.registry, err = in.exporter(ctx); err != nil {
			return err
		}
	}
	registry := in.registry
	type round struct {
		families []*dto.MetricFamily
		err      error
	}
	gathered := make(chan round, 1) // left behind when the context ends first
	go func() {
		families, err := registry.Gather()
		gathered <- round{families, err}
	}()
	select {
	case <-ctx.Done():
		return fmt.Errorf("collect from %s: %w: %w", in.at.address, ctx.Err(), service.ErrUnreachable)
	case got := <-gathered:
		return errors.Join(got.err, in.pass(got.families, emit))
	}
}

func (in *Instance) exporter(ctx context.Context) (*prometheus.Registry, error) {
	options := exporter.Options{
		User:                      in.at.user,
		Namespace:                 "redis",
		CaCertFile:                in.at.ca,
		ConnectionTimeouts:        collectPatience,
		DisableExportingKeyValues: true,
		RedactConfigMetrics:       true,
		RedisMetricsOnly:          true,
		InclSystemMetrics:         true,
		PingOnConnect:             true,
		// A bucket per command and power of two: more series than all else together.
		ExcludeLatencyHistogramMetrics: true,
		Registry:                       prometheus.NewRegistry(),
	}
	if deadline, ok := ctx.Deadline(); ok {
		options.ConnectionTimeouts = min(collectPatience, max(time.Until(deadline), time.Millisecond))
	}
	if !in.cfg.Password.IsZero() {
		password, err := in.env.Secret(ctx, in.cfg.Password)
		if err != nil {
			return nil, fmt.Errorf("resolve the password: %w", err)
		}
		options.Password = password
	}
	if _, err := exporter.NewRedisExporter(in.at.url(), options); err != nil {
		return nil, fmt.Errorf("set up the exporter: %w", err)
	}
	return options.Registry, nil
}

// url is the address in the exporter's spelling, without login.
func (at endpoint) url() string {
	switch {
	case at.network == "unix":
		return "unix://" + at.address
	case at.tls:
		return "rediss://" + at.address
	}
	return "redis://" + at.address
}

// down is what the exporter would say of a server that does not answer.
func down() *dto.MetricFamily {
	name, help, zero := "redis_up", "Information about the Redis instance", 0.0
	return &dto.MetricFamily{Name: &name, Help: &help, Type: dto.MetricType_GAUGE.Enum(),
		Metric: []*dto.Metric{{Gauge: &dto.Gauge{Value: &zero}}}}
}

// pass emits the server's metrics and leaves out those about the exporter.
func (in *Instance) pass(families []*dto.MetricFamily, emit func(*dto.MetricFamily)) error {
	up := false
	for _, family := range families {
		if strings.HasPrefix(family.GetName(), "redis_exporter_") || strings.HasPrefix(family.GetName(), "redis_target_") {
			continue
		}
		if family.GetName() == "redis_up" {
			up = family.Metric[0].GetGauge().GetValue() == 1
		}
		emit(family)
	}
	if !up {
		return fmt.Errorf("collect from %s: %w", in.at.address, service.ErrUnreachable)
	}
	return nil
}

package celery

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"upkeep/internal/service"
)

// Collect asks once and gives the answers under the names of the public
// celery-exporter. Queues that could not be listed are left out, and an error says
// so.
func (in *Instance) Collect(ctx context.Context, emit func(*dto.MetricFamily)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r, err := in.ask(ctx)
	if err != nil {
		return err
	}
	if err := gather(samples{r, in.cfg.Control}, emit); err != nil {
		return err
	}
	if r.blocked {
		return fmt.Errorf("ask the workers: the broker takes no messages: %w", service.ErrUnreachable)
	}
	return r.err
}

func gather(from prometheus.Collector, emit func(*dto.MetricFamily)) error {
	registry := prometheus.NewRegistry()
	if err := registry.Register(from); err != nil {
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

// samples shows one round as metrics.
type samples struct {
	*round
	control string
}

// Describe sends nothing: the registry lives for one round.
func (s samples) Describe(chan<- *prometheus.Desc) {}

// Collect sends every metric once.
func (s samples) Collect(to chan<- prometheus.Metric) {
	if !s.blocked {
		s.sendWorkers(to)
	}
	by := s.consumers()
	processes := map[string]int{}
	for _, w := range s.sorted() {
		for _, q := range w.consumes {
			processes[q.Name] += w.stats.Pool.Concurrency
		}
	}
	for _, q := range s.queues {
		if q.Transient {
			continue
		}
		of := prometheus.Labels{"queue_name": q.Name}
		send(to, "celery_queue_length", "The number of message in broker queue.", float64(q.Messages-q.Unacked), of)
		send(to, "celery_active_consumer_count", "The number of active consumer in broker queue.", float64(q.Consumers), of)
		send(to, "celery_active_worker_count", "The number of active workers in broker queue.", float64(len(by[q.Name])), of)
		send(to, "celery_active_process_count", "The number of active processes in broker queue.", float64(processes[q.Name]), of)
	}
}

func (s samples) sendWorkers(to chan<- prometheus.Metric) {
	const up, upHelp = "celery_worker_up", "Indicates if a worker has recently sent a heartbeat."
	for _, w := range s.sorted() {
		of := prometheus.Labels{"hostname": w.name}
		send(to, up, upHelp, 1, of)
		send(to, "celery_worker_tasks_active", "The number of tasks the worker is currently processing", float64(len(w.active)), of)
		for task, n := range w.stats.Total {
			accepted := prometheus.NewDesc("celery_task_received_total", "Sent when the worker receives a task.", nil,
				prometheus.Labels{"hostname": w.name, "name": task})
			to <- prometheus.MustNewConstMetric(accepted, prometheus.CounterValue, float64(n))
		}
	}
	for _, name := range s.silent(s.control) {
		send(to, up, upHelp, 0, prometheus.Labels{"hostname": name})
	}
}

func send(to chan<- prometheus.Metric, name, help string, value float64, labels prometheus.Labels) {
	to <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, nil, labels), prometheus.GaugeValue, value)
}

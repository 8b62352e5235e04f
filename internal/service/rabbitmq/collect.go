package rabbitmq

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Collect takes one round under the names of the plugin rabbitmq_prometheus. What was
// not measured is left out, and an error says that it is.
func (in *Instance) Collect(ctx context.Context, emit func(*dto.MetricFamily)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	seen := in.look(ctx)
	return errors.Join(gather(round{seen}, emit), seen.overviewed, seen.noded, seen.queued, seen.amqp)
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

// round shows one look as metrics.
type round struct{ view }

// Describe sends nothing: the registry lives for one round.
func (r round) Describe(chan<- *prometheus.Desc) {}

// Collect sends every metric once.
func (r round) Collect(to chan<- prometheus.Metric) {
	up := number{0, true}
	if r.overviewed == nil && r.amqp == nil {
		up.value = 1
	}
	send(to, "rabbitmq_up", "Both the management API and AMQP answered", up, nil)
	if r.overviewed == nil {
		send(to, "rabbitmq_connections", "Connections currently open", number{r.about.Objects.Connections, true}, nil)
		send(to, "rabbitmq_channels", "Channels currently open", number{r.about.Objects.Channels, true}, nil)
		send(to, "rabbitmq_consumers", "Consumers currently connected", number{r.about.Objects.Consumers, true}, nil)
		send(to, "rabbitmq_queues", "Queues available", number{r.about.Objects.Queues, true}, nil)
		send(to, "rabbitmq_build_info", "RabbitMQ & Erlang/OTP version info", number{1, true},
			prometheus.Labels{"rabbitmq_version": r.about.Version, "erlang_version": r.about.Erlang})
	}
	for _, n := range r.nodes {
		sendNode(to, n)
	}
	for _, q := range r.queues {
		sendQueue(to, q)
	}
}

func sendNode(to chan<- prometheus.Metric, n node) {
	of := prometheus.Labels{"rabbitmq_node": n.Name}
	send(to, "rabbitmq_process_resident_memory_bytes", "Memory used in bytes", n.MemUsed, of)
	send(to, "rabbitmq_resident_memory_limit_bytes", "Memory high watermark in bytes", n.MemLimit, of)
	send(to, "rabbitmq_disk_space_available_bytes", "Disk space available in bytes", n.DiskFree, of)
	send(to, "rabbitmq_disk_space_available_limit_bytes", "Free disk space low watermark in bytes", n.DiskLimit, of)
	send(to, "rabbitmq_process_open_fds", "Open file descriptors", n.FilesUsed, of)
	send(to, "rabbitmq_process_max_fds", "Open file descriptors limit", n.FilesTotal, of)
	send(to, "rabbitmq_alarms_memory_used_watermark", "Memory alarm", truth(n.MemAlarm), of)
	send(to, "rabbitmq_alarms_free_disk_space_watermark", "Disk alarm", truth(n.DiskAlarm), of)
}

func sendQueue(to chan<- prometheus.Metric, q queue) {
	if q.transient || q.missing {
		return // one name per connection: a graph of each would never end
	}
	of := prometheus.Labels{"queue": q.name}
	send(to, "rabbitmq_queue_messages", "Sum of ready and unacknowledged messages", q.messages(), of)
	send(to, "rabbitmq_queue_messages_ready", "Messages ready to be delivered to consumers", q.ready, of)
	send(to, "rabbitmq_queue_messages_unacked", "Messages delivered to consumers but not yet acknowledged", q.unacked, of)
	send(to, "rabbitmq_queue_consumers", "Consumers on a queue", q.consumers, of)
}

func truth(yes bool) number {
	if yes {
		return number{1, true}
	}
	return number{0, true}
}

// send leaves out what is not known: 0 would be a measurement.
func send(to chan<- prometheus.Metric, name, help string, n number, labels prometheus.Labels) {
	if n.known {
		to <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, nil, labels), prometheus.GaugeValue, float64(n.value))
	}
}

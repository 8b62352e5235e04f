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
	return errors.Join(gather(round{seen, in.at.vhost}, emit), seen.overviewed, seen.noded, seen.queued, seen.amqp)
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
type round struct {
	view
	vhost string
}

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
		send(to, "rabbitmq_identity_info", "RabbitMQ node & cluster identity info", number{1, true},
			prometheus.Labels{"rabbitmq_node": r.about.Node, "rabbitmq_cluster": r.about.Cluster})
		r.sendCounters(to)
	}
	for _, n := range r.nodes {
		sendNode(to, n)
	}
	for _, q := range r.queues {
		r.sendQueue(to, q)
	}
}

// sendCounters gives what the management API counts over all protocols and the whole cluster.
func (r round) sendCounters(to chan<- prometheus.Metric) {
	for _, c := range []struct {
		of               map[string]number
		key, name, about string
	}{
		{r.about.Messages, "publish", "rabbitmq_global_messages_received_total", "Total number of messages received from publishers"},
		{r.about.Messages, "confirm", "rabbitmq_global_messages_confirmed_total", "Total number of messages confirmed to publishers"},
		{r.about.Messages, "deliver_get", "rabbitmq_global_messages_delivered_total", "Total number of messages delivered to consumers"},
		{r.about.Messages, "ack", "rabbitmq_global_messages_acknowledged_total", "Total number of messages acknowledged by consumers"},
		{r.about.Messages, "redeliver", "rabbitmq_global_messages_redelivered_total", "Total number of messages redelivered to consumers"},
		{r.about.Messages, "return_unroutable", "rabbitmq_global_messages_unroutable_returned_total", "Total number of messages published as mandatory into an exchange and returned to the publisher as unroutable"},
		{r.about.Messages, "drop_unroutable", "rabbitmq_global_messages_unroutable_dropped_total", "Total number of messages published as non-mandatory into an exchange and dropped as unroutable"},
		{r.about.Churn, "connection_created", "rabbitmq_connections_opened_total", "Total number of connections opened"},
		{r.about.Churn, "connection_closed", "rabbitmq_connections_closed_total", "Total number of connections closed or terminated"},
		{r.about.Churn, "channel_created", "rabbitmq_channels_opened_total", "Total number of channels opened"},
		{r.about.Churn, "channel_closed", "rabbitmq_channels_closed_total", "Total number of channels closed"},
		{r.about.Churn, "queue_declared", "rabbitmq_queues_declared_total", "Total number of queues declared"},
		{r.about.Churn, "queue_created", "rabbitmq_queues_created_total", "Total number of queues created"},
		{r.about.Churn, "queue_deleted", "rabbitmq_queues_deleted_total", "Total number of queues deleted"},
	} {
		count(to, c.name, c.about, number{c.of[c.key].value, true}, nil)
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
	send(to, "rabbitmq_process_open_tcp_sockets", "Open TCP sockets", n.Sockets, of)
	send(to, "rabbitmq_process_max_tcp_sockets", "Open TCP sockets limit", n.MaxSockets, of)
	send(to, "rabbitmq_erlang_processes_used", "Erlang processes used", n.Procs, of)
	send(to, "rabbitmq_erlang_processes_limit", "Erlang processes limit", n.MaxProcs, of)
	send(to, "rabbitmq_erlang_uptime_seconds", "Node uptime", number{n.Uptime.value / 1000, n.Uptime.known}, of)
	send(to, "rabbitmq_alarms_memory_used_watermark", "Memory alarm", truth(n.MemAlarm), of)
	send(to, "rabbitmq_alarms_free_disk_space_watermark", "Disk alarm", truth(n.DiskAlarm), of)
}

func (r round) sendQueue(to chan<- prometheus.Metric, q queue) {
	if q.transient || q.missing {
		return // one name per connection: a graph of each would never end
	}
	of := prometheus.Labels{"queue": q.name, "vhost": r.vhost}
	count(to, "rabbitmq_queue_messages_published_total", "Messages published to a queue", q.published, of)
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

func count(to chan<- prometheus.Metric, name, help string, n number, labels prometheus.Labels) {
	if n.known {
		to <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, nil, labels), prometheus.CounterValue, float64(n.value))
	}
}

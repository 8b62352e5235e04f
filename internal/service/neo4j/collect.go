package neo4j

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	driver "github.com/neo4j/neo4j-go-driver/v5/neo4j"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"

	"upkeep/internal/service"
)

// Collect gives what Community keeps to itself, under the names of the endpoint
// that only Enterprise has, and neo4j_up. A server that does not answer gives
// neo4j_up 0 and an error.
func (in *Instance) Collect(ctx context.Context, emit func(*dto.MetricFamily)) error {
	err := in.with(ctx, func(l *link) error { return l.collect(ctx, emit) })
	up := 1.0
	if err != nil {
		up = 0
	}
	if err == nil || errors.Is(err, service.ErrUnreachable) || errors.Is(err, service.ErrDenied) {
		emit(family("neo4j_up", "Whether the database answered.", sample(up)))
	}
	if err != nil {
		return fmt.Errorf("collect: %w", err)
	}
	return nil
}

func (l *link) collect(ctx context.Context, emit func(*dto.MetricFamily)) error {
	for _, one := range []struct{ name, help, cypher string }{
		{"neo4j_database_count_node", "The total number of nodes in the database.", countNodes},
		{"neo4j_database_count_relationship", "The total number of relationships in the database.", countRelationships},
		{"neo4j_database_transaction_active", "The number of currently active transactions.",
			"SHOW TRANSACTIONS YIELD database WHERE database = $database RETURN count(*)"},
	} {
		n, err := l.number(ctx, one.cypher, map[string]any{"database": l.name})
		if err != nil {
			return err
		}
		emit(family(one.name, one.help, sample(float64(n), "database", l.name)))
		emit(family(spelled(one.name, l.name), one.help, sample(float64(n))))
	}
	if err := l.collectNames(ctx, "neo4j_database_label_nodes", "Nodes by label.", "label", l.labels, countLabel, emit); err != nil {
		return err
	}
	if err := l.collectNames(ctx, "neo4j_database_type_relationships", "Relationships by type.", "type", l.types, countType, emit); err != nil {
		return err
	}
	return l.collectHeap(ctx, emit)
}

func (l *link) collectNames(ctx context.Context, name, help, label string, names func(context.Context) ([]string, error),
	count func(string) string, emit func(*dto.MetricFamily)) error {
	by, err := l.tally(ctx, names, count, listed)
	if err != nil || len(by) == 0 {
		return err
	}
	var samples []*dto.Metric
	for _, one := range slices.Sorted(maps.Keys(by)) {
		samples = append(samples, sample(float64(by[one]), "database", l.name, label, one))
	}
	emit(family(name, help, samples...))
	return nil
}

// spelled is the endpoint's own spelling: the database is a part of the name, with what no name
// of a metric may hold replaced.
func spelled(metric, database string) string {
	plain := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, database)
	return strings.Replace(metric, "neo4j_database_", "neo4j_database_"+plain+"_", 1)
}

// collectHeap asks the JVM. Where the login may not, there is no such sample.
func (l *link) collectHeap(ctx context.Context, emit func(*dto.MetricFamily)) error {
	const ask = `CALL dbms.queryJmx('java.lang:type=Memory') YIELD attributes AS memory
CALL dbms.queryJmx('java.lang:type=Threading') YIELD attributes AS threading
CALL dbms.queryJmx('java.lang:type=OperatingSystem') YIELD attributes AS system
WITH memory.HeapMemoryUsage.value.properties AS heap, threading, system
RETURN heap.used, heap.committed, heap.max, threading.ThreadCount.value, system.OpenFileDescriptorCount.value, system.MaxFileDescriptorCount.value`
	of := []struct{ name, help string }{
		{"neo4j_dbms_vm_heap_used", "Heap of the JVM that is used, in bytes."},
		{"neo4j_dbms_vm_heap_committed", "Heap of the JVM that it has, in bytes."},
		{"neo4j_dbms_vm_heap_max", "Heap of the JVM at most, in bytes."},
		{"neo4j_dbms_vm_threads", "Threads of the JVM."},
		{"neo4j_dbms_vm_file_descriptors_count", "Open file descriptors."},
		{"neo4j_dbms_vm_file_descriptors_maximum", "Open file descriptors at most."},
	}
	err := l.read(ctx, ask, nil, func(r *driver.Record) error {
		for i, value := range r.Values {
			if n, ok := value.(int64); ok {
				emit(family(of[i].name, of[i].help, sample(float64(n))))
			}
		}
		return nil
	})
	if errors.Is(err, service.ErrDenied) {
		return nil
	}
	return err
}

func family(name, help string, samples ...*dto.Metric) *dto.MetricFamily {
	return &dto.MetricFamily{Name: proto.String(name), Help: proto.String(help), Type: dto.MetricType_GAUGE.Enum(), Metric: samples}
}

// sample takes labels as name, value, name, value.
func sample(value float64, labels ...string) *dto.Metric {
	m := &dto.Metric{Gauge: &dto.Gauge{Value: proto.Float64(value)}}
	for pair := range slices.Chunk(labels, 2) {
		m.Label = append(m.Label, &dto.LabelPair{Name: proto.String(pair[0]), Value: proto.String(pair[1])})
	}
	return m
}

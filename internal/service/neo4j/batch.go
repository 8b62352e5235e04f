package neo4j

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	driver "github.com/neo4j/neo4j-go-driver/v5/neo4j"

	"upkeep/internal/service"
)

// Limits of one transaction: the server holds it in its heap.
const (
	batchRecords = 1000
	batchBytes   = 1 << 20
)

// batch gathers records until there are enough for a transaction.
type batch struct {
	records []record
	bytes   int
	most    int // records
	flush   func([]record) error
}

func (b *batch) add(r record, bytes int) error {
	b.records = append(b.records, r)
	if b.bytes += bytes; len(b.records) < b.most && b.bytes < batchBytes {
		return nil
	}
	return b.end(nil)
}

// end writes what is left, unless something went wrong before.
func (b *batch) end(before error) error {
	if before != nil || len(b.records) == 0 {
		return nil
	}
	err := b.flush(b.records)
	b.records, b.bytes = b.records[:0], 0
	return err
}

// createNodes writes nodes and keeps their new numbers.
func (w *writer) createNodes(ctx context.Context, records []record) error {
	made, err := w.link.inTransaction(ctx, func(tx driver.ManagedTransaction) (any, error) {
		made := make([]string, len(records))
		for _, group := range byLabels(records) {
			if err := createGroup(ctx, tx, records, group, made); err != nil {
				return nil, err
			}
		}
		return made, nil
	})
	if err != nil {
		return err
	}
	for i, element := range made.([]string) {
		id, err := numberOf(element)
		if err != nil {
			return err
		}
		w.prefix = prefixOf(element)
		if err := w.nodes.put(records[i].ID, hash{Lo: uint64(id) + 1}); err != nil {
			return err
		}
	}
	w.restored += int64(len(records))
	return nil
}

// byLabels divides records into groups of equal labels: a statement cannot take
// labels as a parameter before version 5.24.
func byLabels(records []record) map[string][]int {
	groups := map[string][]int{}
	for i, r := range records {
		groups[labelPattern(r.Labels)] = append(groups[labelPattern(r.Labels)], i)
	}
	return groups
}

func labelPattern(labels []string) string {
	var b strings.Builder
	for _, label := range slices.Sorted(slices.Values(labels)) {
		b.WriteString(":" + quote(label))
	}
	return b.String()
}

func createGroup(ctx context.Context, tx driver.ManagedTransaction, records []record, group []int, made []string) error {
	rows := make([]any, len(group))
	for i, at := range group {
		rows[i] = map[string]any{"at": at, "properties": records[at].Properties}
	}
	cypher := "UNWIND $rows AS row CREATE (n" + labelPattern(records[group[0]].Labels) + ") SET n = row.properties RETURN row.at, elementId(n)"
	result, err := tx.Run(ctx, cypher, map[string]any{"rows": rows})
	if err != nil {
		return err
	}
	for result.Next(ctx) {
		at, _ := result.Record().Values[0].(int64)
		made[at], _ = result.Record().Values[1].(string)
	}
	return result.Err()
}

// createRelationships writes relationships of one type, which is that of their part.
func (w *writer) createRelationships(ctx context.Context, records []record) error {
	rows := make([]any, len(records))
	for i, r := range records {
		rows[i] = map[string]any{"start": fmt.Sprint(w.prefix, r.Start), "end": fmt.Sprint(w.prefix, r.End), "properties": r.Properties}
	}
	cypher := "UNWIND $rows AS row MATCH (a) WHERE elementId(a) = row.start MATCH (b) WHERE elementId(b) = row.end " +
		"CREATE (a)-[r:" + quote(records[0].Type) + "]->(b) SET r = row.properties RETURN count(r)"
	n, err := w.link.change(ctx, cypher, map[string]any{"rows": rows})
	if err == nil && n != int64(len(records)) {
		err = fmt.Errorf("%d of %d relationships could be made: somebody else deletes nodes: %w", n, len(records), service.ErrBusy)
	}
	w.restored += n
	return err
}

// inTransaction writes; a conflict with others is tried again as a whole.
func (l *link) inTransaction(ctx context.Context, do driver.ManagedTransactionWork) (out any, err error) {
	s := l.session(ctx, l.name, driver.AccessModeWrite)
	defer func() { err = errors.Join(err, l.end(ctx, s)) }()
	if out, err = s.ExecuteWrite(ctx, do); err != nil {
		return nil, l.fault(ctx, "write to "+l.name+" at "+l.host, err)
	}
	return out, nil
}

// command runs a statement that manages its own transaction, such as one about the
// schema.
func (l *link) command(ctx context.Context, cypher string) (err error) {
	s := l.session(ctx, l.name, driver.AccessModeWrite)
	defer func() { err = errors.Join(err, l.end(ctx, s)) }()
	result, err := s.Run(ctx, cypher, nil)
	if err == nil {
		_, err = result.Consume(ctx)
	}
	if err != nil {
		return l.fault(ctx, "change "+l.name+" at "+l.host, err)
	}
	return nil
}

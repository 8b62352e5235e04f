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

// batch gathers records until there are enough for a transaction. What it hands to
// flush it does not touch again.
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
	full := b.records
	b.records, b.bytes = make([]record, 0, len(full)), 0
	return b.flush(full)
}

// createNodes writes nodes and keeps their new numbers.
func (w *writer) createNodes(ctx context.Context, records []record) error {
	made, err := w.link.inTransaction(ctx, func(tx driver.ManagedTransaction) (any, error) {
		return createNodes(ctx, tx, records)
	})
	if err != nil {
		return err
	}
	for old, id := range made.(map[int64]int64) {
		if err := w.nodes.put(old, hash{Lo: uint64(id) + 1}); err != nil {
			return err
		}
	}
	w.restored.Add(int64(len(records)))
	return nil
}

// createNodes returns the new numbers by the old ones.
func createNodes(ctx context.Context, tx driver.ManagedTransaction, records []record) (map[int64]int64, error) {
	made := make(map[int64]int64, len(records))
	for labels, group := range byLabels(records) {
		if err := createGroup(ctx, tx, labels, group, made); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// byLabels divides records into groups of equal labels: a statement cannot take
// labels as a parameter before version 5.24.
func byLabels(records []record) map[string][]record {
	groups := map[string][]record{}
	for _, r := range records {
		labels := labelPattern(r.Labels)
		groups[labels] = append(groups[labels], r)
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

// createGroup gets all numbers in one record: a record takes longer to send than what
// is in it. The server knows nodes by numbers; an element ID is text around one.
func createGroup(ctx context.Context, tx driver.ManagedTransaction, labels string, group []record, made map[int64]int64) error {
	rows := make([]any, len(group))
	for i, r := range group {
		rows[i] = []any{r.ID, r.Properties}
	}
	cypher := "UNWIND $rows AS row CREATE (n" + labels + ") SET n = row[1] RETURN collect([row[0], id(n)])"
	result, err := tx.Run(ctx, cypher, map[string]any{"rows": rows})
	if err != nil {
		return err
	}
	only, err := result.Single(ctx)
	if err != nil {
		return err
	}
	pairs, _ := only.Values[0].([]any)
	for _, pair := range pairs {
		numbers := pair.([]any)
		made[numbers[0].(int64)] = numbers[1].(int64)
	}
	return nil
}

// createRelationships writes relationships of one type, which is that of their part.
func (w *writer) createRelationships(ctx context.Context, records []record) error {
	rows := make([]any, len(records))
	for i, r := range records {
		rows[i] = []any{r.Start, r.End, r.Properties}
	}
	cypher := "UNWIND $rows AS row MATCH (a) WHERE id(a) = row[0] MATCH (b) WHERE id(b) = row[1] " +
		"CREATE (a)-[r:" + quote(records[0].Type) + "]->(b) SET r = row[2] RETURN count(r)"
	n, err := w.link.change(ctx, cypher, map[string]any{"rows": rows})
	if err == nil && n != int64(len(records)) {
		err = fmt.Errorf("%d of %d relationships could be made: somebody else deletes nodes: %w", n, len(records), service.ErrBusy)
	}
	w.restored.Add(n)
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

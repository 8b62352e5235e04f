package neo4j

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	driver "github.com/neo4j/neo4j-go-driver/v5/neo4j"
	"github.com/neo4j/neo4j-go-driver/v5/neo4j/dbtype"

	"upkeep/internal/service"
)

// Query runs one statement in read-only mode, which the server itself enforces; it
// refuses several statements in one text.
func (in *Instance) Query(ctx context.Context, statement string) iter.Seq2[service.Row, error] {
	return func(yield func(service.Row, error) bool) {
		err := in.with(ctx, func(l *link) error {
			return l.read(ctx, statement, nil, func(r *driver.Record) error {
				row, err := rowOf(r)
				if err == nil && !yield(row, nil) {
					return errStopped
				}
				return err
			})
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(service.Row{}, fmt.Errorf("query %s: %w", in.cfg.Database, err))
		}
	}
}

// errStopped is a reader that wants no more rows.
var errStopped = errors.New("stopped")

func rowOf(r *driver.Record) (service.Row, error) {
	row := service.Row{Columns: r.Keys, Values: make([]any, len(r.Values))}
	for i, value := range r.Values {
		plain, err := plainOf(value)
		if err != nil {
			return service.Row{}, fmt.Errorf("column %s: %w", r.Keys[i], err)
		}
		row.Values[i] = plain
	}
	return row, nil
}

// plainOf keeps what rows may hold; a node or list becomes its text in a copy.
func plainOf(value any) (any, error) {
	switch v := value.(type) {
	case nil, bool, int64, float64, string, time.Time:
		return v, nil
	case dbtype.Date:
		return v.Time(), nil
	case dbtype.LocalDateTime:
		t := v.Time()
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC), nil
	}
	encoded, err := appendValue(nil, value)
	return string(encoded), err
}

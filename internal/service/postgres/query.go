package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"upkeep/internal/service"
)

// Query answers one SELECT, VALUES, TABLE or WITH in the declared database. It is
// run as a cursor in a read-only transaction: nothing else can be one, and of
// several statements none is run. The server itself ends it at the deadline.
func (in *Instance) Query(ctx context.Context, statement string) iter.Seq2[service.Row, error] {
	return func(yield func(service.Row, error) bool) {
		err := in.query(ctx, statement, func(row service.Row) bool { return yield(row, nil) })
		if err != nil && !errors.Is(err, errStopped) {
			yield(service.Row{}, err)
		}
	}
}

// errStopped is a reader that wants no more rows.
var errStopped = errors.New("stopped")

func (in *Instance) query(ctx context.Context, statement string, yield func(service.Row) bool) error {
	cfg, err := in.settings(ctx)
	if err != nil {
		return err
	}
	conn, err := in.connect(ctx, cmp.Or(in.asked, cfg.Database))
	if err != nil {
		return err
	}
	defer func() { _ = goodbye(ctx, conn) }()
	limit := int64(0)
	if deadline, ok := ctx.Deadline(); ok {
		limit = max(deadline.Sub(in.env.Now()).Milliseconds(), 1)
	}
	err = execute(ctx, conn, "BEGIN READ ONLY", fmt.Sprintf("SET LOCAL statement_timeout TO %d", limit),
		"SET LOCAL cursor_tuple_fraction TO 1", "SET LOCAL TimeZone TO 'UTC'", "SET LOCAL DateStyle TO 'ISO'")
	if err != nil {
		return err
	}
	// The extended protocol refuses a text of several statements.
	if _, err := conn.PgConn().ExecParams(ctx, "DECLARE upkeep NO SCROLL CURSOR FOR "+statement, nil, nil, nil, nil).Close(); err != nil {
		return fmt.Errorf("query: %w", fault(err))
	}
	rows, err := conn.Query(ctx, "FETCH ALL FROM upkeep", pgx.QueryResultFormats{pgx.TextFormatCode})
	if err != nil {
		return fmt.Errorf("query: %w", fault(err))
	}
	defer rows.Close()
	var columns []string
	for rows.Next() {
		if columns == nil {
			columns = columnNames(rows.FieldDescriptions())
		}
		values, err := convert(rows.FieldDescriptions(), rows.RawValues())
		if err != nil {
			return err
		}
		if !yield(service.Row{Columns: columns, Values: values}) {
			return errStopped
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("query: %w", fault(err))
	}
	return nil
}

func columnNames(fields []pgconn.FieldDescription) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}

func convert(fields []pgconn.FieldDescription, raw [][]byte) ([]any, error) {
	row := make([]any, len(raw))
	for i, text := range raw {
		if text == nil {
			continue
		}
		v, err := convertValue(fields[i].DataTypeOID, string(text))
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", fields[i].Name, err)
		}
		row[i] = v
	}
	return row, nil
}

// convertValue keeps what has no counterpart, such as json or infinity, as text.
func convertValue(oid uint32, text string) (any, error) {
	switch oid {
	case pgtype.BoolOID:
		return text == "t", nil
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.OIDOID:
		return strconv.ParseInt(text, 10, 64)
	case pgtype.Float4OID, pgtype.Float8OID:
		return strconv.ParseFloat(text, 64)
	case pgtype.NumericOID:
		if whole, err := strconv.ParseInt(text, 10, 64); err == nil {
			return whole, nil
		}
		return strconv.ParseFloat(text, 64)
	case pgtype.TimestamptzOID:
		return parseTime("2006-01-02 15:04:05.999999999-07", text), nil
	case pgtype.TimestampOID:
		return parseTime("2006-01-02 15:04:05.999999999", text), nil
	case pgtype.DateOID:
		return parseTime("2006-01-02", text), nil
	}
	return text, nil
}

func parseTime(layout, text string) any {
	if t, err := time.Parse(layout, text); err == nil {
		return t
	}
	return text
}

// declaredDatabase is the one that assertions speak of: a scratch sibling answers
// for the same. Validate has parsed the address before.
func (in *Instance) declaredDatabase() string {
	cfg, err := pgx.ParseConfig(in.cfg.URL)
	if err != nil {
		return ""
	}
	return cfg.Database
}

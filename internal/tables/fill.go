package tables

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// Column of a table that is made here. Type is VARCHAR, BIGINT, DOUBLE or BOOLEAN.
type Column struct{ Name, Type string }

// Filler puts rows into a new table.
type Filler struct {
	columns  []Column
	conn     *sql.Conn
	appender *duckdb.Appender
	row      []driver.Value
	rows     int              // the driver holds what is not flushed beside DuckDB's limit
	Misfits  map[string]int64 // values by column that its type cannot hold: null in the table
}

// Fill makes an empty table and opens it for rows.
func (d *DB) Fill(ctx context.Context, table string, columns []Column) (*Filler, error) {
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = Name(c.Name) + " " + c.Type
	}
	if err := d.Do(ctx, "CREATE TABLE "+Name(table)+" ("+strings.Join(parts, ", ")+")"); err != nil {
		return nil, err
	}
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	f := &Filler{columns: columns, conn: conn, row: make([]driver.Value, len(columns)), Misfits: map[string]int64{}}
	err = conn.Raw(func(raw any) (err error) {
		f.appender, err = duckdb.NewAppenderFromConn(raw.(driver.Conn), "", table)
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("fill %s: %w", table, err), conn.Close())
	}
	return f, nil
}

// Add puts one row, a value per column: nil, bool, int64, float64 or string.
func (f *Filler) Add(values ...any) error {
	for i, c := range f.columns {
		v, fits := fit(values[i], c.Type)
		if !fits {
			f.Misfits[c.Name]++
		}
		f.row[i] = v
	}
	if err := f.appender.AppendRow(f.row...); err != nil {
		return err
	}
	if f.rows++; f.rows%piece == 0 {
		return f.appender.Flush()
	}
	return nil
}

// Close makes the rows visible.
func (f *Filler) Close() error { return errors.Join(f.appender.Close(), f.conn.Close()) }

// fit makes a value one of a type. What would lose something does not fit.
func fit(v any, to string) (any, bool) {
	if v == nil {
		return nil, true
	}
	switch to {
	case "VARCHAR":
		return textOf(v), true
	case "BOOLEAN":
		b, is := v.(bool)
		return orNil(b, is), is
	case "BIGINT":
		n, is := wholeOf(v)
		return orNil(n, is), is
	default:
		x, is := numberOf(v)
		return orNil(x, is), is
	}
}

func orNil(v any, is bool) any {
	if !is {
		return nil
	}
	return v
}

func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return fmt.Sprint(v)
}

func wholeOf(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case float64:
		return int64(v), v == math.Trunc(v) && math.Abs(v) < 1<<53
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		return n, err == nil
	}
	return 0, false
}

func numberOf(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case string:
		x, err := strconv.ParseFloat(v, 64)
		return x, err == nil
	}
	return 0, false
}

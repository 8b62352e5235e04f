package write

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"upkeep/internal/tables"
)

// parquet collects rows as texts in a table of DuckDB, which goes to disk when it is large.
// The types of the columns are those of all their values, and so known at the end only.
type parquet struct {
	place
	path    string
	scratch string
	db      *tables.DB
	rows    *tables.Filler
	kinds   []kind
	cells   []any
}

// kind is what values a column has, as a set.
type kind int

const (
	truth kind = 1 << iota
	whole
	large // whole, and no float holds it
	real
	instant
	words
)

// memory is what DuckDB may take, besides the rows that it packs together.
const memory = 96 << 20

const staged = "rows"

func newParquet(ctx context.Context, out *os.File) (*parquet, error) {
	scratch, err := os.MkdirTemp(filepath.Dir(out.Name()), ".upkeep-export-*")
	if err != nil {
		return nil, err
	}
	db, err := tables.Open(ctx, tables.Limits{Memory: memory, Threads: 1, Scratch: scratch, Ordered: true}, []string{out.Name()}, nil)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(scratch))
	}
	return &parquet{path: out.Name(), scratch: scratch, db: db}, nil
}

func (w *parquet) Head(ctx context.Context, columns []string) (err error) {
	folded := make([]string, len(columns))
	for i, name := range columns {
		folded[i] = strings.ToLower(name) // DuckDB would call the second of "n" and "N" "N_1"
	}
	if err := apart(folded); err != nil {
		return err
	}
	w.columns, w.kinds, w.cells = columns, make([]kind, len(columns)), make([]any, len(columns))
	texts := make([]tables.Column, len(columns))
	for i := range columns {
		texts[i] = tables.Column{Name: column(i), Type: "VARCHAR"}
	}
	w.rows, err = w.db.Fill(ctx, staged, texts)
	return err
}

func column(i int) string { return "c" + strconv.Itoa(i) }

func (w *parquet) Row(values []any) error {
	w.row++
	for i, v := range values {
		if s, is := v.(string); is {
			if err := w.text(i, s); err != nil {
				return err
			}
		}
		k, text := read(v)
		w.kinds[i] |= k
		w.cells[i] = text
	}
	return w.rows.Add(w.cells...)
}

// read is what a value is, and its text as DuckDB reads it.
func read(v any) (kind, any) {
	switch v := v.(type) {
	case bool:
		return truth, strconv.FormatBool(v)
	case int64:
		if v > exact || v < -exact {
			return large, strconv.FormatInt(v, 10)
		}
		return whole, strconv.FormatInt(v, 10)
	case float64:
		if name := odd(v); name != "" {
			return real, name
		}
		return real, string(number(nil, v))
	case time.Time:
		return instant, v.UTC().Format("2006-01-02T15:04:05.999999Z07:00")
	case string:
		return words, v
	}
	return 0, nil
}

// sql is the type that holds every value of a column; text where no other one does.
func (k kind) sql() string {
	switch k {
	case truth:
		return "BOOLEAN"
	case whole, large, whole | large:
		return "BIGINT"
	case real, real | whole:
		return "DOUBLE"
	case instant:
		return "TIMESTAMPTZ"
	}
	return "VARCHAR"
}

func (w *parquet) Finish(ctx context.Context) (Done, error) {
	if w.rows == nil {
		return Done{}, ErrNoColumns
	}
	rows := w.rows
	w.rows = nil
	if err := rows.Close(); err != nil {
		return Done{}, err
	}
	parts := make([]string, len(w.columns))
	for i, name := range w.columns {
		parts[i] = fmt.Sprintf("CAST(%s AS %s) AS %s", column(i), w.kinds[i].sql(), tables.Name(name))
	}
	return Done{}, w.db.Do(ctx, "COPY (SELECT "+strings.Join(parts, ", ")+" FROM "+staged+") TO "+tables.Text(w.path)+
		" (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)")
}

func (w *parquet) Close() error {
	var err error
	if w.rows != nil {
		err = w.rows.Close()
	}
	return errors.Join(err, w.db.Close(), os.RemoveAll(w.scratch))
}

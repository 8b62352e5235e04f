// Package tables answers questions about tables that lie in files – Parquet, CSV, JSON
// lines – and writes such files, through DuckDB: in bounded memory, and reaching no
// file but those that it is given. Parquet files are also looked at without DuckDB: their
// footers and the checksums of their pages.
package tables

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"os"
	"strings"

	_ "github.com/duckdb/duckdb-go/v2" // the driver "duckdb"
)

// Limits bound what a database takes.
type Limits struct {
	Memory  int64  // bytes that DuckDB aims to stay under; 0 = 256 MiB
	Threads int    // 0 = one per core
	Scratch string // directory where it puts what is larger; "" = larger work fails
	Ordered bool   // rows stay in the order in which they were put in; costs memory
}

const usualMemory = 256 << 20

// DB is a database in memory. Its methods may be called side by side.
type DB struct{ db *sql.DB }

// Open makes an empty database that can reach the files given and those below the
// directories given, and nothing else: no other file, no network, no extension. That
// cannot be changed afterwards, by no statement.
func Open(ctx context.Context, l Limits, files, dirs []string) (*DB, error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return nil, fmt.Errorf("start DuckDB: %w", err)
	}
	for _, setting := range confine(l, files, dirs) {
		if _, err := db.ExecContext(ctx, setting); err != nil {
			return nil, errors.Join(fmt.Errorf("set up DuckDB: %w", err), db.Close())
		}
	}
	return &DB{db}, nil
}

// confine lists settings in the order that they need: the last two cannot be undone.
func confine(l Limits, files, dirs []string) []string {
	memory := l.Memory
	if memory == 0 {
		memory = usualMemory
	}
	settings := []string{
		fmt.Sprintf("SET memory_limit = '%dB'", memory),
		"SET temp_directory = " + Text(l.Scratch),
		"SET autoinstall_known_extensions = false",
		"SET autoload_known_extensions = false",
		"SET allow_community_extensions = false",
		fmt.Sprintf("SET preserve_insertion_order = %t", l.Ordered), // else orders that matter are asked for
		"SET TimeZone = 'UTC'",
		"SET allowed_paths = " + List(files),
		"SET allowed_directories = " + List(dirs),
		"SET enable_external_access = false",
		"SET lock_configuration = true",
	}
	if l.Threads > 0 {
		settings = append([]string{fmt.Sprintf("SET threads = %d", l.Threads)}, settings...)
	}
	return settings
}

// Close ends the database and removes what it spilled.
func (d *DB) Close() error { return d.db.Close() }

// Do runs one statement of our own.
func (d *DB) Do(ctx context.Context, statement string, args ...any) error {
	_, err := d.db.ExecContext(ctx, statement, args...)
	return err
}

// Row is one row of an answer; its values are nil, bool, int64, float64, string or
// time.Time.
type Row struct {
	Columns []string // shared by all rows of an answer
	Values  []any
}

// Rows answers one statement of our own, row by row.
func (d *DB) Rows(ctx context.Context, statement string, args ...any) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		if _, err := ask(ctx, d.db, yield, statement, args...); err != nil {
			yield(Row{}, err)
		}
	}
}

type querier interface {
	QueryContext(ctx context.Context, statement string, args ...any) (*sql.Rows, error)
}

// ask yields the rows of an answer and reports whether more of them are wanted.
func ask(ctx context.Context, on querier, yield func(Row, error) bool, statement string, args ...any) (wanted bool, err error) {
	rows, err := on.QueryContext(ctx, statement, args...)
	if err != nil {
		return false, err
	}
	return each(rows, yield)
}

func each(rows *sql.Rows, yield func(Row, error) bool) (wanted bool, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return false, err
	}
	values, places := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		places[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return false, err
		}
		plain := make([]any, len(values))
		for i, v := range values {
			plain[i] = plainOf(v)
		}
		if !yield(Row{columns, plain}, nil) {
			return false, nil
		}
	}
	return true, rows.Err()
}

// One is the first row of an answer.
func (d *DB) One(ctx context.Context, statement string, args ...any) (Row, error) {
	for row, err := range d.Rows(ctx, statement, args...) {
		return row, err
	}
	return Row{}, fmt.Errorf("no row: %w", os.ErrNotExist)
}

// ErrNotSelect says that a statement is more or other than one SELECT.
var ErrNotSelect = errors.New("not one SELECT")

// OneSelect reports whether a statement is exactly one SELECT, without running it.
func OneSelect(ctx context.Context, statement string) error {
	db, err := Open(ctx, Limits{Threads: 1}, nil, nil)
	if err != nil {
		return err
	}
	err = db.judge(ctx, statement)
	return errors.Join(err, db.Close())
}

func (d *DB) judge(ctx context.Context, statement string) error {
	var wrong bool
	var why sql.NullString
	var statements int
	const ask = `SELECT (j->>'error')::bool, j->>'error_message', coalesce(json_array_length(j->'statements'), 0)
		FROM (SELECT json_serialize_sql(?::varchar)::json AS j)`
	if err := d.db.QueryRowContext(ctx, ask, statement).Scan(&wrong, &why, &statements); err != nil {
		return err
	}
	switch {
	case wrong && strings.HasPrefix(why.String, "Only SELECT"), !wrong && statements != 1:
		return ErrNotSelect
	case wrong:
		return errors.New(why.String)
	}
	return nil
}

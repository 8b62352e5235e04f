package corpus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"upkeep/internal/tables"
)

// Tables is a store of benchmark results: one main file without doubles and increments
// of which a part replaces rows of it. The same values give the same rows.
type Tables struct {
	Rows          int // of the main file
	Increments    int // files
	IncrementRows int // of each
}

// ReplacingPercent is the part of the increments' rows whose keys the main file has. No
// key comes in two increments.
const ReplacingPercent = 30

// Places in a store.
const (
	MainFile       = "results.parquet"
	IncrementFiles = "incremental"
)

// TableColumn is one of the 20 columns. Type is as a declaration calls it.
type TableColumn struct{ Name, Type, from string }

// TableKey tells rows apart.
func TableKey() []string {
	return []string{"model", "prompt_type", "tool_success_rate", "difficulty", "task_type", "test"}
}

// Both are primes: times one of them, modulo the number of rows, every row comes once.
const (
	shuffling = 48_271 // the order of the main file
	picking   = 7_919  // what increments replace
)

// TableColumns lists them. i numbers a key, v says which writing of it this is.
func TableColumns() []TableColumn {
	return []TableColumn{
		{"model", "text", "'model-' || (i % 40)"},
		{"prompt_type", "text", "['baseline', 'cot', 'optimal', 'flawed_sequence', 'flawed_order', 'flawed_missing', 'flawed_redundant', 'flawed_logic', 'flawed_semantic', 'flawed_tool', 'flawed_parameter', 'few_shot'][1 + i // 40 % 12]"},
		{"tool_success_rate", "number", "(1 + i // 480 % 5) / 5"},
		{"difficulty", "text", "['very_easy', 'easy', 'medium', 'hard'][1 + i // 2400 % 4]"},
		{"task_type", "text", "['simple_task', 'basic_task', 'data_pipeline', 'api_integration', 'multi_stage_pipeline'][1 + i // 9600 % 5]"},
		{"test", "integer", "i // 48000"},
		{"total", "integer", "20::BIGINT"},
		{"successful", "integer", "(h % 15)::BIGINT"},
		{"partial", "integer", "(h // 16 % 5)::BIGINT"},
		{"failed", "integer", "20 - (h % 15)::BIGINT - (h // 16 % 5)::BIGINT"},
		{"success_rate", "number", "(h % 15) / 20"},
		{"weighted_score", "number", "(h % 15 + (h // 16 % 5) / 2) / 20"},
		{"avg_execution_time", "number", "(h // 7 % 90000) / 1000"},
		{"avg_turns", "number", "(h // 11 % 300) / 10"},
		{"avg_tool_calls", "number", "(h // 13 % 200) / 10"},
		{"avg_quality_score", "number", "(h // 17 % 10000) / 10000"},
		{"timestamp", "text", "strftime(make_timestamp(1750000000000000 + (h % 8000000000000)::BIGINT), '%Y-%m-%dT%H:%M:%S.%f')"},
		{"source", "text", "['batch', 'json_conversion', 'retry'][1 + (h % 3)::BIGINT]"},
		{"success", "boolean", "h % 15 > 7"},
		{"partial_success", "boolean", "h // 16 % 5 > 2"},
	}
}

// kiln bounds what DuckDB takes while it makes the files.
const kiln = 1 << 30

// Write makes the store below dir, which must be empty or missing.
func (t Tables) Write(ctx context.Context, dir string) error {
	if t.Increments*t.IncrementRows > t.Rows || t.Rows%shuffling == 0 || t.Rows%picking == 0 {
		return fmt.Errorf("increments of %d rows need a main file of as many, of a number that is no multiple of %d or %d", t.Increments*t.IncrementRows, shuffling, picking)
	}
	if err := os.MkdirAll(filepath.Join(dir, IncrementFiles), 0o755); err != nil {
		return fmt.Errorf("make room for tables: %w", err)
	}
	return withTables(ctx, dir, func(db *tables.DB) error {
		keys := fmt.Sprintf("SELECT n * %d %% %d AS i, 0 AS v FROM range(%[2]d) t(n)", shuffling, t.Rows)
		if err := writeRows(ctx, db, keys, filepath.Join(dir, MainFile)); err != nil {
			return err
		}
		for n := range t.Increments {
			keys := fmt.Sprintf("SELECT if(n %% 100 < %d, n * %d %% %d, %[3]d + n) AS i, 1 AS v FROM range(%d, %d) t(n)", ReplacingPercent, picking, t.Rows, n*t.IncrementRows, (n+1)*t.IncrementRows)
			if err := writeRows(ctx, db, keys, filepath.Join(dir, IncrementFiles, fmt.Sprintf("increment_%05d.parquet", n))); err != nil {
				return err
			}
		}
		return nil
	})
}

func writeRows(ctx context.Context, db *tables.DB, keys, path string) error {
	parts := make([]string, 0, len(TableColumns()))
	for _, c := range TableColumns() {
		parts = append(parts, c.from+" AS "+tables.Name(c.Name))
	}
	statement := "COPY (SELECT " + strings.Join(parts, ", ") + " FROM (SELECT *, hash(i, v) AS h FROM (" + keys + "))) TO " + tables.Text(path) + " (FORMAT parquet, COMPRESSION snappy)"
	if err := db.Do(ctx, statement); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// Merged is count and content of what a merge must give, whatever the order of its rows.
// It is asked of the files in another way than a merge would take.
func (t Tables) Merged(ctx context.Context, dir string) (digest string, err error) {
	main := tables.From(tables.Parquet, filepath.Join(dir, MainFile))
	increments := "read_parquet(" + tables.Text(filepath.Join(dir, IncrementFiles, "*.parquet")) + ")"
	key := strings.Join(TableKey(), ", ")
	from := fmt.Sprintf("SELECT * FROM %[1]s WHERE (%[3]s) NOT IN (SELECT (%[3]s) FROM %[2]s) UNION ALL BY NAME SELECT * FROM %[2]s", main, increments, key)
	return digestOf(ctx, dir, "("+from+")")
}

// TableDigest is count and content of one file.
func TableDigest(ctx context.Context, path string) (string, error) {
	return digestOf(ctx, filepath.Dir(path), tables.From(tables.Parquet, path))
}

func digestOf(ctx context.Context, dir, from string) (digest string, err error) {
	var parts []string
	for _, c := range TableColumns() {
		kind := map[string]string{"text": "VARCHAR", "number": "DOUBLE", "integer": "BIGINT", "boolean": "BOOLEAN"}[c.Type]
		parts = append(parts, tables.Name(c.Name)+"::"+kind)
	}
	err = withTables(ctx, dir, func(db *tables.DB) error {
		row, err := db.One(ctx, "SELECT count(*), sum(hash("+strings.Join(parts, ", ")+")) FROM "+from)
		if err == nil {
			digest = fmt.Sprintf("%v rows %v", row.Values...)
		}
		return err
	})
	return digest, err
}

func withTables(ctx context.Context, dir string, do func(*tables.DB) error) (err error) {
	scratch, err := os.MkdirTemp("", "upkeep-bench-tables-")
	if err != nil {
		return fmt.Errorf("make room for tables: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	db, err := tables.Open(ctx, tables.Limits{Memory: kiln, Scratch: scratch}, nil, []string{dir, scratch})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return do(db)
}

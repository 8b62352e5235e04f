package results

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"time"

	"upkeep/internal/tables"
)

const mainFile = "test_results.parquet"

// kiln bounds what DuckDB takes while it makes or breaks a file.
const kiln = 512 << 20

// parquet makes the main file, what lies beside it, and the increments.
func (m *maker) parquet(ctx context.Context) error {
	if m.Parquet == "none" {
		return nil
	}
	err := withTables(ctx, m.dir, func(db *tables.DB, scratch string) error {
		w := fileWriter{m.Shape, db, scratch}
		rows, err := w.write(ctx, m.mainFeed(), m.path(parquetDir, mainFile))
		if err != nil {
			return err
		}
		m.truth.ParquetRows = rows
		if err := m.increments(ctx, w); err != nil {
			return err
		}
		return modelStats(ctx, db, m.path(parquetDir, mainFile), m.path(parquetDir, "model_stats.parquet"))
	})
	return errors.Join(err, m.beside())
}

// withTables opens DuckDB for the files under dir; one thread, so that the same rows come
// in the same order.
func withTables(ctx context.Context, dir string, do func(db *tables.DB, scratch string) error) (err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "upkeep-results-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	db, err := tables.Open(ctx, tables.Limits{Memory: kiln, Threads: 1, Scratch: scratch}, nil, []string{dir, scratch})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return do(db, scratch)
}

// fileWriter writes Parquet files of one generation.
type fileWriter struct {
	Shape
	db      *tables.DB
	scratch string
}

// write makes a file of a feed and returns how many rows it has by the feed.
func (w fileWriter) write(ctx context.Context, feed iter.Seq[fed], path string) (rows int64, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return 0, err
	}
	lines := filepath.Join(w.scratch, "feed.jsonl")
	rows, err = writeLines(lines, feed)
	if err != nil {
		return 0, err
	}
	from := "read_json(" + tables.Text(lines) + ", format = 'newline_delimited', columns = {" + feedColumns(w.Parquet) + "})"
	if w.Parquet == "A" {
		from = "(SELECT *, unnest(range(first, first + tests)) AS n FROM " + from + ")"
	}
	statement := "COPY (SELECT " + selection(generations[w.Parquet](w.Shape)) + " FROM " + from + ") TO " + tables.Text(path) + " (FORMAT parquet, COMPRESSION snappy)"
	if err := w.db.Do(ctx, statement); err != nil {
		return 0, fmt.Errorf("write %s: %w", path, err)
	}
	return rows, os.Remove(lines)
}

// fed is one line of a feed: a leaf, or a chunk of tests of it, and how many rows it gives.
type fed interface{ rows() int64 }

func writeLines(path string, feed iter.Seq[fed]) (rows int64, err error) {
	file, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	buffered := bufio.NewWriterSize(file, 1<<20)
	lines := json.NewEncoder(buffered)
	for one := range feed {
		if err := lines.Encode(one); err != nil {
			return 0, err
		}
		rows += one.rows()
	}
	return rows, buffered.Flush()
}

func feedColumns(generation string) string {
	const common = "model: 'VARCHAR', prompt_type: 'VARCHAR', rate: 'VARCHAR', difficulty: 'VARCHAR', task_type: 'VARCHAR', total: 'BIGINT', " +
		"whole: 'BIGINT', partial: 'BIGINT', seconds: 'DOUBLE', turns: 'DOUBLE', calls: 'DOUBLE', score: 'DOUBLE', "
	if generation == "A" {
		return common + "label: 'VARCHAR', first: 'BIGINT', tests: 'BIGINT', done_at: 'BIGINT', step: 'BIGINT'"
	}
	return common + "errors: 'BIGINT[]', assisted: 'BIGINT', assisted_well: 'BIGINT', helped_turns: 'BIGINT', coverage: 'DOUBLE', done_at: 'VARCHAR'"
}

// modelStats is a table whose columns are named as Python prints pairs.
func modelStats(ctx context.Context, db *tables.DB, main, path string) error {
	main, err := filepath.Abs(main)
	if err != nil {
		return err
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	return db.Do(ctx, `COPY (SELECT model, count(*) AS "('success', 'count')", avg(success_rate) AS "('success', 'mean')", avg(avg_execution_time) AS "('execution_time', 'mean')"
		FROM read_parquet(`+tables.Text(main)+`) GROUP BY model ORDER BY model) TO `+tables.Text(path)+` (FORMAT parquet, COMPRESSION snappy)`)
}

// beside puts what lies around a main file: a description that no longer fits, and a lock
// file that means nothing.
func (m *maker) beside() error {
	description, err := json.MarshalIndent(map[string]any{
		"conversion_time": m.created(), "source_file": "master_database.json", "total_records": 4928, "models": len(m.truth.ByModel),
		"prompt_types": prompts(), "difficulties": levels, "task_types": tasks,
		"data_schema": map[string]string{"test_id": "string", "success": "bool", "tool_success_rate": "float32", "timestamp": "string"},
	}, "", "  ")
	if err != nil {
		return err
	}
	at := m.Now.Add(-10 * 24 * time.Hour)
	return errors.Join(
		m.put(description, at, parquetDir, "metadata.json"),
		m.put(nil, m.Now, parquetDir, mainFile+".lock"),
		os.Chtimes(m.path(parquetDir, mainFile), m.Now, m.Now))
}

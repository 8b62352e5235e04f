// Package results makes stores of benchmark results for tests, demo and benchmarks, breaks
// them on purpose and starts programs that write into them. The stores look like those
// that a benchmark of language models keeps: a JSON database in several versions, a Parquet
// file in several generations, increments, results not yet taken in, logs and settings. They
// hold nothing of a real one. The same Shape gives the same store.
package results

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Shape says which store to make. Zero values mean the usual: JSON "3.0", Parquet "C", 5
// models, no increments.
type Shape struct {
	Seed          uint64
	JSON          string // "pre-1", "1.0", "2.0", "3.0", or "none"
	Parquet       string // "A" per-test rows, "B" 18 columns, "C" 51 columns, "C+import", or "none"
	Models        int    // 80 keys each
	Rows          int    // of the Parquet file of generation A, at most MaxRows; 0 = 5,000. Else the keys give the rows
	Increments    int
	IncrementRows int  // of each increment; 0 = 100
	Temp          int  // files of 3 results each, not yet taken in
	Logs          int  // log files, of the five forms in turn
	Backups       bool // of the JSON database, under all names that were seen; and of a Parquet file of keys

	Now time.Time // of the newest result; zero = 2025-09-01 11:55
}

// MaxRows bounds generation A: two minutes of work.
const MaxRows = 50_000_000

// SharedPercent is the part of the rows of increments whose keys the main file has.
const SharedPercent = 30

// Truth is what the store holds, computed while it is made, not read back. Success includes
// partial success, as in the JSON database, so that Tests = Success + Failure: in Parquet
// files success is full success alone.
type Truth struct {
	Tests, Success, Partial, Failure int64
	ByModel                          map[string]int64 // tests
	ParquetRows                      int64            // of the main file
	IncrementRows, IncrementNewKeys  int64            // of all increments; generation A: keys are test_ids
}

// Places in a store. The oldest version of the database has another name.
const (
	jsonDir    = "pilot_bench_cumulative_results"
	parquetDir = "pilot_bench_parquet_data"
	tempDir    = "temp_results"
	logDir     = "logs"
	configDir  = "config"
)

// Make makes a store under dir, which must not hold one.
func Make(ctx context.Context, dir string, s Shape) (Truth, error) {
	s = s.usually()
	if err := s.validate(); err != nil {
		return Truth{}, err
	}
	for _, sub := range []string{jsonDir, filepath.Join(parquetDir, "incremental"), tempDir, logDir, configDir} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return Truth{}, fmt.Errorf("make the directories of a store: %w", err)
		}
	}
	if left, err := os.ReadDir(filepath.Join(dir, jsonDir)); err != nil || len(left) > 0 {
		return Truth{}, errors.Join(err, fmt.Errorf("there is a store in %s already", dir))
	}
	return build(ctx, dir, s)
}

func build(ctx context.Context, dir string, s Shape) (Truth, error) {
	m := &maker{Shape: s, dir: dir, leaves: leaves(s, s.tests())}
	m.truth = truthOf(m.leaves)
	for _, step := range []func(context.Context) error{m.json, m.parquet, m.backups, m.temp, m.logs, m.config} {
		if err := step(ctx); err != nil {
			return Truth{}, fmt.Errorf("make a store: %w", err)
		}
	}
	return m.truth, nil
}

// maker makes one store.
type maker struct {
	Shape
	dir    string
	leaves []leaf
	truth  Truth
}

func (m *maker) path(parts ...string) string {
	return filepath.Join(append([]string{m.dir}, parts...)...)
}

// put writes a file that says it was written at some time.
func (m *maker) put(content []byte, at time.Time, parts ...string) error {
	path := m.path(parts...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return err
	}
	return os.Chtimes(path, at, at)
}

func (s Shape) usually() Shape {
	s.JSON, s.Parquet = cmp.Or(s.JSON, "3.0"), cmp.Or(s.Parquet, "C")
	s.Models, s.Rows, s.IncrementRows = cmp.Or(s.Models, 5), cmp.Or(s.Rows, 5000), cmp.Or(s.IncrementRows, 100)
	if s.Now.IsZero() {
		s.Now = time.Date(2025, 9, 1, 11, 55, 0, 0, time.UTC)
	}
	return s
}

// tests is how many the leaves must have together; 0 = any number.
func (s Shape) tests() int {
	if s.Parquet == "A" {
		return s.Rows
	}
	return 0
}

// validate refuses what would fill the memory: the oldest JSON names every test.
func (s Shape) validate() error {
	_, knownJSON := documents[s.JSON]
	_, knownParquet := generations[s.Parquet]
	switch {
	case !knownJSON:
		return fmt.Errorf(`version %q of the JSON database is none of "pre-1", "1.0", "2.0", "3.0", "none"`, s.JSON)
	case !knownParquet:
		return fmt.Errorf(`generation %q of the Parquet file is none of "A", "B", "C", "C+import", "none"`, s.Parquet)
	case s.Rows < 0 || s.Rows > MaxRows:
		return fmt.Errorf("%d rows are not between 0 and %d", s.Rows, MaxRows)
	case s.JSON == "pre-1" && s.tests() > 100_000:
		return fmt.Errorf("version pre-1 of the JSON database names each of %d tests; at most 100000 are made", s.Rows)
	case s.Models < 0 || s.Increments < 0 || s.IncrementRows < 0 || s.Temp < 0 || s.Logs < 0:
		return errors.New("a number of the shape is below zero")
	}
	return nil
}

func truthOf(all []leaf) Truth {
	t := Truth{ByModel: map[string]int64{}}
	for _, l := range all {
		t.Tests += l.Total
		t.Success += l.Full + l.Partial
		t.Partial += l.Partial
		t.Failure += l.failed()
		t.ByModel[l.Model] += l.Total
	}
	return t
}

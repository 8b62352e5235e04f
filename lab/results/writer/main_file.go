package writer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"

	"upkeep/lab/results/master"
	"upkeep/lab/results/record"
)

// addToMain adds a batch to the row of its key: under the lock, whole, with a copy of what
// was before that stays, and in place. Rates become those of the batch alone.
func (w *writer) addToMain(ctx context.Context, k master.Key, results []record.Result) error {
	path := filepath.Join(w.Dir, "pilot_bench_parquet_data", "test_results.parquet")
	return locked(ctx, path+".lock", false, func() error {
		t, err := readTable(path)
		if err != nil {
			return err
		}
		if err := t.add(k, results); err != nil {
			return err
		}
		before, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		backup := "test_results_backup_" + time.Now().Format("20060102_150405") + ".parquet"
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), backup), before, 0o644); err != nil {
			return err
		}
		return t.write(path)
	})
}

// table is a file of keys in memory.
type table struct {
	schema *parquet.Schema
	rows   []parquet.Row
}

func readTable(path string) (t table, err error) {
	in, err := os.Open(path)
	if err != nil {
		return t, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return t, err
	}
	file, err := parquet.OpenFile(in, info.Size())
	if err != nil {
		return t, err
	}
	t.schema = file.Schema()
	for _, group := range file.RowGroups() {
		if err := t.read(group); err != nil {
			return t, err
		}
	}
	return t, nil
}

func (t *table) read(group parquet.RowGroup) (err error) {
	rows := group.Rows()
	defer func() { err = errors.Join(err, rows.Close()) }()
	buffer := make([]parquet.Row, 100)
	for {
		n, err := rows.ReadRows(buffer)
		for _, row := range buffer[:n] {
			t.rows = append(t.rows, row.Clone())
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (t *table) write(path string) (err error) {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w := parquet.NewGenericWriter[any](out, t.schema, parquet.Compression(&parquet.Snappy))
	if _, err := w.WriteRows(t.rows); err != nil {
		return err
	}
	return w.Close()
}

func (t *table) column(name string) (int, error) {
	leaf, found := t.schema.Lookup(name)
	if !found {
		return 0, fmt.Errorf("the main file has no column %s", name)
	}
	return leaf.ColumnIndex, nil
}

// add counts results under a key; all of generation C's counts that follow from them change.
func (t *table) add(k master.Key, results []record.Result) error {
	row, err := t.row(k)
	if err != nil {
		return err
	}
	counts := map[string]int64{"total": int64(len(results))}
	for _, r := range results {
		switch r.SuccessLevel {
		case "full_success":
			counts["full"]++
		case "partial_success":
			counts["half"]++
		default:
			counts["failed"]++
		}
	}
	for name, of := range map[string]string{"total": "total", "success": "full", "successful": "full", "full_success": "full",
		"partial": "half", "partial_success": "half", "failed": "failed"} {
		if err := t.count(row, name, counts[of]); err != nil {
			return err
		}
	}
	rate, err := t.column("success_rate")
	if err != nil {
		return err
	}
	row[rate] = parquet.DoubleValue(float64(counts["full"])/float64(len(results))).Level(0, 1, rate)
	return nil
}

func (t *table) count(row parquet.Row, name string, by int64) error {
	c, err := t.column(name)
	if err != nil {
		return err
	}
	row[c] = parquet.Int64Value(row[c].Int64()+by).Level(0, 1, c)
	return nil
}

// row finds the row of a key, or adds one with nothing but the key.
func (t *table) row(k master.Key) (parquet.Row, error) {
	rate, err := strconv.ParseFloat(k.Rate, 64)
	if err != nil {
		return nil, err
	}
	key := map[int]parquet.Value{}
	for name, v := range map[string]parquet.Value{"model": parquet.ValueOf(k.Model), "prompt_type": parquet.ValueOf(k.Prompt),
		"tool_success_rate": parquet.ValueOf(rate), "difficulty": parquet.ValueOf(k.Difficulty), "task_type": parquet.ValueOf(k.Task)} {
		c, err := t.column(name)
		if err != nil {
			return nil, err
		}
		key[c] = v.Level(0, 1, c)
	}
	for _, row := range t.rows {
		if holds(row, key) {
			return row, nil
		}
	}
	return t.begin(key), nil
}

func holds(row parquet.Row, key map[int]parquet.Value) bool {
	for c, v := range key {
		if !parquet.Equal(row[c], v) {
			return false
		}
	}
	return true
}

func (t *table) begin(key map[int]parquet.Value) parquet.Row {
	row := make(parquet.Row, len(t.schema.Columns()))
	for c := range row {
		row[c] = parquet.NullValue().Level(0, 0, c)
		if v, has := key[c]; has {
			row[c] = v
		}
	}
	t.rows = append(t.rows, row)
	return row
}

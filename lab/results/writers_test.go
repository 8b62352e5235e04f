package results_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"upkeep/internal/tables"
	"upkeep/lab/results"
	"upkeep/lab/results/master"
	"upkeep/lab/results/record"
)

func TestWritersSayWhatTheyWrote(t *testing.T) {
	dir, truth := made(t, results.Shape{})
	w := ran(t, dir, 150, "-pause=10ms")
	asWritten(t, dir, w)
	d, err := master.Load(filepath.Join(dir, database))
	if err != nil || d.Summary.TotalTests <= truth.Tests {
		t.Errorf("the database did not grow: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "pilot_bench_cumulative_results/master_database.lock")); err == nil {
		t.Error("the lock of the database is still there")
	}
}

// Each writer adds its counts to the main file under its lock: none are lost.
func TestWritersShareTheMainFile(t *testing.T) {
	dir, truth := made(t, results.Shape{Models: 2})
	w := ran(t, dir, 60, "-keys", "-atomic", "-json=false", "-pause=1ms")
	asWritten(t, dir, w)
	all := truth.Tests + int64(len(w.Written())+len(w.Left()))
	got := whole(asked(t, dir, "SELECT sum(total)::bigint, sum(success + partial + failed)::bigint, sum(full_success)::bigint - sum(successful)::bigint FROM MAIN"))
	same(t, "tests in the main file", got, all, all, 0)
}

// ran are three writers that have written so many results and ended.
func ran(t *testing.T, dir string, enough int, flags ...string) *results.Writers {
	t.Helper()
	w := results.StartWriters(t, dir, 3, flags...)
	for len(w.Written()) < enough {
		time.Sleep(10 * time.Millisecond)
	}
	w.Stop()
	return w
}

func asWritten(t *testing.T, dir string, w *results.Writers) {
	t.Helper()
	if got := inIncrements(t, dir); !maps.Equal(got, w.Written()) {
		t.Errorf("%d test_ids in increments, %d written", len(got), len(w.Written()))
	}
	if got := inTemp(t, dir); !maps.Equal(got, w.Left()) || len(got) == 0 {
		t.Errorf("%d test_ids in temp_results, %d left there", len(got), len(w.Left()))
	}
}

func inIncrements(t *testing.T, dir string) map[string]int {
	t.Helper()
	db, err := tables.Open(t.Context(), tables.Limits{}, nil, []string{dir})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	all := map[string]int{}
	for row, err := range db.Rows(t.Context(), "SELECT test_id FROM read_parquet("+tables.Text(filepath.Join(dir, increments))+")") {
		if err != nil {
			t.Fatal(err)
		}
		id, _ := row.Values[0].(string)
		all[id]++
	}
	return all
}

func inTemp(t *testing.T, dir string) map[string]int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "temp_results/*.json"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var b record.Batch
		if err := json.Unmarshal(text, &b); err != nil {
			t.Fatal(err)
		}
		for _, r := range b.Results {
			all[r.TaskID]++
		}
	}
	return all
}

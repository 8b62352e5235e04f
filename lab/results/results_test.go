package results_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upkeep/internal/tables"
	"upkeep/internal/tables/document"
	"upkeep/internal/tables/footer"
	"upkeep/lab/results"
	"upkeep/lab/results/master"
)

const (
	database   = "pilot_bench_cumulative_results/master_database.json"
	mainFile   = "pilot_bench_parquet_data/test_results.parquet"
	increments = "pilot_bench_parquet_data/incremental/*.parquet"
)

func made(t *testing.T, s results.Shape) (dir string, truth results.Truth) {
	t.Helper()
	dir = t.TempDir()
	truth, err := results.Make(t.Context(), dir, s)
	if err != nil {
		t.Fatal(err)
	}
	return dir, truth
}

// asked answers a query about a store; MAIN and INCREMENTS are its files.
func asked(t *testing.T, dir, query string) []any {
	t.Helper()
	db, err := tables.Open(t.Context(), tables.Limits{}, nil, []string{dir})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	files := strings.NewReplacer("MAIN", "read_parquet("+tables.Text(filepath.Join(dir, mainFile))+")",
		"INCREMENTS", "read_parquet("+tables.Text(filepath.Join(dir, increments))+", filename = true)")
	row, err := db.One(t.Context(), files.Replace(query))
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return row.Values
}

// sums of counts in a document, by a pattern and the names of the fields.
func sums(t *testing.T, path, pattern string, fields ...string) []int64 {
	t.Helper()
	p, err := document.ParsePattern(pattern)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	all := make([]int64, len(fields))
	if err := document.Read(file, []document.Pattern{p}, func(r document.Row) error {
		for i, name := range fields {
			n, _ := r.Fields[name].(int64)
			all[i] += n
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func same(t *testing.T, what string, got []int64, want ...int64) {
	t.Helper()
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s: got %v, want %v", what, got, want)
			return
		}
	}
}

func whole(values []any) (all []int64) {
	for _, v := range values {
		n, _ := v.(int64)
		all = append(all, n)
	}
	return all
}

const leafPattern = "models/{m}/by_prompt_type/{p}/by_tool_success_rate/{r}/by_difficulty/{d}/by_task_type/{t}"

func TestEveryVersionOfTheDatabaseHoldsTheTruth(t *testing.T) {
	for version, patterns := range map[string]map[string][]string{
		"1.0": {"test_groups/{g}/statistics": {"total", "success", "partial_success", "failure"}},
		"2.0": {"models/{m}": {"total_tests", "total_success", "total_partial", "total_failure"}, "test_groups/{g}/statistics": {"total", "success", "partial_success", "failure"}},
		"3.0": {leafPattern: {"total", "success", "partial", "failed"}, "models/{m}/by_prompt_type/{p}/summary": {"total", "success", "partial", "failed"}},
	} {
		dir, truth := made(t, results.Shape{JSON: version, Parquet: "none"})
		patterns["summary"] = []string{"total_tests", "total_success", "total_partial", "total_failure"}
		for pattern, fields := range patterns {
			got := sums(t, filepath.Join(dir, database), pattern, fields...)
			same(t, version+" "+pattern, got, truth.Tests, truth.Success, truth.Partial, truth.Failure)
		}
		if truth.Tests != truth.Success+truth.Failure || truth.Partial == 0 || len(truth.ByModel) != 5 {
			t.Errorf("the truth is %+v", truth)
		}
	}
}

func TestTheOldestDatabaseNamesEveryTest(t *testing.T) {
	dir, truth := made(t, results.Shape{JSON: "pre-1", Parquet: "none"})
	text, err := os.ReadFile(filepath.Join(dir, "pilot_bench_cumulative_results/results_database.json"))
	if err != nil {
		t.Fatal(err)
	}
	if n := int64(bytes.Count(text, []byte(`"tool_success_rate":`))); n != truth.Tests {
		t.Errorf("it names %d tests of %d", n, truth.Tests)
	}
}

func TestEveryGenerationHoldsTheTruth(t *testing.T) {
	const byKey = "SELECT count(*), sum(total)::bigint, sum(%)::bigint, sum(partial)::bigint, sum(failed)::bigint FROM MAIN"
	for generation, c := range map[string]struct {
		columns int
		query   string
	}{
		"A":        {22, "SELECT count(*), count(DISTINCT test_id), count_if(success), count_if(partial_success), count_if(NOT success AND NOT partial_success) FROM MAIN"},
		"B":        {18, strings.ReplaceAll(byKey, "%", "successful")},
		"C":        {51, strings.ReplaceAll(byKey, "%", "full_success")},
		"C+import": {53, strings.ReplaceAll(byKey, "%", "success")},
	} {
		dir, truth := made(t, results.Shape{Parquet: generation})
		got := whole(asked(t, dir, c.query))
		same(t, generation, got, truth.ParquetRows, truth.Tests, truth.Success-truth.Partial, truth.Partial, truth.Failure)
		f, err := footer.Read(filepath.Join(dir, mainFile))
		if err != nil || len(f.Columns) != c.columns || f.Rows != truth.ParquetRows {
			t.Errorf("%s: %d columns, %d rows, %v", generation, len(f.Columns), f.Rows, err)
		}
		inJSON := sums(t, filepath.Join(dir, database), leafPattern, "total", "success")
		same(t, "JSON beside "+generation, inJSON, truth.Tests, truth.Success)
	}
}

// One key after the other: success of the JSON database is full and partial success.
func TestKeysAgree(t *testing.T) {
	for _, generation := range []string{"A", "B", "C"} {
		dir, _ := made(t, results.Shape{Seed: 2, Parquet: generation, Rows: 3000})
		d, err := master.Load(filepath.Join(dir, database))
		if err != nil {
			t.Fatal(err)
		}
		db, err := tables.Open(t.Context(), tables.Limits{}, nil, []string{dir})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		success, seen := map[string]string{"A": "successful", "B": "successful", "C": "success"}[generation], 0
		for row, err := range db.Rows(t.Context(), "SELECT model, prompt_type, printf('%.1f', round(tool_success_rate::double, 4)), difficulty, task_type, sum(total)::bigint, "+
			"sum("+success+" + partial)::bigint FROM read_parquet("+tables.Text(filepath.Join(dir, mainFile))+") GROUP BY ALL") {
			if err != nil {
				t.Fatal(err)
			}
			var part [5]string
			for i := range part {
				part[i], _ = row.Values[i].(string)
			}
			l := d.Leaf(master.Key{Model: part[0], Prompt: part[1], Rate: part[2], Difficulty: part[3], Task: part[4]})
			same(t, generation+strings.Join(part[:], "/"), whole(row.Values[5:]), l.Count("total"), l.Count("success"))
			seen++
		}
		for range d.Leaves() {
			seen--
		}
		if seen != 0 {
			t.Errorf("%s has %d keys more than the database", generation, seen)
		}
	}
}

// What always held in the newest real file; and what did not always.
func TestInvariantsOfLeaves(t *testing.T) {
	dir, _ := made(t, results.Shape{Seed: 4, Parquet: "none"})
	d, err := master.Load(filepath.Join(dir, database))
	if err != nil {
		t.Fatal(err)
	}
	var leaves, full, summing int
	for k, l := range d.Leaves() {
		var errs float64
		for _, kind := range master.Errors {
			errs += l[kind+"_errors"]
		}
		if l["success"]+l["failed"] != l["total"] || l["partial"] > l["success"] || l["success_rate"] != l["success"]/l["total"] || errs != l["total_errors"] {
			t.Errorf("%v: %v", k, l)
		}
		leaves++
		if _, has := l["full_success"]; has {
			full++
		}
		if l["total"] == l["success"]+l["partial"]+l["failed"] {
			summing++
		}
	}
	if leaves != 400 || full == 0 || full > leaves/2 || summing > leaves/2 {
		t.Errorf("%d leaves, %d with full_success, %d whose three counts are the total", leaves, full, summing)
	}
}

func TestIncrements(t *testing.T) {
	const key = "model, prompt_type, tool_success_rate, difficulty, task_type"
	for generation, c := range map[string]struct{ key, time string }{
		"A": {"test_id", "timestamp"}, "B": {key, "last_updated"}, "C": {key, "last_updated"},
	} {
		dir, truth := made(t, results.Shape{Parquet: generation, Rows: 1000, Increments: 3, IncrementRows: 700})
		got := whole(asked(t, dir, "SELECT count(*), count(DISTINCT filename) FROM INCREMENTS"))
		same(t, generation, got, truth.IncrementRows, 3)
		fresh := whole(asked(t, dir, "SELECT count(DISTINCT ("+c.key+")) FROM INCREMENTS WHERE ("+c.key+") NOT IN (SELECT ("+c.key+") FROM MAIN)"))
		same(t, generation+" new keys", fresh, truth.IncrementNewKeys)
		if truth.IncrementNewKeys != 3*490 {
			t.Errorf("%s: %d new keys", generation, truth.IncrementNewKeys)
		}
		early := whole(asked(t, dir, "SELECT count(*) FROM INCREMENTS WHERE "+c.time+" <= (SELECT max("+c.time+") FROM MAIN)"))
		same(t, generation+" not later", early, 0)
		equal := whole(asked(t, dir, "SELECT count(*) - count(DISTINCT "+c.time+") FROM INCREMENTS"))
		same(t, generation+" at the same time", equal, 0)
	}
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, dir)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTheSameShapeIsTheSameStore(t *testing.T) {
	for _, generation := range []string{"A", "C+import"} {
		s := results.Shape{Seed: 7, Parquet: generation, Rows: 125_000, Increments: 2, Temp: 5, Logs: 6, Backups: true}
		one, _ := made(t, s)
		two, _ := made(t, s)
		s.Seed++
		three, _ := made(t, s)
		first, second, other := contents(t, one), contents(t, two), contents(t, three)
		if len(first) != len(second) || len(first) < 25 {
			t.Errorf("%d files and %d", len(first), len(second))
		}
		for path, text := range first {
			if second[path] != text {
				t.Errorf("%s differs", path)
			}
		}
		if first["/"+database] == other["/"+database] || first["/"+mainFile] == other["/"+mainFile] {
			t.Error("another seed gives the same store")
		}
	}
}

func TestShapesThatAreNone(t *testing.T) {
	for _, s := range []results.Shape{{JSON: "4.0"}, {Parquet: "D"}, {Rows: results.MaxRows + 1}, {Models: -1}, {JSON: "pre-1", Parquet: "A", Rows: 1_000_000}} {
		if _, err := results.Make(t.Context(), t.TempDir(), s); err == nil {
			t.Errorf("%+v is made", s)
		}
	}
	dir, _ := made(t, results.Shape{Parquet: "none"})
	if _, err := results.Make(t.Context(), dir, results.Shape{}); err == nil {
		t.Error("a store is made over another")
	}
	if _, err := results.Break(dir, "torn-footer"); !errors.Is(err, results.ErrShape) {
		t.Errorf("a file that is not there is broken: %v", err)
	}
	if _, err := results.Break(dir, "no-such"); err == nil || !strings.Contains(err.Error(), "stale-lock") {
		t.Errorf("got %v", err)
	}
}

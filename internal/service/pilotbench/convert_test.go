package pilotbench

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upkeep/internal/service"
	"upkeep/internal/service/dataset"
	"upkeep/internal/tables"
	lab "upkeep/lab/results"
)

// convert does what is due and wants nothing due afterwards.
func convert(t *testing.T, in *dataset.Instance, to string) (facts service.Facts) {
	t.Helper()
	w := service.Work{Care: service.Convert, To: to}
	steps, err := in.Curate(t.Context(), w)
	if err != nil || len(steps) != 1 {
		t.Fatalf("planned %+v, %v", steps, err)
	}
	out, err := in.Do(t.Context(), steps[0], service.Report{})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := in.Curate(t.Context(), w); err != nil || len(again) > 0 {
		t.Errorf("still due: %+v, %v", again, err)
	}
	if ids, v := found(t, in.Check); len(ids) > 0 {
		t.Errorf("found %v: %+v", ids, v.Findings)
	}
	return out.Verdict.Facts
}

func broken(t *testing.T, dir string, faults ...string) {
	t.Helper()
	for _, fault := range faults {
		if _, err := lab.Break(dir, fault); err != nil {
			t.Fatal(err)
		}
	}
}

// Every generation whose rows are keys is made of the database again.
func TestTheParquetFileMadeOfTheDatabase(t *testing.T) {
	for _, generation := range []string{"B", "C", "C+import"} {
		t.Run(generation, func(t *testing.T) {
			dir, in, truth := made(t, lab.Shape{Parquet: generation, Models: 2})
			broken(t, dir, "counts-disagree", "duplicate-rows", "null-keys")
			facts := convert(t, in, "")
			if facts["results_rows_after"] != truth.ParquetRows || facts["results_rows_doubled"] == int64(0) || facts["results_rows_dropped"] == int64(0) {
				t.Errorf("it says %v, of %d rows", facts, truth.ParquetRows)
			}
			if v, err := in.Check(t.Context()); err != nil || v.Facts["results_tests"] != truth.Tests+1 { // which the database has counted since
				t.Errorf("%v tests, not %d: %v", v.Facts["results_tests"], truth.Tests+1, err)
			}
		})
	}
}

// Every generation says what the database lacks, also the one whose rows are tests.
func TestTheDatabaseMadeOfTheParquetFile(t *testing.T) {
	for _, generation := range []string{"A", "B", "C", "C+import"} {
		t.Run(generation, func(t *testing.T) {
			dir, in, truth := made(t, lab.Shape{Parquet: generation, Models: 2, Rows: 3000})
			broken(t, dir, "vanished-model", "summary-zero")
			facts := convert(t, in, "leaves")
			if facts["leaves_rows_new"] != int64(80) || facts["leaves_rows_after"] != int64(160) {
				t.Errorf("it says %v", facts)
			}
			is := summary(t, dir)
			if is.TotalTests != truth.Tests || is.TotalSuccess != truth.Success || is.TotalPartial != truth.Partial || is.TotalFailure != truth.Failure {
				t.Errorf("the summary is %+v, not %+v", is, truth)
			}
		})
	}
}

type sums struct {
	TotalTests   int64 `json:"total_tests"`
	TotalSuccess int64 `json:"total_success"`
	TotalPartial int64 `json:"total_partial"`
	TotalFailure int64 `json:"total_failure"`
}

func summary(t *testing.T, dir string) sums {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, master))
	var document struct {
		Summary sums `json:"summary"`
	}
	if err := errors.Join(err, json.Unmarshal(text, &document)); err != nil {
		t.Fatal(err)
	}
	return document.Summary
}

// A file that is made where none was has all columns of generation C, and what the database
// knows is in each as the writers of that generation put it there.
func TestAParquetFileThatIsMadeAnew(t *testing.T) {
	dir, in, truth := made(t, lab.Shape{Models: 2})
	path, aside := filepath.Join(dir, results), filepath.Join(dir, "aside.parquet")
	if err := os.Rename(path, aside); err != nil {
		t.Fatal(err)
	}
	if facts := convert(t, in, ""); facts["results_rows_new"] != truth.ParquetRows {
		t.Errorf("it says %v", facts)
	}
	db, err := tables.Open(t.Context(), tables.Limits{}, []string{path, aside}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }() // it was only read
	columns := 0
	for row, err := range db.Rows(t.Context(), "DESCRIBE FROM "+tables.From(tables.Parquet, aside)) {
		if err != nil {
			t.Fatal(err)
		}
		columns++
		name, sql := row.Values[0].(string), row.Values[1].(string)
		differs := fmt.Sprintf("a.%[1]s IS DISTINCT FROM b.%[1]s", tables.Name(name))
		if sql == "DOUBLE" {
			differs = fmt.Sprintf("abs(a.%[1]s - b.%[1]s) > 1e-9", tables.Name(name))
		}
		got, err := db.One(t.Context(), fmt.Sprintf("SELECT count(*), count(*) FILTER (WHERE a.%[1]s IS NOT NULL AND %[2]s), any_value(typeof(a.%[1]s)), count(a.%[1]s) FROM %[3]s a JOIN %[4]s b USING (%[5]s)",
			tables.Name(name), differs, tables.From(tables.Parquet, path), tables.From(tables.Parquet, aside), strings.Join(key(), ", ")))
		if err != nil {
			t.Fatal(err)
		}
		if got.Values[0] != truth.ParquetRows || got.Values[1] != int64(0) || got.Values[2] != sql || got.Values[3] == int64(0) && name != "last_updated" {
			t.Errorf("%s %s: %v", name, sql, got.Values)
		}
	}
	if columns != 51 {
		t.Errorf("%d columns", columns)
	}
}

func TestWhatThisStoreDoesNotConvert(t *testing.T) {
	for _, c := range []struct {
		name   string
		shape  lab.Shape
		to     string
		reason string
		change string // of the file
	}{
		{"tests would be invented", lab.Shape{Parquet: "A", Rows: 500, Models: 2}, "", "finer", ""},
		{"version 1 has other keys", lab.Shape{JSON: "1.0", Models: 2}, "", "no-copies", ""},
		{"version 2 has other keys", lab.Shape{JSON: "2.0", Models: 2}, "", "no-copies", ""},
		{"a success that includes partial success", lab.Shape{Parquet: "B", Models: 2}, "", "meaning", "SELECT * REPLACE (successful + partial AS successful) FROM MAIN"},
		{"and back", lab.Shape{Parquet: "B", Models: 2}, "leaves", "meaning", "SELECT * REPLACE (successful + partial AS successful) FROM MAIN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, in, _ := made(t, c.shape)
			if c.change != "" {
				remade(t, filepath.Join(dir, results), c.change)
			}
			steps, err := in.Curate(t.Context(), service.Work{Care: service.Convert, To: c.to})
			var fault *service.Fault
			if !errors.As(err, &fault) || fault.Args["reason"] != c.reason {
				t.Errorf("planned %+v, %v", steps, err)
			}
		})
	}
}

func remade(t *testing.T, path, query string) {
	t.Helper()
	db, err := tables.Open(t.Context(), tables.Limits{}, nil, []string{filepath.Dir(path)})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Do(t.Context(), "COPY ("+strings.ReplaceAll(query, "MAIN", tables.From(tables.Parquet, path))+") TO "+tables.Text(path+".new")+" (FORMAT parquet)")
	if err := errors.Join(err, db.Close(), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
}

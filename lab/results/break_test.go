package results_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"upkeep/internal/tables/document"
	"upkeep/internal/tables/footer"
	"upkeep/lab/results"
	"upkeep/lab/results/master"
)

// broken is a store before and after a fault was planted in it.
type broken struct {
	dir, path string // path is what Break said
	before    *master.Database
	truth     results.Truth
}

type proof func(t *testing.T, b broken)

// faults proves that each is there, as a reader of the store meets it.
var faults = map[string]proof{
	"truncated":            isNo(document.CutOff),
	"garbled":              isNo(document.NotJSON),
	"empty":                isNo(document.Empty),
	"bom":                  isNo(document.ByteOrder),
	"duplicate-key":        isNo(document.Twice),
	"nan":                  isNo(document.NotJSON),
	"bad-utf8":             isNo(document.NotText),
	"deep":                 holds(strings.Repeat(`{"a": `, 99)),
	"big-number":           holds("9007199254740993"),
	"summary-zero":         summary(func(s master.Summary, _ results.Truth) bool { return s.TotalTests == 0 }),
	"summary-partial":      summary(func(s master.Summary, t results.Truth) bool { return s.TotalTests == t.Tests && s.TotalSuccess == 0 }),
	"leaf-off":             leafOff,
	"model-total-off":      modelOff,
	"recreated-empty":      recreated,
	"vanished-model":       fewer("", 80),
	"vanished-prompt":      fewer("", 35),
	"overwritten-prompt":   fewer("optimal", 0),
	"polluted":             polluted,
	"counts-disagree":      disagrees,
	"stale-rates":          rowsAre("SELECT count_if(success_rate <> success / total) FROM MAIN", 10),
	"null-keys":            rowsAre("SELECT count_if(model IS NULL) * 10 + count_if(task_type IS NULL) FROM MAIN", 32),
	"absent-key-column":    absent,
	"rates-as-float32":     rowsAre("SELECT count(*) * 1000 + count(DISTINCT tool_success_rate) FROM MAIN", 320_009),
	"duplicate-rows":       rowsAre("SELECT count(*) - count(DISTINCT (model, prompt_type, tool_success_rate, difficulty, task_type)) FROM MAIN", 20),
	"torn-footer":          refused("1342205765"),
	"hostile-sizes":        hostile,
	"empty-parquet":        refused("0 bytes"),
	"truncated-parquet":    refused("PAR1"),
	"not-parquet":          refused("PAR1"),
	"page-checksum":        checksum,
	"unreadable-increment": unreadable,
	"foreign-increment":    foreign,
	"old-temp":             old(time.Hour),
	"unparsable-temp":      func(t *testing.T, b broken) { old(time.Hour)(t, b); isNo(document.CutOff)(t, b) },
	"transaction-leftover": old(time.Hour),
	"stale-lock":           locks,
	"not-a-store":          holdsNothing,
}

func TestEveryFaultIsPlanted(t *testing.T) {
	for _, name := range results.Faults() {
		t.Run(name, func(t *testing.T) {
			b := broken{}
			b.dir, b.truth = made(t, results.Shape{Models: 2, Temp: 1, Increments: 1})
			var err error
			if b.before, err = master.Load(filepath.Join(b.dir, database)); err != nil {
				t.Fatal(err)
			}
			planted, err := results.Break(b.dir, name)
			if err != nil {
				t.Fatal(err)
			}
			b.path = filepath.Join(b.dir, planted.Path)
			if _, err := os.Stat(b.path); err != nil || planted.What == "" {
				t.Errorf("%+v: %v", planted, err)
			}
			prove, known := faults[name]
			if !known {
				t.Fatal("nothing proves it")
			}
			prove(t, b)
		})
	}
	if len(faults) != len(results.Faults()) {
		t.Errorf("%d faults, %d proofs", len(results.Faults()), len(faults))
	}
}

func read(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return document.Read(file, nil, func(document.Row) error { return nil })
}

func isNo(want document.Reason) proof {
	return func(t *testing.T, b broken) {
		var f *document.Fault
		if err := read(b.path); !errors.As(err, &f) || f.Reason != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func holds(text string) proof {
	return func(t *testing.T, b broken) {
		if err := read(b.path); err != nil {
			t.Error(err)
		}
		if content, _ := os.ReadFile(b.path); !bytes.Contains(content, []byte(text)) {
			t.Error("it is not there")
		}
	}
}

func (b broken) load(t *testing.T) *master.Database {
	t.Helper()
	d, err := master.Load(b.path)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// total adds up leaves whose prompt begins with a text.
func total(d *master.Database, prompt string) (leaves int, tests, wrong int64) {
	for k, l := range d.Leaves() {
		if strings.HasPrefix(k.Prompt, prompt) {
			leaves, tests = leaves+1, tests+l.Count("total")
			wrong += l.Count("success") + l.Count("failed") - l.Count("total")
		}
	}
	return leaves, tests, wrong
}

func summary(wrong func(master.Summary, results.Truth) bool) proof {
	return func(t *testing.T, b broken) {
		d := b.load(t)
		if _, tests, _ := total(d, ""); tests != b.truth.Tests || !wrong(d.Summary, b.truth) {
			t.Errorf("%d tests in leaves, summary %+v", tests, d.Summary)
		}
	}
}

func leafOff(t *testing.T, b broken) {
	if _, _, wrong := total(b.load(t), ""); wrong != 1 {
		t.Errorf("%d off", wrong)
	}
}

func modelOff(t *testing.T, b broken) {
	var models int64
	for _, m := range b.load(t).Models {
		models += m.TotalTests
	}
	if models != b.truth.Tests+54 {
		t.Errorf("%d tests of %d", models, b.truth.Tests)
	}
}

func recreated(t *testing.T, b broken) {
	d := b.load(t)
	if leaves, tests, _ := total(d, ""); leaves != 2 || tests != 4 || d.CreatedAt <= b.before.LastUpdated {
		t.Errorf("%d leaves, %d tests, created at %s", leaves, tests, d.CreatedAt)
	}
}

// fewer leaves, or at least tests; the levels agree about the rest.
func fewer(prompt string, leaves int) proof {
	return func(t *testing.T, b broken) {
		d := b.load(t)
		was, before, _ := total(b.before, prompt)
		is, after, wrong := total(d, prompt)
		if _, all, _ := total(d, ""); was-is != leaves || after >= before || wrong != 0 || d.Summary.TotalTests != all {
			t.Errorf("%d leaves with %d tests, then %d with %d, summary %+v", was, before, is, after, d.Summary)
		}
	}
}

func polluted(t *testing.T, b broken) {
	var odd int
	d := b.load(t)
	for k := range d.Leaves() {
		if k.Prompt == "flawed" || k.Task == "unknown" || k.Task == "file_processing" || k.Model == "llama-4-scout-17b" || k.Model == "test-model-protection" {
			odd++
		}
	}
	if odd != 5 || d.Summary.TotalTests != b.truth.Tests+10 {
		t.Errorf("%d odd leaves, summary %+v", odd, d.Summary)
	}
}

func disagrees(t *testing.T, b broken) {
	same(t, "Parquet", whole(asked(t, b.dir, "SELECT sum(total)::bigint FROM MAIN")), b.truth.Tests)
	if _, tests, wrong := total(b.load(t), ""); tests != b.truth.Tests+1 || wrong != 0 {
		t.Errorf("JSON: %d tests, %d wrong", tests, wrong)
	}
}

func rowsAre(query string, want int64) proof {
	return func(t *testing.T, b broken) {
		same(t, query, whole(asked(t, b.dir, query)), want)
		if _, err := footer.Walk(t.Context(), b.path); err != nil {
			t.Errorf("the file is broken: %v", err)
		}
	}
}

func absent(t *testing.T, b broken) {
	f, err := footer.Read(b.path)
	if err != nil || len(f.Columns) != 50 || f.Rows != b.truth.ParquetRows {
		t.Errorf("%+v, %v", f, err)
	}
}

func refused(why string) proof {
	return func(t *testing.T, b broken) {
		_, err := footer.Read(b.path)
		if !errors.Is(err, parquet.ErrCorrupted) || !strings.Contains(err.Error(), why) {
			t.Errorf("got %v", err)
		}
	}
}

func hostile(t *testing.T, b broken) {
	if f, err := footer.Read(b.path); err == nil && f.Rows != 1<<40 {
		t.Errorf("it claims %d rows", f.Rows)
	}
	if all, err := footer.Walk(t.Context(), b.path); err == nil {
		t.Errorf("its pages are read: %+v", all)
	}
}

func checksum(t *testing.T, b broken) {
	f, err := footer.Read(b.path)
	if err != nil || f.Rows != b.truth.ParquetRows || len(f.Columns) != 51 {
		t.Errorf("%+v, %v", f, err)
	}
	if all, err := footer.Walk(t.Context(), b.path); !errors.Is(err, parquet.ErrCorrupted) || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("got %+v, %v", all, err)
	}
}

func unreadable(t *testing.T, b broken) {
	refused("PAR1")(t, b)
	if all, _ := filepath.Glob(filepath.Join(b.dir, increments)); len(all) != 2 {
		t.Errorf("increments: %v", all)
	}
}

func foreign(t *testing.T, b broken) {
	if f, err := footer.Read(b.path); err != nil || len(f.Columns) != 22 {
		t.Errorf("%+v, %v", f, err)
	}
}

func old(than time.Duration) proof {
	return func(t *testing.T, b broken) {
		files := []string{b.path}
		if info, err := os.Stat(b.path); err == nil && info.IsDir() {
			files, _ = filepath.Glob(filepath.Join(b.path, "*_42*.json"))
		}
		var aged int
		for _, path := range files {
			if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > than {
				aged++
			}
		}
		if aged == 0 {
			t.Errorf("none of %v is old", files)
		}
	}
}

func locks(t *testing.T, b broken) {
	text, err := os.ReadFile(filepath.Join(b.dir, "temp_results/.merger.lock"))
	if err != nil || string(text) != "-1" {
		t.Errorf("%q, %v", text, err)
	}
	old(39*time.Hour)(t, broken{path: filepath.Join(b.dir, "temp_results/.merger.lock")})
}

func holdsNothing(t *testing.T, b broken) {
	text, err := os.ReadFile(filepath.Join(b.dir, database))
	if err != nil || bytes.Contains(text, []byte("models")) {
		t.Errorf("%s, %v", text, err)
	}
	same(t, "rows", whole(asked(t, b.dir, "SELECT count(id) FROM MAIN")), 20)
}

// Every fault of a table can be planted in every generation that has what it breaks.
func TestFaultsOfOtherGenerations(t *testing.T) {
	for _, name := range []string{"null-keys", "absent-key-column", "rates-as-float32", "duplicate-rows", "page-checksum", "hostile-sizes", "unreadable-increment", "foreign-increment"} {
		for _, generation := range []string{"A", "B"} {
			dir, _ := made(t, results.Shape{Seed: 1, Parquet: generation, JSON: "none", Rows: 1000})
			if _, err := results.Break(dir, name); err != nil {
				t.Errorf("%s in %s: %v", name, generation, err)
			}
		}
	}
}

// The same tests under both names of their rate: nothing is equal before rates are rounded.
func TestRatesAsFloat32InTests(t *testing.T) {
	for seed, further := range []string{"0.800000011920929", "_0.8_"} {
		dir, truth := made(t, results.Shape{Seed: uint64(seed), Parquet: "A", JSON: "none", Rows: 1000})
		if _, err := results.Break(dir, "rates-as-float32"); err != nil {
			t.Fatal(err)
		}
		got := whole(asked(t, dir, "SELECT count(*), count(DISTINCT test_id), "+
			"count_if(contains(test_id, '"+further+"')) FROM MAIN"))
		if got[0] != 2*truth.ParquetRows || got[1] < truth.ParquetRows*3/2 || got[2] == 0 {
			t.Errorf("seed %d: %v", seed, got)
		}
	}
}

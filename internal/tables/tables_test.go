package tables_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"upkeep/internal/tables"
)

// store is a directory with a table in each format and a file beside it that is none
// of ours.
func store(t *testing.T) (dir string, db *tables.DB) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret.csv"), []byte("key\nhidden\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := []string{filepath.Join(dir, "it's.parquet"), filepath.Join(dir, "a.csv"), filepath.Join(dir, "a.jsonl")}
	db, err := tables.Open(t.Context(), tables.Limits{}, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, file := range files {
		write(t, db, file)
	}
	return dir, db
}

func write(t *testing.T, db *tables.DB, file string) {
	t.Helper()
	form := map[tables.Format]string{tables.Parquet: "parquet", tables.CSV: "csv, header", tables.JSONLines: "json"}[tables.FormatOf(file)]
	statement := "COPY (SELECT 'qwen' AS model, 0.8::float AS rate, 9007199254740993 AS total, NULL::int AS none) TO " + tables.Text(file) + " (FORMAT " + form + ")"
	if err := db.Do(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func TestEveryFormatGivesTheSame(t *testing.T) {
	dir, db := store(t)
	for _, name := range []string{"it's.parquet", "a.csv", "a.jsonl"} {
		file := filepath.Join(dir, name)
		row, err := db.One(t.Context(), "SELECT model, round(rate, 4), total, none FROM "+tables.From(tables.FormatOf(file), file))
		if err != nil {
			t.Fatal(err)
		}
		if row.Values[0] != "qwen" || row.Values[2] != int64(9007199254740993) || row.Values[3] != nil {
			t.Errorf("%s gives %v", name, row.Values)
		}
		if rate, _ := row.Values[1].(float64); rate < 0.7999 || rate > 0.8001 {
			t.Errorf("%s gives rate %v", name, row.Values[1])
		}
	}
}

func TestAStatementOfSomebodyElseReachesNothingElse(t *testing.T) {
	dir, db := store(t)
	secret, own := filepath.Join(dir, "secret.csv"), filepath.Join(dir, "a.csv")
	for name, statement := range map[string]string{
		"another file":      "SELECT * FROM " + tables.Text(secret),
		"its text":          "SELECT * FROM read_text(" + tables.Text(secret) + ")",
		"a list of files":   "SELECT * FROM glob(" + tables.Text(dir+"/*") + ")",
		"a pattern":         "SELECT * FROM read_csv(" + tables.Text(dir+"/*.csv") + ")",
		"the system":        "SELECT * FROM read_text('/etc/passwd')",
		"the network":       "SELECT * FROM 'http://127.0.0.1:1/x.csv'",
		"attach":            "ATTACH " + tables.Text(filepath.Join(dir, "new.db")),
		"copy out":          "COPY (SELECT 1) TO " + tables.Text(filepath.Join(dir, "out.csv")),
		"copy over its own": "COPY (SELECT 1) TO " + tables.Text(own),
		"a second one":      "SELECT 1; COPY (SELECT 1) TO " + tables.Text(own),
		"two":               "SELECT 1; SELECT 2",
		"none":              "",
		"settings":          "SET enable_external_access = true",
		"pragma":            "PRAGMA database_list",
		"install":           "INSTALL httpfs",
		"load":              "LOAD httpfs",
		"create":            "CREATE TABLE t AS SELECT 1",
		"export":            "EXPORT DATABASE " + tables.Text(dir),
		"garbled":           "SELEC 1",
	} {
		t.Run(name, func(t *testing.T) {
			for row, err := range db.Select(t.Context(), statement) {
				if err == nil {
					t.Errorf("it is answered: %v", row.Values)
				}
			}
			if answers(t.Context(), db, statement) {
				t.Error("it is done")
			}
		})
	}
	row, err := db.One(t.Context(), "SELECT model FROM "+tables.From(tables.CSV, own))
	if err != nil || row.Values[0] != "qwen" {
		t.Errorf("the table is another one by now: %v, %v", row.Values, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 4 {
		t.Errorf("files were made: %v, %v", entries, err)
	}
}

func answers(ctx context.Context, db *tables.DB, statement string) bool {
	for _, err := range db.Select(ctx, statement) {
		if err != nil {
			return false
		}
	}
	return true
}

func TestOneSelectIsAnswered(t *testing.T) {
	dir, db := store(t)
	from := tables.From(tables.Parquet, filepath.Join(dir, "it's.parquet"))
	for _, statement := range []string{"SELECT count(*) FROM " + from + ";", "WITH a AS (SELECT * FROM " + from + ") FROM a", "FROM " + from} {
		if !answers(t.Context(), db, statement) {
			t.Errorf("%s is refused", statement)
		}
	}
	for _, err := range db.Select(t.Context(), "SELECT 1; SELECT 2") {
		if !errors.Is(err, tables.ErrNotSelect) {
			t.Errorf("two are refused with %v", err)
		}
	}
}

// What does not fit into memory goes to the scratch directory; without one it fails and
// the program lives.
func TestMemoryIsBounded(t *testing.T) {
	const large = "SELECT count(*) FROM (SELECT DISTINCT md5(i::varchar) FROM range(3000000) t(i))"
	for _, c := range []struct {
		name    string
		scratch string
		works   bool
	}{{"with scratch", t.TempDir(), true}, {"without", "", false}} {
		t.Run(c.name, func(t *testing.T) {
			db, err := tables.Open(t.Context(), tables.Limits{Memory: 64 << 20, Threads: 1, Scratch: c.scratch}, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			row, err := db.One(t.Context(), large)
			if c.works != (err == nil) {
				t.Errorf("got %v, %v", row.Values, err)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestExpressions(t *testing.T) {
	for text, right := range map[string]bool{
		"success / nullif(total, 0)": true, "sum(total)": true, "lower(model) -- folded": true, "case when a then 1 end": true,
		"": false, "success /": false, "1), (2": false, "1; select 2": false, "a b c": false, "1) from x; select (1": false,
	} {
		if err := tables.Expressions(map[string]string{"it": text})["it"]; right != (err == nil) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

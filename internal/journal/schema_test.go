package journal_test

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"upkeep/internal/database"
	"upkeep/internal/journal"
)

var update = flag.Bool("update", false, "make the journals of earlier schemas that are missing")

// Every schema has a journal in testdata, made when it was the newest and never again: what users
// have. A new migration fails here until -update has made the one that belongs to it; what its tables
// should hold there comes from history.
func TestJournalsOfEarlierSchemasAreKept(t *testing.T) {
	for schema, name := range migrations(t) {
		t.Run(name, func(t *testing.T) {
			kept := filepath.Join("testdata", fmt.Sprintf("schema-%04d.db", schema))
			if _, err := os.Stat(kept); *update && err != nil {
				makeOld(t, kept, schema)
			}
			path := copied(t, kept)
			had := contents(t, path)
			if len(had["records"]) < 15 {
				t.Fatalf("%s holds only %d records", kept, len(had["records"]))
			}
			opensWhole(t, path, had)
		})
	}
}

// opensWhole opens a journal of an earlier schema and wants all that it held, in the form of today.
func opensWhole(t *testing.T, path string, had map[string][]string) {
	j := reopen(t, path)
	if n, err := j.Verify(t.Context()); err != nil || n != int64(len(had["records"])) {
		t.Errorf("%d records fit: %v; it had %d", n, err, len(had["records"]))
	}
	if altered, err := j.Mend(t.Context()); err != nil || altered != nil {
		t.Errorf("read models that are not what the records say: %v, %v", altered, err)
	}
	have := contents(t, path)
	for table, rows := range had {
		if !slices.Equal(rows, have[table]) {
			t.Errorf("%s held\n%s\nand holds\n%s", table, strings.Join(rows, "\n"), strings.Join(have[table], "\n"))
		}
	}
	run, err := j.Run(t.Context(), "run-2")
	if err != nil || len(run.Targets) != 1 || run.Finished.IsZero() {
		t.Errorf("the last run is %+v, %v", run, err)
	}
	p := plan("vacuum")
	if kept, err := j.Plan(t.Context(), p.Digest); err != nil || kept.By != "ann" || kept.Applied != "run-2" {
		t.Errorf("the plan is %+v, %v", kept, err)
	}
	must(t, j.Begin(t.Context(), check("run-after", start.AddDate(0, 1, 0))))
	if n, err := j.Verify(t.Context()); err != nil || n != int64(len(had["records"]))+1 {
		t.Errorf("after another record %d fit: %v", n, err)
	}
}

// migrations are the names of the files, by schema.
func migrations(t *testing.T) map[int]string {
	t.Helper()
	names, err := filepath.Glob("migrations/*.sql")
	must(t, err)
	all := map[int]string{}
	for _, name := range names {
		number, _, _ := strings.Cut(filepath.Base(name), "_")
		n, err := strconv.Atoi(number)
		must(t, err)
		all[n] = filepath.Base(name)
	}
	if present, err := journal.Schema(); err != nil || present != len(all) {
		t.Fatalf("the program writes schema %d (%v), there are %d migrations", present, err, len(all))
	}
	return all
}

// makeOld makes the journal of an earlier schema: its migrations, and of a history what has a
// place in its tables.
func makeOld(t *testing.T, path string, schema int) {
	j, full := open(t)
	history(t, j)
	for _, key := range []string{"cursor", "seen"} {
		must(t, j.State("shop", "db").Set(t.Context(), key, "1"))
	}
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	db, err := database.Open(t.Context(), path, until(t, schema))
	must(t, err)
	must(t, fill(t.Context(), db, full))
	must(t, db.Close())
	for _, left := range []string{path + "-wal", path + "-shm"} {
		os.Remove(left)
	}
	must(t, os.Chmod(path, 0o644))
}

// fill copies every table that both journals have. One connection: it sees what is attached.
func fill(ctx context.Context, db *sql.DB, from string) error {
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.ExecContext(ctx, "ATTACH ? AS whole", from); err != nil {
		return err
	}
	names, err := tables(ctx, c)
	for _, name := range names {
		if _, err := c.ExecContext(ctx, fmt.Sprintf("INSERT INTO %s SELECT * FROM whole.%s ORDER BY 1", name, name)); err != nil {
			return err
		}
	}
	return err
}

func tables(ctx context.Context, from interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}) (names []string, err error) {
	rows, err := from.QueryContext(ctx, "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// until are the migrations up to a schema.
func until(t *testing.T, schema int) fs.FS {
	t.Helper()
	some := fstest.MapFS{}
	for n, name := range migrations(t) {
		if n <= schema {
			text, err := os.ReadFile(filepath.Join("migrations", name))
			must(t, err)
			some[name] = &fstest.MapFile{Data: text}
		}
	}
	return some
}

// copied is a journal to write to.
func copied(t *testing.T, kept string) string {
	t.Helper()
	text, err := os.ReadFile(kept)
	if err != nil {
		t.Fatalf("%v: go test ./internal/journal -run EarlierSchemas -update", err)
	}
	path := filepath.Join(t.TempDir(), "journal.db")
	must(t, os.WriteFile(path, text, 0o600))
	return path
}

// contents are the rows of every table, by its name.
func contents(t *testing.T, path string) map[string][]string {
	t.Helper()
	db := raw(t, path)
	names, err := tables(t.Context(), db)
	must(t, err)
	must(t, db.Close())
	all := map[string][]string{}
	for _, name := range names {
		all[name] = dump(t, path, "SELECT * FROM "+name+" ORDER BY 1, 2")
	}
	return all
}

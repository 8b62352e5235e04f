package database_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"

	"upkeep/internal/database"
)

func scripts(texts ...string) fs.FS {
	files := fstest.MapFS{}
	for i, text := range texts {
		files[fmt.Sprintf("%04d_step.sql", i+1)] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

const table = "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL);"

func open(t *testing.T, path string, migrations fs.FS) *sql.DB {
	t.Helper()
	db, err := database.Open(t.Context(), path, migrations)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func exec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func TestFilesAreReadableByTheirOwnerOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	db := open(t, filepath.Join(dir, "a.db"), scripts(table))
	exec(t, db, "INSERT INTO things VALUES (1, 'a')") // the log exists from here on
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 3 {
		t.Errorf("%d files, want the database, its log and its index", len(entries))
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o", e.Name(), mode)
		}
	}
}

func TestConnectionsAreSetUp(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "odd ?#%41 name.db"), nil)
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "foreign_keys": "1", "busy_timeout": "30000", "synchronous": "2",
	} {
		var got string
		if err := db.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q (%v), want %q", pragma, got, err, want)
		}
	}
}

func TestOddNamesStayWhatTheyAre(t *testing.T) {
	path := filepath.Join(t.TempDir(), "odd ?#%41 name.db")
	exec(t, open(t, path, scripts(table)), "INSERT INTO things VALUES (1, 'a')")
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		t.Errorf("nothing at %s: %v", path, err)
	}
}

func TestMigrationsAreAppliedOnceAndInOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	first := open(t, path, scripts(table))
	exec(t, first, "INSERT INTO things VALUES (1, 'kept')")
	open(t, path, scripts(table)) // nothing to do: a second CREATE TABLE would fail
	second := open(t, path, scripts(table, "ALTER TABLE things ADD COLUMN size INTEGER NOT NULL DEFAULT 7;"))
	var name string
	var size int
	if err := second.QueryRow("SELECT name, size FROM things").Scan(&name, &size); err != nil {
		t.Fatal(err)
	}
	if name != "kept" || size != 7 {
		t.Errorf("got %q, %d", name, size)
	}
}

func TestAFailedMigrationChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	open(t, path, scripts(table))
	_, err := database.Open(t.Context(), path, scripts(table, "CREATE TABLE more (id INTEGER);", "nonsense;"))
	if err == nil {
		t.Fatal("nonsense was applied")
	}
	db := open(t, path, scripts(table)) // still version 1
	var tables int
	if err := db.QueryRow("SELECT count(*) FROM sqlite_schema WHERE name = 'more'").Scan(&tables); err != nil || tables != 0 {
		t.Errorf("%d tables of a failed migration are left (%v)", tables, err)
	}
}

func TestAFileOfANewerReleaseIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	open(t, path, scripts(table, "CREATE TABLE more (id INTEGER);"))
	if _, err := database.Open(t.Context(), path, scripts(table)); !errors.Is(err, database.ErrNewer) {
		t.Errorf("got %v", err)
	}
}

func TestAGapBetweenMigrationsIsAMistake(t *testing.T) {
	gap := fstest.MapFS{"0002_late.sql": &fstest.MapFile{Data: []byte(table)}}
	if _, err := database.Open(t.Context(), filepath.Join(t.TempDir(), "a.db"), gap); err == nil {
		t.Error("a gap was accepted")
	}
}

// Every handle is a set of connections of its own, as another process has it.
func TestManyMayCreateTheSameFileAtOnce(t *testing.T) {
	for range 5 {
		path := filepath.Join(t.TempDir(), "a.db")
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				db, err := database.Open(context.Background(), path, scripts(table))
				if err != nil {
					t.Error(err)
					return
				}
				defer db.Close()
				if _, err := db.Exec("INSERT INTO things VALUES (?, 'x')", i); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		var rows int
		if err := open(t, path, scripts(table)).QueryRow("SELECT count(*) FROM things").Scan(&rows); err != nil || rows != 8 {
			t.Errorf("%d rows of 8 (%v)", rows, err)
		}
	}
}

func TestATransactionThatReadsMayWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	exec(t, open(t, path, scripts(table)), "INSERT INTO things VALUES (1, '0')")
	var group sync.WaitGroup
	for range 4 {
		db := open(t, path, scripts(table))
		group.Go(func() {
			for range 10 {
				if err := increase(db); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	var got string
	if err := open(t, path, scripts(table)).QueryRow("SELECT name FROM things").Scan(&got); err != nil || got != "40" {
		t.Errorf("counted to %s of 40 (%v)", got, err)
	}
}

func increase(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var n int
	if err := tx.QueryRow("SELECT name FROM things").Scan(&n); err != nil {
		return err
	}
	if _, err := tx.Exec("UPDATE things SET name = ?", n+1); err != nil {
		return err
	}
	return tx.Commit()
}

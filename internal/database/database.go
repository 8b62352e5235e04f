// Package database opens SQLite files that several processes share and brings
// their tables up to date. It knows nothing of what the tables hold, and no
// other database: those that users run are reached by their kinds.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"modernc.org/sqlite" // the driver "sqlite", without cgo
	sqlite3 "modernc.org/sqlite/lib"
)

// patience is how long a process waits for the lock of another before it gives up.
const patience = 30 * time.Second

// Open opens the file at path, creates it readable by its owner only when it is
// missing, and applies the migrations that it lacks (Migrate says how they are
// laid out; nil means none).
//
// A transaction that BeginTx starts takes the write lock at once and waits up to
// 30 seconds for it, so reading and then writing in one never fails half-way; one
// that is ReadOnly takes none. A commit is on the disk when it returns.
func Open(ctx context.Context, path string, migrations fs.FS) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	if err := create(path); err != nil {
		return nil, fmt.Errorf("create database: %w", err)
	}
	db, err := sql.Open("sqlite", source(path))
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(8) // what is parsed belongs to a connection; two, as by default, are closed and opened all the time
	db.SetConnMaxIdleTime(time.Minute)
	if err := prepare(ctx, db, migrations); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, errors.Join(err, db.Close()))
	}
	return db, nil
}

// create makes an empty file before SQLite does: SQLite would leave the mode to
// the umask, and gives its -wal and -shm files the mode of this one.
func create(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}

// source is the URI of a file, whatever bytes its name holds.
func source(path string) string {
	options := url.Values{
		"_busy_timeout": {strconv.FormatInt(patience.Milliseconds(), 10)},
		"_foreign_keys": {"on"},
		"_synchronous":  {"full"}, // what was recorded survives a power cut
		"_txlock":       {"immediate"},
	}
	name := url.URL{Scheme: "file", Path: path, RawQuery: options.Encode()}
	return name.String()
}

func prepare(ctx context.Context, db *sql.DB, migrations fs.FS) error {
	if err := logAhead(ctx, db); err != nil {
		return err
	}
	if migrations == nil {
		return nil
	}
	return Migrate(ctx, db, migrations, nil)
}

// logAhead switches the file to a write-ahead log, so that readers and a writer
// do not wait for each other. The mode stays with the file: a file that has it is
// only asked. SQLite does not wait for the lock of this switch, so two processes
// that create the file together take turns here.
func logAhead(ctx context.Context, db *sql.DB) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		var mode string
		err := db.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode)
		switch {
		case busy(err) && pause(ctx):
			continue
		case err != nil:
			return fmt.Errorf("switch to a write-ahead log: %w", err)
		case mode != "wal":
			return fmt.Errorf("this file system has no write-ahead log: journal mode is %q", mode)
		}
		return nil
	}
}

// pause waits a moment and reports whether there is time for another try.
func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(5 * time.Millisecond):
		return true
	}
}

func busy(err error) bool {
	var failure *sqlite.Error
	return errors.As(err, &failure) && failure.Code()&0xff == sqlite3.SQLITE_BUSY
}

package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// ErrNewer means that a later release of the program has changed the file.
var ErrNewer = errors.New("made by a newer version of upkeep")

// Migrate applies the migrations that db lacks, all of them or none. They are the
// files of one folder, NUMBER_NAME.sql without gaps from 1 on ("0001_records.sql"),
// and are never edited once released. The number of the last one applied is kept
// in the file's user_version.
//
// after, if any, is called behind the last of them in the same transaction, with the number that
// the file had before: 0 for a new one.
func Migrate(ctx context.Context, db *sql.DB, migrations fs.FS, after func(ctx context.Context, tx *sql.Tx, from int) error) error {
	scripts, err := read(migrations)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if current, err := version(ctx, db); err != nil || current == len(scripts) {
		return err // the usual case takes no lock
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin migration: %w", err)
	}
	defer tx.Rollback()
	from, err := apply(ctx, tx, scripts)
	if err == nil && after != nil && from < len(scripts) {
		err = after(ctx, tx, from)
	}
	if err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit migration: %w", err)
	}
	return nil
}

// read returns the scripts in order. A gap or a repeated number is a mistake of
// the program.
func read(migrations fs.FS) ([]string, error) {
	names, err := fs.Glob(migrations, "*.sql") // sorted
	if err != nil {
		return nil, err
	}
	scripts := make([]string, len(names))
	for i, name := range names {
		number, _, _ := strings.Cut(name, "_")
		if n, err := strconv.Atoi(number); err != nil || n != i+1 {
			return nil, fmt.Errorf("%s should have number %d", name, i+1)
		}
		script, err := fs.ReadFile(migrations, name)
		if err != nil {
			return nil, err
		}
		scripts[i] = string(script)
	}
	return scripts, nil
}

// apply asks for the version again: under the lock, another process may have come
// first. It returns the one that was there.
func apply(ctx context.Context, tx *sql.Tx, scripts []string) (current int, err error) {
	if current, err = version(ctx, tx); err != nil {
		return 0, err
	}
	if current > len(scripts) {
		return current, fmt.Errorf("version %d, this program knows %d: %w", current, len(scripts), ErrNewer)
	}
	for i, script := range scripts[current:] {
		if _, err := tx.ExecContext(ctx, script); err != nil {
			return current, fmt.Errorf("apply migration %d: %w", current+i+1, err)
		}
	}
	// A pragma takes no parameters; the number is ours.
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", len(scripts))); err != nil {
		return current, fmt.Errorf("record migration: %w", err)
	}
	return current, nil
}

func version(ctx context.Context, from interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}) (int, error) {
	var current int
	if err := from.QueryRowContext(ctx, "PRAGMA user_version").Scan(&current); err != nil {
		return 0, fmt.Errorf("ask for the version of the tables: %w", err)
	}
	return current, nil
}

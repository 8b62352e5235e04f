// Package journal records what runs did and found, what was planned, approved and
// applied: append-only, each record sealed over the one before it, so that a
// change shows. What surfaces ask for is kept beside the records in tables made
// of them. It records and answers; it judges nothing, and samples are not its
// business.
package journal

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"upkeep/internal/database"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Journal is one open journal. Several processes may have the same file open and
// append to it side by side. Its methods are safe for concurrent use.
type Journal struct {
	db         *sql.DB
	now        func() time.Time
	commits    commits
	statements statements
}

// modelsSince is the last migration that made or changed a read model.
const modelsSince = 2

// Open opens the journal at path, which is created when it is missing, and brings one of an
// earlier release up to date. now stamps the records.
func Open(ctx context.Context, path string, now func() time.Time) (*Journal, error) {
	db, err := database.Open(ctx, path, nil)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	if err := migrate(ctx, db); err != nil {
		return nil, fmt.Errorf("open the journal: bring %s up to date: %w", path, errors.Join(err, db.Close()))
	}
	return &Journal{db: db, now: now, statements: statements{db: db, parsed: map[string]*sql.Stmt{}}}, nil
}

// migrate fills read models that are new from the records that were there before.
func migrate(ctx context.Context, db *sql.DB) error {
	scripts, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	return database.Migrate(ctx, db, scripts, func(ctx context.Context, tx *sql.Tx, from int) error {
		if from == 0 || from >= modelsSince {
			return nil
		}
		return rebuild(ctx, transaction{Tx: tx})
	})
}

// Schema is the number of the last migration: the form of the journals that this program writes.
func Schema() (int, error) {
	scripts, err := fs.Glob(migrations, "migrations/*.sql")
	return len(scripts), err
}

// Close closes the journal.
func (j *Journal) Close() error { return j.db.Close() }

// read does work on one consistent view, which takes no lock.
func (j *Journal) read(ctx context.Context, work func(*sql.Tx) error) error {
	tx, err := j.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	return undone(tx, work(tx))
}

// undone ends a transaction that leaves nothing behind and returns err.
func undone(tx *sql.Tx, err error) error {
	if failed := tx.Rollback(); failed != nil {
		return errors.Join(err, failed)
	}
	return err
}

// querier is what a journal and a transaction of it can both be asked.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// column returns the one text column of every row that a query answers.
func column(ctx context.Context, from querier, query string, args ...any) ([]string, error) {
	rows, err := from.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var values []string
	for rows.Next() {
		var value string
		if err := rows.Scan(&value); err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, rows.Err()
}

// Package consistency compares what two stores say of the same things: rows that
// name objects with the objects, rows that claim nodes with the nodes. The lists may
// hold millions; they lie in an SQLite file, never in memory. It knows neither the
// stores nor where their lists come from.
package consistency

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
)

// Item is one thing of a list.
type Item struct {
	Key  string
	Size int64 // bytes; -1 where the list does not say
}

// Ledger holds lists until they are compared.
type Ledger struct{ db *sql.DB }

const tables = `CREATE TABLE IF NOT EXISTS item (
	list TEXT NOT NULL,
	key  BLOB NOT NULL,
	size INTEGER NOT NULL,
	PRIMARY KEY (list, key)
) STRICT, WITHOUT ROWID`

// NewLedger uses an empty database that is nobody else's. Closing it is the
// caller's business.
func NewLedger(ctx context.Context, db *sql.DB) (*Ledger, error) {
	if _, err := db.ExecContext(ctx, tables); err != nil {
		return nil, fmt.Errorf("make the ledger: %w", err)
	}
	return &Ledger{db}, nil
}

// Fill replaces a list by items, in any order; of those with one key the last
// counts. It returns how many there are.
func (l *Ledger) Fill(ctx context.Context, list string, items iter.Seq2[Item, error]) (n int64, err error) {
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("fill list %s: %w", list, err), tx.Rollback())
		}
	}()
	if _, err := tx.ExecContext(ctx, "DELETE FROM item WHERE list = ?", list); err != nil {
		return 0, err
	}
	insert, err := tx.PrepareContext(ctx, "INSERT OR REPLACE INTO item (list, key, size) VALUES (?, ?, ?)")
	if err != nil {
		return 0, err
	}
	for item, err := range items {
		if err != nil {
			return 0, err
		}
		if _, err := insert.ExecContext(ctx, list, []byte(item.Key), item.Size); err != nil {
			return 0, err
		}
	}
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM item WHERE list = ?", list).Scan(&n); err != nil {
		return 0, err
	}
	return n, tx.Commit()
}

// Difference is what a comparison found. Examples are the first keys in byte order.
type Difference struct {
	Claims, Things int64 // in either list
	Missing        Found // claimed, and not there
	Unclaimed      Found // there, and claimed by nobody
	Resized        Found // there, and of another size
}

// Found are some of the keys that differ, and how many there are.
type Found struct {
	Count int64
	Keys  []string
}

// Score is the share of all things, claimed or there, on which both lists agree; 1
// where there is nothing.
func (d Difference) Score() float64 {
	union := d.Things + d.Missing.Count
	if union == 0 {
		return 1
	}
	return float64(d.Things-d.Unclaimed.Count-d.Resized.Count) / float64(union)
}

// Pair names lists to compare. Where the stores are in use, the claims are read
// before and after the things: one that came or went in between is no difference.
// After is empty where nothing moves.
type Pair struct{ Claims, Things, After string }

// Compare returns the difference of two lists with at most so many examples of each
// sort.
func (l *Ledger) Compare(ctx context.Context, p Pair, examples int) (d Difference, err error) {
	if p.After == "" {
		p.After = p.Claims
	}
	const there = "SELECT 1 FROM item o WHERE o.list = ? AND o.key = i.key"
	parts := []struct {
		into  *Found
		where string
		args  []any
	}{
		{&d.Missing, "i.list = ? AND EXISTS (" + there + ") AND NOT EXISTS (" + there + ")", []any{p.Claims, p.After, p.Things}},
		{&d.Unclaimed, "i.list = ? AND NOT EXISTS (" + there + ") AND NOT EXISTS (" + there + ")", []any{p.Things, p.Claims, p.After}},
		{&d.Resized, "i.list = ? AND i.size >= 0 AND EXISTS (" + there + " AND o.size = i.size) AND EXISTS (" + there + " AND o.size >= 0 AND o.size <> i.size)",
			[]any{p.Claims, p.After, p.Things}},
	}
	for _, part := range parts {
		if *part.into, err = l.find(ctx, part.where, part.args, examples); err != nil {
			return d, fmt.Errorf("compare %s with %s: %w", p.Claims, p.Things, err)
		}
	}
	for list, into := range map[string]*int64{p.Claims: &d.Claims, p.Things: &d.Things} {
		if err := l.db.QueryRowContext(ctx, "SELECT count(*) FROM item WHERE list = ?", list).Scan(into); err != nil {
			return d, err
		}
	}
	return d, nil
}

func (l *Ledger) find(ctx context.Context, where string, args []any, examples int) (f Found, err error) {
	if err := l.db.QueryRowContext(ctx, "SELECT count(*) FROM item i WHERE "+where, args...).Scan(&f.Count); err != nil || f.Count == 0 {
		return f, err
	}
	rows, err := l.db.QueryContext(ctx, "SELECT i.key FROM item i WHERE "+where+" ORDER BY i.key LIMIT ?", append(args, examples)...)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var key []byte
		if err := rows.Scan(&key); err != nil {
			return f, err
		}
		f.Keys = append(f.Keys, string(key))
	}
	return f, rows.Err()
}

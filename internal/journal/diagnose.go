package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// diagnose says what happened at the first place where the chain does not fit: r
// is the record that stands there, last the one before it, which fits.
func diagnose(ctx context.Context, tx *sql.Tx, last, r record) error {
	switch place := last.seq + 1; {
	case r.seq < place:
		return r.altered(Inserted, "its number is below 1")
	case r.seq > place:
		return &Altered{Seq: place, Damage: Missing, Detail: fmt.Sprintf("record %d follows on record %d", r.seq, last.seq)}
	case r.previous == last.hash:
		return spoilt(ctx, tx, r)
	case r.linked(last).sound():
		return r.altered(Changed, "its link to the record before was overwritten")
	case r.sound() && last.seq > 0:
		return last.altered(Changed, fmt.Sprintf("it was sealed anew; record %d follows on other content", r.seq))
	}
	return misplaced(ctx, tx, last, r)
}

// spoilt tells apart a record that follows on the one before it but is not as it
// was sealed: changed, or put in front of the true one.
func spoilt(ctx context.Context, tx *sql.Tx, r record) error {
	follower, err := find(ctx, tx, "previous = ? AND seq > ?", r.previous, r.seq)
	if err != nil {
		return err
	}
	if follower.seq != 0 {
		return r.altered(Inserted, fmt.Sprintf("the one that belongs here is now record %d", follower.seq))
	}
	return r.altered(Changed, "its content does not have the hash it was sealed with")
}

// misplaced tells apart what is left: a record that neither follows on the one
// before it nor is as it was sealed. Its number was changed, or it was put in.
func misplaced(ctx context.Context, tx *sql.Tx, last, r record) error {
	follower, err := find(ctx, tx, "previous = ? AND seq > ?", last.hash, r.seq) // the one that belongs here
	if err != nil {
		return err
	}
	ancestor, err := find(ctx, tx, "hash = ?", r.previous) // the one that r was appended to
	if err != nil {
		return err
	}
	switch {
	case follower.seq != 0 && ancestor.seq > r.seq:
		return r.altered(Moved, fmt.Sprintf("it follows on record %d; the one that belongs here is now record %d", ancestor.seq, follower.seq))
	case follower.seq != 0:
		return r.altered(Inserted, fmt.Sprintf("the one that belongs here is now record %d", follower.seq))
	case ancestor.seq != 0 || r.previous == "":
		return squeezedIn(ctx, tx, ancestor, r)
	}
	return r.altered(Missing, "the one that belongs here is gone and later ones were renumbered")
}

// squeezedIn is for records put in with good hashes between one and its true
// follower r.
func squeezedIn(ctx context.Context, tx *sql.Tx, ancestor, r record) error {
	first, err := find(ctx, tx, "seq > ?", ancestor.seq)
	if err != nil {
		return err
	}
	return first.altered(Inserted, fmt.Sprintf("record %d follows on record %d", r.seq, ancestor.seq))
}

// linked returns the record as if it had been appended to another one.
func (r record) linked(to record) record {
	r.previous = to.hash
	return r
}

// find returns the first record that meets a condition, as far as a report needs
// it; the zero record when none does.
func find(ctx context.Context, tx *sql.Tx, condition string, args ...any) (record, error) {
	var r record
	err := tx.QueryRowContext(ctx, "SELECT seq, at, kind, hash FROM records WHERE "+condition+" ORDER BY seq LIMIT 1", args...).
		Scan(&r.seq, &r.at, &r.kind, &r.hash)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return record{}, fmt.Errorf("look for a record: %w", err)
	}
	return r, nil
}

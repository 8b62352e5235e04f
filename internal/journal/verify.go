package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Damage says what became of a record.
type Damage string

// What can be told from the chain.
const (
	Changed  Damage = "changed"  // its content is not what was sealed
	Missing  Damage = "missing"  // it was taken out
	Inserted Damage = "inserted" // it was put in later
	Moved    Damage = "moved"    // it stands where another one was
)

// Altered is the first record that is not as it was appended. At and Kind are
// what stands there now; they are zero where nothing stands.
type Altered struct {
	Seq    int64
	At     time.Time
	Kind   Kind
	Damage Damage
	Detail string // in English
}

func (a *Altered) Error() string {
	return fmt.Sprintf("journal record %d is %s: %s", a.Seq, a.Damage, a.Detail)
}

// Verify reads the whole chain and returns how many records fit. The error is an
// *Altered for the first one that does not. Records cut off at the end leave a
// chain that fits: VerifyAgainst shows them. The read models are not looked at;
// Mend compares them.
func (j *Journal) Verify(ctx context.Context) (n int64, err error) {
	err = j.read(ctx, func(tx *sql.Tx) error {
		n, err = verify(ctx, tx)
		return err
	})
	return n, err
}

// VerifyAgainst verifies the chain and compares it with heads that were stored
// elsewhere: one that was cut, or sealed anew from some record on, is an
// *Altered.
func (j *Journal) VerifyAgainst(ctx context.Context, stored ...Head) error {
	return j.read(ctx, func(tx *sql.Tx) error {
		n, err := verify(ctx, tx)
		for _, h := range stored {
			if err == nil {
				err = reaches(ctx, tx, n, h)
			}
		}
		return err
	})
}

// reaches compares a chain of n records with one head.
func reaches(ctx context.Context, tx *sql.Tx, n int64, h Head) error {
	if h.Seq == 0 {
		return nil
	}
	if n < h.Seq {
		return &Altered{Seq: n + 1, Damage: Missing,
			Detail: fmt.Sprintf("the journal ends at record %d and once reached %d", n, h.Seq)}
	}
	r, err := find(ctx, tx, "seq = ?", h.Seq)
	if err != nil {
		return err
	}
	if r.hash != h.Hash {
		return r.altered(Changed, "it or an earlier record was changed and everything after that sealed anew")
	}
	return nil
}

func (r record) altered(d Damage, detail string) *Altered {
	return &Altered{Seq: r.seq, At: r.time(), Kind: r.kind, Damage: d, Detail: detail}
}

// verify returns the number of records that fit, from the first on. An *Altered
// says why the next one does not.
func verify(ctx context.Context, tx *sql.Tx) (int64, error) {
	var last, bad record
	misfit := errors.New("record does not fit")
	err := records(ctx, tx, func(r record) error {
		if r.seq != last.seq+1 || r.previous != last.hash || !r.sound() {
			bad = r
			return misfit
		}
		last = r
		return nil
	})
	if errors.Is(err, misfit) {
		err = diagnose(ctx, tx, last, bad)
	}
	return last.seq, err
}

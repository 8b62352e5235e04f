package journal

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Kind says what a record records.
type Kind string

// The kinds of records, each with what its body holds.
const (
	RunStarted   Kind = "run-started"   // Run, without targets and steps
	TargetResult Kind = "target-result" // Target
	StepDone     Kind = "step-done"     // Step
	RunFinished  Kind = "run-finished"  // Run, whole
	PlanMade     Kind = "plan-made"     // Plan
	PlanApproved Kind = "plan-approved" // digest and name
	PlanApplied  Kind = "plan-applied"  // digest
	Noted        Kind = "note"          // kind and body, both the caller's
)

// Head is the last record of the journal. Stored elsewhere it proves later that
// nothing up to it was changed or cut off: see VerifyAgainst.
type Head struct {
	Seq  int64  `json:"seq"` // 0 for an empty journal
	Hash string `json:"hash"`
}

// Head returns the last record's place and hash.
func (j *Journal) Head(ctx context.Context) (Head, error) { return head(ctx, j.db) }

func head(ctx context.Context, from querier) (Head, error) {
	var h Head
	err := from.QueryRowContext(ctx, "SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1").Scan(&h.Seq, &h.Hash)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Head{}, fmt.Errorf("read the head of the journal: %w", err)
	}
	return h, nil
}

// record is one row of the chain. at stays text: its bytes are sealed.
type record struct {
	seq      int64
	at       string
	system   string
	kind     Kind
	run      string
	body     string
	previous string
	hash     string
}

// seal returns the hash of everything else in the record. Every field is preceded
// by its length, so that no two records encode alike.
func (r record) seal() string {
	h := sha256.New()
	for _, field := range []string{strconv.FormatInt(r.seq, 10), r.at, r.system, string(r.kind), r.run, r.body, r.previous} {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(field)))
		h.Write(size[:]) // a hash never fails
		h.Write([]byte(field))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// sound reports whether the record is as it was sealed, whatever stands before it.
func (r record) sound() bool { return r.seal() == r.hash }

// time returns when the record was made; zero when somebody spoilt the text.
func (r record) time() time.Time {
	at, err := time.Parse(time.RFC3339Nano, r.at)
	if err != nil {
		return time.Time{}
	}
	return at
}

// decode fills v from the body.
func (r record) decode(v any) error {
	if err := json.Unmarshal([]byte(r.body), v); err != nil {
		return fmt.Errorf("read record %d (%s): %w", r.seq, r.kind, err)
	}
	return nil
}

// append seals a record at the end of the chain and brings the read models up to
// date.
func (j *Journal) append(ctx context.Context, tx transaction, system string, kind Kind, run string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode %s: %w", kind, err)
	}
	last, err := head(ctx, tx)
	if err != nil {
		return err
	}
	r := record{seq: last.Seq + 1, at: j.now().Format(time.RFC3339Nano), system: system, kind: kind, run: run,
		body: string(text), previous: last.Hash}
	r.hash = r.seal()
	_, err = tx.ExecContext(ctx, "INSERT INTO records (seq, at, system, kind, run, body, previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		r.seq, r.at, r.system, r.kind, r.run, r.body, r.previous, r.hash)
	if err != nil {
		return fmt.Errorf("append %s: %w", kind, err)
	}
	return project(ctx, tx, r)
}

// records calls visit for every record in order, one in memory at a time.
func records(ctx context.Context, from querier, visit func(record) error) error {
	rows, err := from.QueryContext(ctx, "SELECT seq, at, system, kind, run, body, previous, hash FROM records ORDER BY seq")
	if err != nil {
		return fmt.Errorf("read the records: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r record
		if err := rows.Scan(&r.seq, &r.at, &r.system, &r.kind, &r.run, &r.body, &r.previous, &r.hash); err != nil {
			return fmt.Errorf("read the records: %w", err)
		}
		if err := visit(r); err != nil {
			return err
		}
	}
	return rows.Err()
}

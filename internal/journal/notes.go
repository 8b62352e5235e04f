package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Note is a record whose meaning is its writer's: a confirmation, a signed item,
// an opened window.
type Note struct {
	Seq    int64           `json:"seq"`
	At     time.Time       `json:"at"`
	System string          `json:"system"`
	Kind   string          `json:"kind"`
	Body   json.RawMessage `json:"body"`
}

// remark is the body of a note's record.
type remark struct {
	Kind string          `json:"kind"`
	Body json.RawMessage `json:"body"`
}

// Note records something that is neither a run nor a plan. body is encoded as
// JSON.
func (j *Journal) Note(ctx context.Context, system, kind string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode a %s note: %w", kind, err)
	}
	return j.write(ctx, func(tx transaction) error {
		return j.append(ctx, tx, system, Noted, "", remark{Kind: kind, Body: text})
	})
}

// Notes returns the notes of one kind, the newest first.
func (j *Journal) Notes(ctx context.Context, system, kind string) ([]Note, error) {
	rows, err := j.db.QueryContext(ctx, "SELECT seq, at, system, kind, body FROM notes WHERE system = ? AND kind = ? ORDER BY seq DESC", system, kind)
	if err != nil {
		return nil, fmt.Errorf("read %s notes: %w", kind, err)
	}
	defer rows.Close()
	var notes []Note
	for rows.Next() {
		var n Note
		var at, body string
		if err := rows.Scan(&n.Seq, &at, &n.System, &n.Kind, &body); err != nil {
			return nil, fmt.Errorf("read %s notes: %w", kind, err)
		}
		if n.At, err = time.Parse(time.RFC3339Nano, at); err != nil {
			return nil, fmt.Errorf("read note %d: %w", n.Seq, err)
		}
		n.Body = json.RawMessage(body)
		notes = append(notes, n)
	}
	return notes, rows.Err()
}

func noted(ctx context.Context, tx transaction, r record) error {
	var said remark
	if err := r.decode(&said); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO notes (seq, at, system, kind, body) VALUES (?, ?, ?, ?, ?)",
		r.seq, r.at, r.system, said.Kind, string(said.Body))
	if err != nil {
		return fmt.Errorf("store note %d: %w", r.seq, err)
	}
	return nil
}

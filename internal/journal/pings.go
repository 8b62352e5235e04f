package journal

import (
	"context"
	"fmt"
	"time"
)

// Ping is one call of something that upkeep does not run.
type Ping struct {
	Name   string
	At     time.Time
	Signal string // start, fail, log, an exit code; empty = success
	Body   []byte // the log that came with it, cut
	Whole  int64  // its bytes before that
}

// keptPings is how many are kept of each name.
const keptPings = 100

// Heard keeps a ping, and of its name the last keptPings.
func (j *Journal) Heard(ctx context.Context, system string, p Ping) error {
	return j.write(ctx, func(tx transaction) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO pings (system, name, at, signal, body, whole) VALUES (?, ?, ?, ?, ?, ?)",
			system, p.Name, p.At.UnixNano(), p.Signal, nonNil(p.Body), p.Whole)
		if err != nil {
			return fmt.Errorf("keep a ping of %s: %w", p.Name, err)
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM pings WHERE system = ? AND name = ? AND id <= (
			SELECT id FROM pings WHERE system = ? AND name = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`,
			system, p.Name, system, p.Name, keptPings)
		if err != nil {
			return fmt.Errorf("drop old pings of %s: %w", p.Name, err)
		}
		return nil
	})
}

// nonNil is what a column that must not be NULL gets.
func nonNil(body []byte) []byte {
	if body == nil {
		return []byte{}
	}
	return body
}

// Pings returns the pings of a name, oldest first, with their logs where they are asked for.
func (j *Journal) Pings(ctx context.Context, system, name string, logs bool) ([]Ping, error) {
	rows, err := j.db.QueryContext(ctx, "SELECT at, signal, iif(?, body, x''), whole FROM pings WHERE system = ? AND name = ? ORDER BY id",
		logs, system, name)
	if err != nil {
		return nil, fmt.Errorf("read the pings of %s: %w", name, err)
	}
	defer rows.Close()
	var pings []Ping
	for rows.Next() {
		p := Ping{Name: name}
		var at int64
		if err := rows.Scan(&at, &p.Signal, &p.Body, &p.Whole); err != nil {
			return nil, fmt.Errorf("read the pings of %s: %w", name, err)
		}
		p.At = time.Unix(0, at)
		pings = append(pings, p)
	}
	return pings, rows.Err()
}

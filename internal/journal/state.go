package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"upkeep/internal/service"
)

// targetState keeps small values of one target. It is a table beside the journal,
// not part of the chain.
type targetState struct {
	db             *sql.DB
	system, target string
}

var _ service.State = targetState{}

// State returns the values that a target's kind keeps between runs.
func (j *Journal) State(system, target string) service.State {
	return targetState{db: j.db, system: system, target: target}
}

// Get returns "" for a missing key.
func (s targetState) Get(ctx context.Context, key string) (string, error) {
	var value string
	err := s.db.QueryRowContext(ctx, "SELECT value FROM state WHERE system = ? AND target = ? AND key = ?",
		s.system, s.target, key).Scan(&value)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read state %s of %s: %w", key, s.target, err)
	}
	return value, nil
}

// Set keeps a value; "" removes the key.
func (s targetState) Set(ctx context.Context, key, value string) error {
	query, args := "INSERT OR REPLACE INTO state (system, target, key, value) VALUES (?, ?, ?, ?)", []any{s.system, s.target, key, value}
	if value == "" {
		query, args = "DELETE FROM state WHERE system = ? AND target = ? AND key = ?", args[:3]
	}
	if _, err := s.db.ExecContext(ctx, query, args...); err != nil {
		return fmt.Errorf("keep state %s of %s: %w", key, s.target, err)
	}
	return nil
}

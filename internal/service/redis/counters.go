package redis

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"upkeep/internal/service"
)

// stateKey is where the counters of the last check are kept.
const stateKey = "counters"

// counters are totals since the server started. They are compared with those of
// the last check; RunID tells whether the server started anew in between.
type counters struct {
	RunID    string    `json:"run_id"`
	At       time.Time `json:"at"`
	Evicted  int64     `json:"evicted"`
	Rejected int64     `json:"rejected"` // connections over maxclients
}

// changes reports what happened since the last check. The first check has
// nothing to compare with and only remembers.
func (in *Instance) changes(ctx context.Context, v *service.Verdict, about info) error {
	now := counters{RunID: about["run_id"], At: in.env.Now()}
	now.Evicted, _ = about.number("evicted_keys")
	now.Rejected, _ = about.number("rejected_connections")
	before, err := in.remembered(ctx)
	if err != nil {
		return err
	}
	if before != nil {
		since := *before
		if since.RunID != now.RunID {
			since.Evicted, since.Rejected = 0, 0
		}
		window := now.At.Sub(since.At).Seconds()
		if n := now.Evicted - since.Evicted; n > 0 {
			v.Warn("evictions", "", service.Args{"keys": n, "window": window, "policy": about["maxmemory_policy"]})
		}
		if n := now.Rejected - since.Rejected; n > 0 {
			v.Warn("connections-rejected", "", service.Args{"connections": n, "window": window})
		}
	}
	text, err := json.Marshal(now)
	if err != nil {
		return fmt.Errorf("remember the counters: %w", err)
	}
	if err := in.env.State.Set(ctx, stateKey, string(text)); err != nil {
		return fmt.Errorf("remember the counters: %w", err)
	}
	return nil
}

// remembered returns nil before the first check.
func (in *Instance) remembered(ctx context.Context) (*counters, error) {
	text, err := in.env.State.Get(ctx, stateKey)
	if err != nil {
		return nil, fmt.Errorf("recall the counters: %w", err)
	}
	if text == "" {
		return nil, nil
	}
	var before counters
	if err := json.Unmarshal([]byte(text), &before); err != nil {
		return nil, fmt.Errorf("recall the counters: %w", err)
	}
	return &before, nil
}

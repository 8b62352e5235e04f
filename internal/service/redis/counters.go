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
	Looked   *lookups  `json:"looked"`   // nil where an older version of upkeep remembered
	Own      lookups   `json:"own"`      // that our own sample added after the server was asked
	Slow     int64     `json:"slow"`     // ID of the next entry of the slow log, or unknownSlow
}

// changes reports what happened since the last check. The first check has
// nothing to compare with and only remembers.
func (in *Instance) changes(ctx context.Context, c *conn, v *service.Verdict, about info, own lookups) error {
	now := in.count(about, own)
	before, err := in.remembered(ctx)
	if err != nil {
		return err
	}
	if before != nil {
		if before.RunID != now.RunID {
			before = &counters{RunID: now.RunID, At: before.At, Looked: &lookups{}}
		}
		in.growth(v, *before, now, about)
	}
	if now.Slow, err = in.slow(c, v, before); err != nil {
		return err
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

func (in *Instance) count(about info, own lookups) counters {
	now := counters{RunID: about["run_id"], At: in.env.Now(), Own: own, Looked: &lookups{}}
	now.Evicted, _ = about.number("evicted_keys")
	now.Rejected, _ = about.number("rejected_connections")
	now.Looked.Hits, _ = about.number("keyspace_hits")
	now.Looked.Misses, _ = about.number("keyspace_misses")
	return now
}

func (in *Instance) growth(v *service.Verdict, since, now counters, about info) {
	window := now.At.Sub(since.At).Seconds()
	if n := now.Evicted - since.Evicted; n > 0 {
		v.Warn("evictions", "", service.Args{"keys": n, "window": window, "policy": about["maxmemory_policy"]})
	}
	if n := now.Rejected - since.Rejected; n > 0 {
		v.Warn("connections-rejected", "", service.Args{"connections": n, "window": window})
	}
	in.hits(v, since, now, window)
}

// hits judges the lookups since the last check, without our own. A counter that
// fell was reset: then it is not known since when it counts.
func (in *Instance) hits(v *service.Verdict, since, now counters, window float64) {
	if since.Looked == nil {
		return
	}
	hits := now.Looked.Hits - since.Looked.Hits - since.Own.Hits
	misses := now.Looked.Misses - since.Looked.Misses - since.Own.Misses
	if hits < 0 || misses < 0 || hits+misses == 0 {
		return
	}
	rate := float64(hits) / float64(hits+misses)
	v.Set("hit_rate", rate)
	v.Set("lookups", hits+misses)
	limit := in.cfg.HitRate
	if hits+misses >= limit.Lookups && rate < float64(limit.Warning) {
		v.Warn("hit-rate-low", "", service.Args{"rate": rate, "lookups": hits + misses, "window": window, "limit": float64(limit.Warning)})
	}
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

package compose

import (
	"context"
	"encoding/json"
	"fmt"
)

// stateRestarts is where the counters of the last check are kept, by container ID.
const stateRestarts = "restarts"

// restarts is by how much the engine's counter of each container has grown since
// the last check. A container that is new, or was started by hand since, counts
// from 0.
func (in *Instance) restarts(ctx context.Context, s *seen) (map[string]int, error) {
	var before map[string]int
	if err := in.recall(ctx, stateRestarts, &before); err != nil {
		return nil, err
	}
	now, grown := map[string]int{}, map[string]int{}
	for _, all := range s.services {
		for _, c := range all {
			now[c.ID], grown[c.ID] = c.RestartCount, c.RestartCount
			if last := before[c.ID]; last <= c.RestartCount {
				grown[c.ID] -= last
			}
		}
	}
	return grown, in.remember(ctx, stateRestarts, now)
}

// recall leaves what alone when nothing was remembered.
func (in *Instance) recall(ctx context.Context, key string, what any) error {
	text, err := in.env.State.Get(ctx, key)
	if err == nil && text != "" {
		err = json.Unmarshal([]byte(text), what)
	}
	if err != nil {
		return fmt.Errorf("recall %s: %w", key, err)
	}
	return nil
}

func (in *Instance) remember(ctx context.Context, key string, what any) error {
	text, err := json.Marshal(what)
	if err == nil {
		err = in.env.State.Set(ctx, key, string(text))
	}
	if err != nil {
		return fmt.Errorf("remember %s: %w", key, err)
	}
	return nil
}

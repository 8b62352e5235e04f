package celery

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"upkeep/internal/service"
)

// stateKey is where the last check's look is kept.
const stateKey = "seen"

// forgotten is after how long a worker that has gone is no longer named: it was
// renamed or moved.
const forgotten = 24 * time.Hour

// memory is what earlier checks saw.
type memory struct {
	Workers map[string]time.Time `json:"workers"` // last answer by name
	Waiting map[string]backlog   `json:"waiting"` // queues that nobody consumed
}

// backlog is since when a queue without consumers has not become shorter.
type backlog struct {
	Since    time.Time `json:"since"`
	Messages int64     `json:"messages"`
}

func (in *Instance) recall(ctx context.Context) (*memory, error) {
	m := &memory{Workers: map[string]time.Time{}, Waiting: map[string]backlog{}}
	text, err := in.env.State.Get(ctx, stateKey)
	if err != nil {
		return nil, fmt.Errorf("recall the workers: %w", err)
	}
	if text == "" {
		return m, nil
	}
	if err := json.Unmarshal([]byte(text), m); err != nil {
		return nil, fmt.Errorf("recall the workers: %w", err)
	}
	return m, nil
}

func (in *Instance) remember(ctx context.Context, m *memory) error {
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("remember the workers: %w", err)
	}
	if err := in.env.State.Set(ctx, stateKey, string(text)); err != nil {
		return fmt.Errorf("remember the workers: %w", err)
	}
	return nil
}

// gone notes who answered now and returns the names of those who did earlier and are
// neither here nor silent now.
func (m *memory) gone(here []*worker, silent []string, now time.Time) (names []string) {
	present := map[string]bool{}
	for _, w := range here {
		present[w.name], m.Workers[w.name] = true, now
	}
	for _, name := range silent {
		present[name] = true
	}
	for name, last := range m.Workers {
		switch {
		case now.Sub(last) > forgotten:
			delete(m.Workers, name)
		case !present[name]:
			names = append(names, name)
		}
	}
	return names
}

// waited returns how long a message of a queue that nobody consumes waits at least.
// Nothing leaves such a queue, so as long as it does not become shorter its oldest
// message is as old as the first of our looks.
func (m *memory) waited(q service.Queue, now time.Time) time.Duration {
	ready := q.Messages - q.Unacked
	before, known := m.Waiting[q.Name]
	if !known || ready < before.Messages {
		m.Waiting[q.Name] = backlog{now, ready}
		return 0
	}
	m.Waiting[q.Name] = backlog{before.Since, ready}
	return now.Sub(before.Since)
}

package rabbitmq

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// stateKey is where the marks of the last check are kept.
const stateKey = "waiting"

// mark is a moment at which a queue held ready messages, and how many had been
// published to it until then.
type mark struct {
	Since     time.Time `json:"since"`
	Published int64     `json:"published"`
}

// waits are the marks of all queues that held something at the last check.
//
// A broker does not know how old a message is. But while a queue holds more ready
// messages than were published to it since a mark, one of them was there at the
// mark already, whatever was delivered, expired or purged meanwhile. So "waits at
// least since" needs no look at a message. Counters are up to ten seconds late,
// which can keep a mark one check too long, and a queue that is deleted and made
// again between two checks keeps its mark if it got more messages than the old one.
type waits struct {
	At    time.Time       `json:"at"`
	Marks map[string]mark `json:"marks"`
}

// judge returns how long a message waits at least, and moves the mark.
func (w *waits) judge(q queue, now time.Time) time.Duration {
	if !q.ready.known || !q.published.known {
		return 0
	}
	waited, waits := w.waited(q, now)
	switch {
	case q.ready.value == 0:
		delete(w.Marks, q.name)
	case !waits:
		w.Marks[q.name] = mark{now, q.published.value}
	}
	return waited
}

// waited is judge without moving the mark; waits says that the mark still holds.
func (w *waits) waited(q queue, now time.Time) (waited time.Duration, waits bool) {
	m, marked := w.Marks[q.name]
	since := q.published.value - m.Published
	if !marked || since < 0 || q.ready.value <= since || !q.ready.known || !q.published.known {
		return 0, false
	}
	return now.Sub(m.Since), true
}

// recall reads the marks. Counters begin anew with a node, so a restart since then,
// or an uptime that nobody told, ends all of them.
func (in *Instance) recall(ctx context.Context, seen view) (*waits, error) {
	w := &waits{Marks: map[string]mark{}}
	text, err := in.env.State.Get(ctx, stateKey)
	if err != nil {
		return nil, fmt.Errorf("recall what waited: %w", err)
	}
	if text == "" {
		return w, nil
	}
	if err := json.Unmarshal([]byte(text), w); err != nil {
		return nil, fmt.Errorf("recall what waited: %w", err)
	}
	if seen.queued == nil && !seen.upSince(w.At, in.env.Now()) {
		w.Marks = map[string]mark{}
	}
	return w, nil
}

// upSince reports whether every node runs since then.
func (v view) upSince(then, now time.Time) bool {
	for _, n := range v.nodes {
		up := time.Duration(n.Uptime.value) * time.Millisecond
		if n.Running && (!n.Uptime.known || now.Add(-up).After(then)) {
			return false
		}
	}
	return len(v.nodes) > 0
}

// remember keeps the marks of queues that exist. Without a list of the queues the old
// marks stay as they are.
func (in *Instance) remember(ctx context.Context, w *waits, seen view) error {
	if seen.queued != nil {
		return nil
	}
	there := map[string]bool{}
	for _, q := range seen.queues {
		there[q.name] = !q.missing
	}
	for name := range w.Marks {
		if !there[name] {
			delete(w.Marks, name)
		}
	}
	w.At = in.env.Now()
	text, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("remember what waits: %w", err)
	}
	if err := in.env.State.Set(ctx, stateKey, string(text)); err != nil {
		return fmt.Errorf("remember what waits: %w", err)
	}
	return nil
}

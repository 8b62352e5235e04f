package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Health is how one way out goes.
type Health struct {
	Channel  Channel   `json:"channel"`
	Accepted time.Time `json:"accepted,omitzero"` // the last that was taken
	Since    time.Time `json:"since,omitzero"`    // the first of an unbroken row that were not; zero = it goes
	Answer   string    `json:"answer,omitempty"`  // of the last that was not
	Lost     int       `json:"lost,omitempty"`    // given up since then: too old, or too many
	Waiting  int       `json:"-"`
}

// Failing reports whether the last try was not accepted.
func (h Health) Failing() bool { return !h.Since.IsZero() }

const healthEnd = ".health"

// Health returns how every way out goes that was ever tried, by name.
func (o *Outbox) Health() ([]Health, error) {
	entries, err := o.entries()
	if err != nil {
		return nil, err
	}
	waiting := map[Channel]int{}
	for _, e := range entries {
		waiting[e.channel]++
	}
	files, err := filepath.Glob(filepath.Join(o.Dir, "*"+healthEnd))
	if err != nil {
		return nil, fmt.Errorf("look for what was sent: %w", err)
	}
	var all []Health
	for _, file := range files {
		h, err := o.health(Channel(strings.TrimSuffix(filepath.Base(file), healthEnd)))
		if err != nil {
			return nil, err
		}
		h.Waiting = waiting[h.Channel]
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b Health) int { return strings.Compare(string(a.Channel), string(b.Channel)) })
	return all, nil
}

// health is that of one way; one that was never tried is well. A file that cannot be read is
// as if it was not there: the next try writes it anew.
func (o *Outbox) health(c Channel) (Health, error) {
	h := Health{Channel: c}
	text, err := os.ReadFile(o.healthFile(c))
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err != nil {
		return h, fmt.Errorf("read how %s goes: %w", c, err)
	}
	if json.Unmarshal(text, &h) != nil {
		return Health{Channel: c}, nil
	}
	h.Channel = c
	return h, nil
}

func (o *Outbox) healthFile(c Channel) string { return filepath.Join(o.Dir, string(c)+healthEnd) }

// Event is what became of a way out. Whoever hears that one has begun to fail may tell it by
// another one.
type Event struct {
	Health
	Began bool // it has just begun to fail
	Ended bool // it goes again
}

// Note records how a try went. A way that goes again has all that waits for it due.
func (o *Outbox) Note(c Channel, now time.Time, failure error) (e Event, err error) {
	if e.Health, err = o.health(c); err != nil {
		return e, err
	}
	if failing := e.Failing(); failure == nil {
		e = Event{Health: Health{Channel: c, Accepted: now}, Ended: failing}
	} else {
		e.Answer, e.Began = said(failure), !failing
		if e.Began {
			e.Since = now
		}
	}
	err = o.keepHealth(e.Health)
	if e.Began || e.Ended {
		waiting, failed := o.waiting(c, now, e.Ended)
		e.Waiting, err = waiting, errors.Join(err, failed)
	}
	return e, err
}

func (o *Outbox) keepHealth(h Health) error {
	text, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("encode how %s goes: %w", h.Channel, err)
	}
	return o.write(o.healthFile(h.Channel), text)
}

// Forget drops what is known of a way that is no longer declared.
func (o *Outbox) Forget(c Channel) error {
	if err := os.Remove(o.healthFile(c)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget how %s went: %w", c, err)
	}
	return nil
}

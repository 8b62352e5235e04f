package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Outbox keeps messages until their receiver has taken them: a file each, written once, whose
// time of change says when the next try is due. It outlives the process, and several
// processes may use it side by side.
type Outbox struct{ Dir string }

// What waits is bounded, in number, size and age. What goes beyond is given up, the oldest
// first, and counted.
const (
	mostWaiting = 200
	mostBytes   = 64 << 20
	oldest      = 3 * 24 * time.Hour
)

// A message is tried again after as long as it has waited, so that waits double, within these.
const (
	shortestWait = time.Minute
	longestWait  = 4 * time.Hour
)

const entryEnd = ".json"

// entry is one message that waits. Its name is CHANNEL~NANOSECONDS~ID.json.
type entry struct {
	channel Channel
	made    time.Time
	due     time.Time
	id      string
	size    int64
	path    string
}

// Put lets a message wait for the next Deliver. The same ID of a channel is one message.
func (o *Outbox) Put(c Channel, id string, now time.Time, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode a message for %s: %w", c, err)
	}
	entries, err := o.entries()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(entries, func(e entry) bool { return e.channel == c && e.id == id }) {
		return nil
	}
	path := filepath.Join(o.Dir, strings.Join([]string{string(c), strconv.FormatInt(now.UnixNano(), 10), id}, "~")+entryEnd)
	if err := o.write(path, text); err != nil {
		return err
	}
	return os.Chtimes(path, time.Time{}, now) // due at once, by the clock of whoever delivers
}

func (o *Outbox) write(path string, text []byte) error {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return fmt.Errorf("make the outbox: %w", err)
	}
	return replace(path, text)
}

// entries are what waits, oldest first. A name that is none of ours is left alone.
func (o *Outbox) entries() (all []entry, err error) {
	files, err := os.ReadDir(o.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the outbox: %w", err)
	}
	for _, file := range files {
		parts := strings.Split(strings.TrimSuffix(file.Name(), entryEnd), "~")
		if len(parts) != 3 || !strings.HasSuffix(file.Name(), entryEnd) {
			continue
		}
		made, err := strconv.ParseInt(parts[1], 10, 64)
		info, gone := file.Info()
		if err != nil || gone != nil {
			continue // delivered meanwhile by another process
		}
		all = append(all, entry{Channel(parts[0]), time.Unix(0, made), info.ModTime(), parts[2], info.Size(), filepath.Join(o.Dir, file.Name())})
	}
	slices.SortFunc(all, func(a, b entry) int { return a.made.Compare(b.made) })
	return all, nil
}

// Deliver tries what is due, and gives up what is beyond the bounds. tell hears of every
// channel that began or ceased to fail, or lost something. Another process that delivers at
// this moment does the work in its place.
func (o *Outbox) Deliver(ctx context.Context, now func() time.Time, ways map[Channel]Sender, tell func(Event)) (err error) {
	if waiting, err := o.entries(); err != nil || len(waiting) == 0 {
		return err // the usual case takes no lock
	}
	lock := flock.New(filepath.Join(o.Dir, "lock"), flock.SetPermissions(0o600))
	held, err := lock.TryLock()
	if err != nil || !held {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	entries, err := o.entries()
	if err != nil {
		return err
	}
	entries, err = o.prune(entries, now(), ways, tell)
	for _, e := range entries {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if at := now(); !e.due.After(at) || e.due.After(at.Add(longestWait)) { // the clock went back
			err = errors.Join(err, o.try(ctx, e, now, ways[e.channel], tell))
		}
	}
	return err
}

// prune removes what has no channel any more and gives up what is beyond the bounds.
func (o *Outbox) prune(entries []entry, now time.Time, ways map[Channel]Sender, tell func(Event)) (left []entry, err error) {
	var bytes int64
	for _, e := range entries {
		bytes += e.size
	}
	lost := map[Channel]int{}
	number := len(entries)
	for _, e := range entries {
		switch {
		case ways[e.channel] == nil:
		case number > mostWaiting || bytes > mostBytes || now.Sub(e.made) > oldest:
			lost[e.channel]++
		default:
			left = append(left, e)
			continue
		}
		number, bytes = number-1, bytes-e.size
		err = errors.Join(err, os.Remove(e.path))
	}
	for channel, n := range lost {
		h, failed := o.health(channel)
		h.Lost += n
		if h.Since.IsZero() {
			h.Since = now
		}
		err = errors.Join(err, failed, o.keepHealth(h))
		tell(Event{Health: h})
	}
	return left, err
}

func (o *Outbox) try(ctx context.Context, e entry, now func() time.Time, send Sender, tell func(Event)) error {
	body, err := os.ReadFile(e.path)
	if err != nil {
		return fmt.Errorf("read a message that waits: %w", err)
	}
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, failure := send(within, body)
	if ctx.Err() != nil {
		return ctx.Err() // the process ends: nothing is known of the receiver
	}
	if failure == nil {
		err = os.Remove(e.path)
	}
	event, noted := o.Note(e.channel, now(), failure)
	if err = errors.Join(err, noted); event.Began || event.Ended {
		tell(event)
	}
	if failure == nil {
		return err
	}
	wait := min(max(now().Sub(e.made), shortestWait), longestWait)
	return errors.Join(err, os.Chtimes(e.path, time.Time{}, now().Add(wait)))
}

// waiting counts what waits for a channel. hurry makes all of it due.
func (o *Outbox) waiting(c Channel, now time.Time, hurry bool) (n int, err error) {
	entries, err := o.entries()
	for _, e := range entries {
		if e.channel != c {
			continue
		}
		n++
		if hurry {
			err = errors.Join(err, os.Chtimes(e.path, time.Time{}, now))
		}
	}
	return n, err
}

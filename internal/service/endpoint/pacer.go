package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// pacer keeps upkeep from using up a server's rate limit, which its users share.
// It knows every host and port that this process asks; what must outlive the
// process is in Env.State.
type pacer struct {
	lock  sync.Mutex
	hosts map[string]*turn
}

// turn is when a server may be asked again.
type turn struct {
	next  time.Time // within its budget
	until time.Time // it said 429: not before
}

func newPacer() *pacer { return &pacer{hosts: map[string]*turn{}} }

// patience is how long a request may wait for its turn: a check takes seconds.
const patience = 10 * time.Second

// held is the reason why a server was not asked.
type held struct {
	until   time.Time
	limited bool // by the server, else by the declared budget
}

func (h *held) Error() string {
	return fmt.Sprintf("not asked again before %s", h.until.Format(time.RFC3339))
}

// reserve takes the next turn and says how long to wait for it, or returns *held.
func (p *pacer) reserve(host string, now time.Time, interval time.Duration) (time.Duration, error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	t := p.turn(host)
	if now.Before(t.until) {
		return 0, &held{until: t.until, limited: true}
	}
	if interval == 0 {
		return 0, nil
	}
	start := now
	if t.next.After(now) {
		start = t.next
	}
	if start.Sub(now) > patience {
		return 0, &held{until: start}
	}
	t.next = start.Add(interval)
	return start.Sub(now), nil
}

// learn takes over what this or another process knows; the later time counts.
func (p *pacer) learn(host string, next, until time.Time) {
	p.lock.Lock()
	defer p.lock.Unlock()
	t := p.turn(host)
	if next.After(t.next) {
		t.next = next
	}
	if until.After(t.until) {
		t.until = until
	}
}

func (p *pacer) turn(host string) *turn {
	if p.hosts[host] == nil {
		p.hosts[host] = &turn{}
	}
	return p.hosts[host]
}

// Keys of Env.State.
const (
	askedKey   = "asked"   // when the last request was sent
	limitedKey = "limited" // until when the server wants to be left alone
)

// ask probes when it is this endpoint's turn, and remembers what the server said
// about the next one.
func (in *Instance) ask(ctx context.Context) (answer, error) {
	if err := in.await(ctx); err != nil {
		return answer{}, err
	}
	a, err := in.probe(ctx)
	if err != nil || a.status != http.StatusTooManyRequests || in.cfg.Expect.Status.covers(a.status) {
		return a, err
	}
	until := retryAt(a.header.Get("Retry-After"), in.env.Now())
	in.pacer.learn(hostPort(in.url), time.Time{}, until)
	return a, errors.Join(&held{until: until, limited: true}, in.keep(ctx, limitedKey, until))
}

func (in *Instance) await(ctx context.Context) error {
	host, interval := hostPort(in.url), in.cfg.Budget.interval()
	asked, err1 := in.recall(ctx, askedKey)
	until, err2 := in.recall(ctx, limitedKey)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	now := in.env.Now()
	// After the clock was set back these say nothing.
	asked, until = notAfter(now, asked), notAfter(now.Add(longest), until)
	in.pacer.learn(host, asked.Add(interval), until)
	wait, err := in.pacer.reserve(host, now, interval)
	if err != nil {
		return err
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return fmt.Errorf("wait for a turn: %w", ctx.Err())
	}
	if interval == 0 {
		return nil
	}
	return in.keep(ctx, askedKey, in.env.Now())
}

func notAfter(limit, at time.Time) time.Time {
	if at.After(limit) {
		return time.Time{}
	}
	return at
}

// longest is for how long a server can keep us away: a hostile or broken one must
// not switch its own check off.
const longest = time.Hour

// retryAt reads seconds or a date. What makes no sense counts as a minute.
func retryAt(header string, now time.Time) time.Time {
	wait := time.Minute
	if seconds, err := strconv.ParseInt(strings.TrimSpace(header), 10, 64); err == nil && seconds >= 0 {
		wait = time.Duration(min(seconds, int64(longest/time.Second))) * time.Second
	} else if date, err := http.ParseTime(header); err == nil && date.After(now) {
		wait = min(date.Sub(now), longest)
	}
	return now.Add(wait)
}

func (in *Instance) recall(ctx context.Context, key string) (time.Time, error) {
	text, err := in.env.State.Get(ctx, key)
	if err != nil {
		return time.Time{}, fmt.Errorf("recall the last request: %w", err)
	}
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("recall the last request: %w", err)
	}
	return at, nil
}

func (in *Instance) keep(ctx context.Context, key string, at time.Time) error {
	if err := in.env.State.Set(ctx, key, at.Format(time.RFC3339Nano)); err != nil {
		return fmt.Errorf("remember this request: %w", err)
	}
	return nil
}

package schedule

import (
	"cmp"
	"context"
	"slices"
	"time"

	"upkeep/internal/calendar"
	"upkeep/internal/config"
)

// line puts a turn where it would begin: the higher priority first, then what was due
// first.
func (s *Schedule) line(t *turn) {
	at, _ := slices.BinarySearchFunc(s.open, t, func(a, b *turn) int {
		return cmp.Or(cmp.Compare(b.job.Priority, a.job.Priority), a.Due.Compare(b.Due), cmp.Compare(a.Job, b.Job))
	})
	s.open = slices.Insert(s.open, at, t)
}

// begin has all turns run that can be. Those of a queue wait here for one of its
// places, so that of a thousand only a few wait in the queue itself, where other
// processes are seen too.
func (s *Schedule) begin(ctx context.Context, now time.Time) {
	if ctx.Err() != nil {
		return
	}
	kept := s.open[:0]
	for _, t := range s.open {
		if !s.may(ctx, t, now) {
			kept = append(kept, t)
			continue
		}
		t.job.running = true
		t.queue, t.retry = t.job.Queue, t.job.Retry
		s.places[t.queue]++
		t.job.last = now
		go s.run(ctx, *t, now)
	}
	s.open = kept
	for _, t := range s.open {
		if t.job.running && t.since.Before(t.job.last) {
			t.since = t.job.last // what ended well before that was the earlier turn's
		}
	}
}

func (s *Schedule) may(ctx context.Context, t *turn, now time.Time) bool {
	places := cmp.Or(t.job.places, atOnce)
	if t.job.running || s.places[t.job.Queue] >= places || t.pauses(now) {
		return false
	}
	if t.Tries > 0 || s.ready(t) {
		return true
	}
	if t.Detail != Waits {
		t.Detail = Waits
		s.save(ctx, t)
	}
	return false
}

// pauses reports whether the time before the next try has not passed. More than was
// agreed is left only when the clock was set back.
func (t *turn) pauses(now time.Time) bool {
	left := t.Began.Sub(now)
	return t.State == calendar.Enqueued && t.Tries > 0 && left > 0 && left <= t.pause(t.job.Retry)
}

// pause is how long to wait after the tries that there were.
func (t *turn) pause(r config.Retry) time.Duration { return r.Wait.Std() << min(t.Tries-1, 20) }

// run is one try, in a goroutine of its own.
func (s *Schedule) run(ctx context.Context, t turn, now time.Time) {
	resumed := t.State == calendar.Started
	t.State, t.Detail = calendar.Started, ""
	if !resumed {
		t.Began, t.Tries, t.Run = now, t.Tries+1, s.world.NewRun(now)
	}
	if err := s.world.Ledger.SaveTurn(context.WithoutCancel(ctx), t.Turn); err != nil {
		s.world.Log.Error("turn not saved as started", "job", t.Job, "due", t.Due, "error", err)
	}
	result := s.world.Run(ctx, t.Turn)
	if !result.Interrupted {
		s.close(ctx, &t, result)
	}
	s.ended <- ended{&t, result}
}

// close writes down how a try ended, and the next one where there is to be one.
func (s *Schedule) close(ctx context.Context, t *turn, r Result) {
	now := s.world.Now()
	t.State, t.Exit, t.Ended, t.Detail = calendar.Ended, r.Exit, now, r.Detail
	if again(t, r) {
		t.State, t.Began = calendar.Enqueued, now.Add(t.pause(t.retry))
	}
	s.save(ctx, t)
}

// again reports whether a try that ended so is followed by another: what may end
// otherwise the next time, not what was refused or found.
func again(t *turn, r Result) bool {
	const unknown, failed, partly = 3, 4, 5 // engine's exit codes
	may := r.Exit == unknown || r.Exit == failed || r.Exit == partly || r.Busy
	return may && t.Tries <= t.retry.Times
}

// settle takes the end of a try into account.
func (s *Schedule) settle(e ended) {
	t := e.turn
	t.job.running = false
	s.places[t.queue]--
	switch {
	case e.result.Interrupted:
	case t.State == calendar.Enqueued:
		s.line(t)
	case t.Exit == 0:
		s.well[t.Job] = t.Ended
	}
}

func (s *Schedule) save(ctx context.Context, t *turn) {
	if err := s.world.Ledger.SaveTurn(context.WithoutCancel(ctx), t.Turn); err != nil {
		s.world.Log.Error("turn not saved", "job", t.Job, "due", t.Due, "state", t.State, "error", err)
	}
}

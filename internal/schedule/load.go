package schedule

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"upkeep/internal/calendar"
	"upkeep/internal/config"
)

// declare takes over a declaration. A job that stays keeps where it stands.
func (s *Schedule) declare(d Declared) {
	before := s.jobs
	s.jobs = map[string]*job{}
	for name, declared := range d.Jobs {
		j := &job{name: name}
		if known, stays := before[name]; stays {
			j = known
		}
		j.Job, j.places, j.offset, j.gone = declared, 0, s.offset(name, declared), false
		if declared.Queue != "" {
			j.places = max(d.Queues[declared.Queue].Concurrency, 1)
		}
		s.jobs[name] = j
	}
	for name, j := range before {
		if s.jobs[name] == nil && j.running {
			j.Job, j.next, j.mark, j.gone = config.Job{}, time.Time{}, calendar.Mark{}, true
			s.jobs[name] = j
		}
	}
	s.names = slices.Sorted(maps.Keys(s.jobs))
}

// offset is how much later than declared a job begins: always as much, on this machine.
func (s *Schedule) offset(name string, j config.Job) time.Duration {
	if j.Jitter <= 0 {
		return 0
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%q %q %q", s.world.Spread, s.system, name)
	return time.Duration(h.Sum64() % uint64(j.Jitter))
}

// form is what a job's mark holds for.
func form(j *job) string { return j.At.String() + " " + j.At.Zone().String() }

// load reads what an earlier process left.
func (s *Schedule) load(ctx context.Context) (err error) {
	if s.well, err = s.world.Ledger.EndedWell(ctx, s.system); err != nil {
		return err
	}
	last, err := s.world.Ledger.LastTurns(ctx, s.system)
	if err != nil {
		return err
	}
	for name, due := range last {
		if j := s.jobs[name]; j != nil {
			j.last = due
		}
	}
	if err := s.marked(ctx); err != nil {
		return err
	}
	left, err := s.world.Ledger.OpenTurns(ctx, s.system)
	if err != nil {
		return err
	}
	for _, t := range left {
		if err := s.takeUp(ctx, t); err != nil {
			return err
		}
	}
	s.refuseUndeclared(ctx)
	return nil
}

// takeUp puts a turn of an earlier process among those that begin.
func (s *Schedule) takeUp(ctx context.Context, t calendar.Turn) error {
	j := s.jobs[t.Job]
	if j == nil {
		j = &job{name: t.Job}
	}
	left := &turn{Turn: t, job: j}
	if len(j.After) > 0 && !j.At.IsZero() {
		since, err := s.world.Ledger.TurnBefore(ctx, s.system, t.Job, t.Due)
		if err != nil {
			return err
		}
		left.since = since
	}
	s.line(left)
	return nil
}

// marked reads up to when turns are written down. A job that is new, or due in another
// form, has missed nothing.
func (s *Schedule) marked(ctx context.Context) error {
	known, err := s.world.Ledger.Marks(ctx, s.system)
	if err != nil {
		return err
	}
	var fresh []calendar.Mark
	now := s.world.Now()
	for name, j := range s.jobs {
		if j.gone {
			continue
		}
		j.mark = known[name]
		if j.mark.Job == "" || j.mark.Form != form(j) {
			j.mark = calendar.Mark{Job: name, Form: form(j), Upto: now.Add(-j.offset)}
			fresh = append(fresh, j.mark)
		}
		if j.last.IsZero() {
			j.last = j.mark.Upto
		}
		j.reckon()
	}
	if len(fresh) > 0 {
		_, err = s.world.Ledger.ClaimTurns(ctx, nil, s.system, fresh)
	}
	for name := range known {
		if j := s.jobs[name]; j == nil || j.gone {
			err = errors.Join(err, s.world.Ledger.DropMark(ctx, s.system, name))
		}
	}
	return err
}

// reckon finds when the job is due next.
func (j *job) reckon() {
	if j.next = j.At.Next(j.mark.Upto); !j.next.IsZero() {
		j.next = j.next.Add(j.offset)
	}
}

// refuseUndeclared closes turns of jobs that are gone; one whose run was begun cannot be
// gone on with either.
func (s *Schedule) refuseUndeclared(ctx context.Context) {
	kept := s.open[:0]
	for _, t := range s.open {
		if j := s.jobs[t.Job]; j != nil && !j.gone {
			t.job = j
			kept = append(kept, t)
			continue
		}
		t.State, t.Detail, t.Ended = calendar.Refused, Undeclared, s.world.Now()
		s.save(ctx, t)
	}
	s.open = kept
}

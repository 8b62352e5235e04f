package schedule

import (
	"context"
	"fmt"
	"slices"
	"time"

	"upkeep/internal/calendar"
)

// Why a turn was not run, or not at once.
const (
	Passed     = "passed"     // nothing ran when it was due
	Later      = "later"      // a later one runs in its place
	Running    = "running"    // an earlier one still ran
	Waits      = "waits"      // for the jobs that it comes after
	NotCome    = "not-come"   // those did not end well before its next turn
	Undeclared = "undeclared" // its job is gone
)

// claim writes down every turn that has come since the marks. Those that are ours wait
// for their beginning.
func (s *Schedule) claim(ctx context.Context, now time.Time) error {
	var turns []calendar.Turn
	marks := s.setBack(now)
	for _, name := range s.names {
		j := s.jobs[name]
		if j.next.IsZero() || j.next.After(now) {
			continue
		}
		came := s.came(j, now)
		turns = append(turns, came...)
		moved := j.mark
		moved.Upto = came[len(came)-1].Due
		marks = append(marks, moved)
	}
	turns = append(turns, s.followers()...)
	if len(turns)+len(marks) == 0 {
		return nil
	}
	claimed, err := s.world.Ledger.ClaimTurns(ctx, turns, s.system, marks)
	if err != nil {
		return err
	}
	s.claimed(ctx, claimed, marks)
	for _, t := range turns {
		s.jobs[t.Job].last = t.Due // also where another had claimed it
	}
	return nil
}

// setBack is for a clock that was set back: turns that it reaches again count, where
// they were not run, and so does what ends well from now on.
func (s *Schedule) setBack(now time.Time) (marks []calendar.Mark) {
	for name, well := range s.well {
		if well.After(now) {
			s.well[name] = now
		}
	}
	for _, name := range s.names {
		j := s.jobs[name]
		if j.last.After(now) {
			j.last = now
		}
		if j.mark.Upto.After(now) {
			j.mark.Upto = now.Add(-j.offset)
			j.reckon()
			marks = append(marks, j.mark)
		}
	}
	return marks
}

// claimed moves the marks and puts what is ours in line.
func (s *Schedule) claimed(ctx context.Context, turns []calendar.Turn, marks []calendar.Mark) {
	for _, t := range turns {
		j := s.jobs[t.Job]
		if t.State == calendar.Enqueued {
			s.supersede(ctx, j, t)
			s.line(&turn{Turn: t, job: j, since: j.last})
		}
		j.last = t.Due
	}
	for _, m := range marks {
		s.jobs[m.Job].mark = m
		s.jobs[m.Job].reckon()
	}
}

// came lists the turns of a job since its mark, the newest last. Those that nobody was
// there for are judged by the job's policy.
func (s *Schedule) came(j *job, now time.Time) []calendar.Turn {
	var late, timely []calendar.Turn
	dropped := 0
	for due := range j.At.Between(j.mark.Upto, now.Add(-j.offset)) {
		t := calendar.Turn{System: s.system, Job: j.name, Due: due, State: calendar.Enqueued}
		if now.Sub(due.Add(j.offset)) <= punctual {
			timely = append(timely, t)
			continue
		}
		if late = append(late, t); len(late) > 2*mostMissed {
			dropped += mostMissed
			late = slices.Delete(late, 0, mostMissed)
		}
	}
	return append(s.missed(j, late, dropped, len(timely) > 0), s.overlapping(j, timely)...)
}

// missed judges turns that passed while nothing ran. dropped ones are too many to be
// written one by one; followed says that a turn in time comes after them.
func (s *Schedule) missed(j *job, late []calendar.Turn, dropped int, followed bool) []calendar.Turn {
	if n := len(late) - mostMissed; n > 0 {
		late, dropped = late[n:], dropped+n
	}
	for i := range late {
		switch newest := i == len(late)-1; {
		case j.Missed == "all":
		case j.Missed == "once" && newest && !followed:
		case j.Missed == "once":
			late[i].State, late[i].Detail = calendar.Missed, Later
		default:
			late[i].State, late[i].Detail = calendar.Missed, Passed
		}
	}
	if dropped > 0 {
		late[0].State, late[0].Detail = calendar.Missed, fmt.Sprintf("%s+%d", Passed, dropped)
	}
	return late
}

// overlapping skips turns that come while an earlier one runs, unless all are to be run.
func (s *Schedule) overlapping(j *job, timely []calendar.Turn) []calendar.Turn {
	for i := range timely {
		switch {
		case j.Missed == "all":
		case s.goesOn(j):
			timely[i].State, timely[i].Detail = calendar.Skipped, Running
		case i < len(timely)-1:
			timely[i].State, timely[i].Detail = calendar.Skipped, Later
		}
	}
	return timely
}

// goesOn reports whether a turn of the job runs, or is about to be gone on with.
func (s *Schedule) goesOn(j *job) bool {
	return j.running || slices.ContainsFunc(s.open, func(t *turn) bool { return t.job == j && t.State == calendar.Started })
}

// supersede closes a turn of the job that has not begun when the next one is there: it
// waited for other jobs in vain, for a place, or for another try.
func (s *Schedule) supersede(ctx context.Context, j *job, next calendar.Turn) {
	s.open = slices.DeleteFunc(s.open, func(t *turn) bool {
		if t.job != j || t.State != calendar.Enqueued {
			return false
		}
		switch {
		case t.Tries > 0 && j.Missed != "all":
			t.State, t.Detail = calendar.Ended, Later
			s.save(ctx, t)
			return true
		case t.Tries > 0:
			return false
		case len(j.After) > 0 && !s.ready(t):
			t.State, t.Detail = calendar.Refused, NotCome
		case j.Missed != "all":
			t.State, t.Detail = calendar.Skipped, Later
		default:
			return false
		}
		t.Ended = next.Due
		s.save(ctx, t)
		return true
	})
}

// followers are turns of jobs that have no time of their own: they come when all jobs
// that they follow have ended well since their last turn.
func (s *Schedule) followers() (turns []calendar.Turn) {
	for _, name := range s.names {
		j := s.jobs[name]
		if !j.At.IsZero() || len(j.After) == 0 || j.running || s.inLine(j) {
			continue
		}
		due := time.Time{}
		for _, other := range j.After {
			if well := s.well[other]; well.After(due) {
				due = well
			}
		}
		if s.since(j.After, j.last) {
			turns = append(turns, calendar.Turn{System: s.system, Job: name, Due: due, State: calendar.Enqueued})
		}
	}
	return turns
}

func (s *Schedule) inLine(j *job) bool {
	return slices.ContainsFunc(s.open, func(t *turn) bool { return t.job == j })
}

// since reports whether all of these jobs have ended well after a time.
func (s *Schedule) since(jobs []string, after time.Time) bool {
	return !slices.ContainsFunc(jobs, func(name string) bool { return !s.well[name].After(after) })
}

// ready reports whether what a turn waits for has come.
func (s *Schedule) ready(t *turn) bool {
	return t.job.At.IsZero() || s.since(t.job.After, t.since)
}

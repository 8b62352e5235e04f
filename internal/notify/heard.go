package notify

import (
	"strconv"
	"time"
)

// Heard is one ping that came in.
type Heard struct {
	At     time.Time
	Signal Signal // Start, Success, Fail, Log, or the number with which a program ended
}

// Ends reports whether the ping says how a run ended, and whether it ended well.
func (h Heard) Ends() (well, ends bool) {
	switch h.Signal {
	case Success:
		return true, true
	case Fail:
		return false, true
	case Start, Log:
		return false, false
	}
	return h.Signal == "0", true
}

// ParseSignal reads the end of a ping's address.
func ParseSignal(text string) (Signal, bool) {
	switch s := Signal(text); s {
	case Success, Start, Fail, Log:
		return s, true
	}
	n, err := strconv.ParseUint(text, 10, 8)
	return Signal(strconv.FormatUint(n, 10)), err == nil
}

// State is where something stands that calls when it has run.
type State string

// The states of a ping.
const (
	New     State = "new"     // never heard of, and not yet due
	Started State = "started" // it runs
	Up      State = "up"      // it ended well, and is not due again
	Late    State = "late"    // due, within its grace
	Missed  State = "missed"  // its grace is over
	Failed  State = "failed"  // it said so
	Hangs   State = "hangs"   // it began, and its grace is over
)

// Down reports whether somebody has to look.
func (s State) Down() bool { return s == Missed || s == Failed || s == Hangs }

// Standing is a ping's state, with what it was judged by.
type Standing struct {
	State State
	Since time.Time     // when it came to be in this state; zero for New
	Last  time.Time     // that it ended well; zero = never
	Due   time.Time     // when it is, or was, expected to end well
	Took  time.Duration // of the last run that began and ended well; 0 = unknown
}

// Judge says where a ping stands. heard are its pings, oldest first; next gives the first due
// time after a moment; known is when it was first declared: one that never calls is due, too.
func Judge(heard []Heard, next func(after time.Time) time.Time, grace time.Duration, known, now time.Time) Standing {
	s := Standing{State: New}
	var began, ended Heard
	for _, h := range heard {
		well, ends := h.Ends()
		switch {
		case h.Signal == Start:
			began = h
		case ends:
			if well {
				s.Last, s.Took = h.At, took(began, ended, h)
			}
			ended = h
		}
	}
	from := known
	if s.Last.After(from) {
		from = s.Last
	}
	s.Due = next(from)
	well, ends := ended.Ends()
	switch runs := began.At.After(ended.At); {
	case runs && now.After(began.At.Add(grace)):
		s.State, s.Since = Hangs, began.At.Add(grace)
	case !ended.At.IsZero() && ends && !well: // also while it tries again
		s.State, s.Since = Failed, ended.At
	case !s.Due.IsZero() && now.After(s.Due.Add(grace)):
		s.State, s.Since = Missed, s.Due.Add(grace)
	case runs:
		s.State, s.Since = Started, began.At
	case !s.Due.IsZero() && now.After(s.Due):
		s.State, s.Since = Late, s.Due
	case !s.Last.IsZero():
		s.State, s.Since = Up, s.Last
	}
	return s
}

// took is how long a run was that ended now: from its own start.
func took(began, before, ended Heard) time.Duration {
	if began.At.IsZero() || !began.At.After(before.At) && !before.At.IsZero() {
		return 0
	}
	return ended.At.Sub(began.At)
}

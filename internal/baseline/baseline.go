// Package baseline learns from a series' own past which values are usual for it
// at an hour of the week, and says when one is so unlikely that it alarms no more
// often than was put up with. It knows nothing of where values come from, draws no
// chart and forecasts nothing. A series takes some 17 kB, whatever it has seen.
package baseline

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"math"
	"time"
)

// Series is the learnt past of one series. It is not safe for concurrent use.
type Series struct {
	place *time.Location
	state
}

// state is what is kept of a series between processes.
type state struct {
	FalseAlarms float64 // per second
	Profile     profile
	Fast, Slow  tail    // of single values, and of their mean over a quarter of an hour
	Mean        float64 // of the deviations over that time
	Last        time.Time
	Since       time.Time // of the anomaly that goes on; zero = none
	Seen        time.Time // when it was last seen
}

// How a series is judged.
const (
	// smooth is the time over which the slow mean forgets: a small deviation shows
	// in it that no single value shows.
	smooth = 15 * time.Minute
	// quiet is how long values must be usual again until an anomaly has ended.
	quiet = time.Hour
	// usualAfter is after how long an anomaly is the new usual: what comes then is
	// learnt like everything else.
	usualAfter = 24 * time.Hour
	// apart is the least time between two values that are learnt.
	apart = 50 * time.Second
)

// New starts a series that alarms falsely so often per second at most. Hours of the
// week are those of place.
func New(falseAlarms float64, place *time.Location) *Series {
	// Either tail has half of the alarms: together they have no more than all.
	s := &Series{place: place, state: state{FalseAlarms: falseAlarms}}
	s.Fast.Rate, s.Slow.Rate = falseAlarms/2, falseAlarms/2
	return s
}

// Verdict is what is said of one value.
type Verdict struct {
	Learning  bool    // too little is known to judge
	Value     float64 // that was judged; where Smoothed, the mean of a quarter of an hour
	Smoothed  bool
	Low, High float64   // within which it was expected
	Since     time.Time // of the anomaly that goes on; zero = the value is usual
}

// History is how much of a series must have been seen, an hour at a time, before
// anything is judged: two weeks for the profile, and then as long as it takes for one
// false alarm of either tail.
func (s *Series) History() time.Duration {
	return time.Duration(profileHours+s.Fast.least()) * time.Hour
}

// Observe judges a value and learns it. A value that is no number, or follows the one
// before too soon, is not seen. It is called about once a minute.
func (s *Series) Observe(at time.Time, value float64) Verdict {
	if s.Last.Sub(at) > time.Hour { // the clock was set back: it goes on from there
		s.Last = at.Add(-apart)
	}
	if math.IsNaN(value) || math.IsInf(value, 0) || at.Sub(s.Last) < apart {
		return Verdict{Learning: !s.ready(), Value: value, Since: s.Since}
	}
	s.hour(at.In(s.place))
	v := s.judge(at, value)
	s.Profile.learn(value, s.expected(at))
	s.Last = at
	return v
}

// hour closes the hour of the value before when another one has begun.
func (s *Series) hour(at time.Time) {
	if s.Last.IsZero() || at.Truncate(time.Hour).Equal(s.Last.Truncate(time.Hour)) {
		return
	}
	judged := s.Profile.mature()
	s.Profile.close(slotOf(s.Last.In(s.place)))
	if judged {
		of := s.age(s.Last.Truncate(time.Hour))
		s.Fast.close(of)
		s.Slow.close(of)
	}
}

// age is that of an anomaly in an hour.
type age int

const (
	fresh   age = iota // there is none, or it began in this hour
	ongoing            // it began before
	settled            // so long before that it is the new usual
)

func (s *Series) age(hour time.Time) age {
	switch {
	case s.Since.IsZero() || !s.Since.Before(hour):
		return fresh
	case hour.Sub(s.Since) < usualAfter:
		return ongoing
	}
	return settled
}

func (s *Series) ready() bool { return s.Fast.ready() && s.Slow.ready() }

func (s *Series) expected(at time.Time) expectation { return s.Profile.at(at.In(s.place)) }

func (s *Series) judge(at time.Time, value float64) Verdict {
	e := s.expected(at)
	v := Verdict{Learning: !s.ready(), Value: value, Low: e.value, High: e.value}
	if !s.Profile.mature() {
		return v
	}
	deviation := (value - e.value) / e.scale
	weight := 1 - math.Exp(-float64(at.Sub(s.Last))/float64(smooth))
	s.Mean += weight * (deviation - s.Mean)
	fast, slow := s.Fast.exceeded(math.Abs(deviation)), s.Slow.exceeded(math.Abs(s.Mean))
	half := s.Fast.limit() * e.scale
	if slow && !fast {
		half, v.Smoothed, v.Value = s.Slow.limit()*e.scale, true, e.value+s.Mean*e.scale
	}
	if !v.Learning {
		v.Low, v.High = e.value-half, e.value+half
		s.follow(at, fast || slow)
	}
	v.Since = s.Since
	return v
}

// follow begins an anomaly, or ends it when values have been usual for long enough.
func (s *Series) follow(at time.Time, unusual bool) {
	switch {
	case unusual && s.Since.IsZero():
		s.Since, s.Seen = at, at
	case unusual:
		s.Seen = at
	case !s.Since.IsZero() && at.Sub(s.Seen) >= quiet:
		s.Since = time.Time{}
	}
}

// MarshalBinary gives the state to be kept.
func (s *Series) MarshalBinary() ([]byte, error) {
	var text bytes.Buffer
	err := gob.NewEncoder(&text).Encode(s.state)
	return text.Bytes(), err
}

// UnmarshalBinary takes the state of an earlier process in its place.
func (s *Series) UnmarshalBinary(text []byte) error {
	var kept state
	if err := gob.NewDecoder(bytes.NewReader(text)).Decode(&kept); err != nil {
		return fmt.Errorf("read the state of a series: %w", err)
	}
	s.state = kept
	return nil
}

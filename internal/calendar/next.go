package calendar

import "time"

// horizon is how many days are looked through: 29 February is a Sunday again after
// 40 years at most.
const horizon = 41 * 366

// Next is the first moment after another at which it is due; the zero time when
// there is none.
//
// Times of day go by the clock on the wall: one that a change of the clock leaves
// out is due at the first moment after the gap, one that comes twice is due the
// first time. Elapsed ones go by the time that has passed.
func (s Spec) Next(after time.Time) time.Time {
	switch {
	case s.IsZero():
		return time.Time{}
	case s.every > 0:
		return s.nextSpan(after)
	case s.hours == allHours:
		return s.nextMinute(after)
	}
	return s.nextOfDay(after)
}

// anchor is where spans are counted from: midnight before a Monday. It is a moment,
// so that neither a restart nor a change of the clock shifts what is due.
func (s Spec) anchor() time.Time { return time.Date(2001, 1, 1, 0, 0, 0, 0, s.Zone()) }

func (s Spec) nextSpan(after time.Time) time.Time {
	passed := after.Sub(s.anchor())
	n := passed / s.every
	if passed < 0 && passed%s.every != 0 {
		n--
	}
	return s.anchor().Add((n + 1) * s.every)
}

// nextMinute looks at one minute after the other.
func (s Spec) nextMinute(after time.Time) time.Time {
	t := after.In(s.Zone()).Truncate(time.Minute).Add(time.Minute)
	for end := t.Add(horizon * 24 * time.Hour); t.Before(end); {
		year, month, day := t.Date()
		switch {
		case !s.on(year, month, day):
			t = s.later(t, moment(year, month, day+1, 0, 0, s.Zone()))
		case s.minutes>>t.Minute()&1 == 1:
			return t
		default:
			t = t.Add(time.Minute)
		}
	}
	return time.Time{}
}

// later never goes back, whatever a change of the clock at midnight does.
func (s Spec) later(t, next time.Time) time.Time {
	if next.After(t) {
		return next
	}
	return t.Add(time.Minute)
}

// nextOfDay looks at one day after the other.
func (s Spec) nextOfDay(after time.Time) time.Time {
	year, month, day := after.In(s.Zone()).Date()
	for i := range horizon {
		date := time.Date(year, month, day+i, 0, 0, 0, 0, time.UTC)
		if !s.on(date.Date()) {
			continue
		}
		if t := s.nextOn(date, after); !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

func (s Spec) nextOn(date, after time.Time) time.Time {
	for clock := range s.clocks() {
		t := moment(date.Year(), date.Month(), date.Day(), clock.hour, clock.minute, s.Zone())
		if t.After(after) {
			return t
		}
	}
	return time.Time{}
}

// clock is a time of day.
type clock struct{ hour, minute int }

// clocks gives the times of day in order.
func (s Spec) clocks() func(func(clock) bool) {
	return func(yield func(clock) bool) {
		for hour := range 24 {
			for minute := range 60 {
				if s.hours>>hour&1 == 1 && s.minutes>>minute&1 == 1 && !yield(clock{hour, minute}) {
					return
				}
			}
		}
	}
}

// on reports whether it is due on a day.
func (s Spec) on(year int, month time.Month, day int) bool {
	date := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	end := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
	if s.months>>month&1 == 0 {
		return false
	}
	ofMonth := s.days>>day&1 == 1 || s.days&lastDay != 0 && day == end
	ofWeek := s.weekdays>>date.Weekday()&1 == 1 && s.inWeek(day, end)
	if s.either {
		return ofMonth || ofWeek
	}
	return ofMonth && ofWeek
}

func (s Spec) inWeek(day, end int) bool {
	switch s.week {
	case 0:
		return true
	case -1:
		return day+7 > end
	}
	return (day-1)/7+1 == int(s.week)
}

// moment is when the clock on the wall first shows a time of day, or would have: in
// a gap it is the first moment after that. time.Date promises neither.
func moment(year int, month time.Month, day, hour, minute int, zone *time.Location) time.Time {
	t := time.Date(year, month, day, hour, minute, 0, 0, zone)
	wall := time.Date(year, month, day, hour, minute, 0, 0, time.UTC)
	start, end := t.ZoneBounds()
	switch shown := onWall(t); {
	case shown.After(wall): // t is read with the offset before the gap, and lies after it
		return start
	case shown.Before(wall):
		return end
	}
	if start.IsZero() {
		return t
	}
	_, before := start.Add(-time.Second).Zone()
	if first := wall.Add(-time.Duration(before) * time.Second); first.Before(start) {
		return first.In(zone)
	}
	return t
}

// onWall is what the clock shows, as if it were in UTC.
func onWall(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

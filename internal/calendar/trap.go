package calendar

import (
	"fmt"
	"math/bits"
	"strings"
	"time"

	"upkeep/internal/diag"
)

// Warning is what a person should know of a form that is valid and seldom meant: a
// cron line that restricts both the day of the month and the weekday fires on either.
func (s Spec) Warning() (p diag.Problem, warns bool) {
	if !s.either {
		return p, false
	}
	fields := strings.Fields(s.Text)
	day, weekday := fields[len(fields)-3], fields[len(fields)-1]
	p = diag.Problem{Format: "fires on days %s of the month OR on weekday %s, not only where both hold", Args: []any{day, weekday}}
	if meant := s.meant(); meant != "" {
		p = diag.Problem{Format: "fires on days %s of the month OR on weekday %s, not only where both hold; did you mean %q?",
			Args: []any{day, weekday, meant}}
	}
	return p, true
}

// meant is "first Sunday 03:00" for 0 3 1-7 * 0, or "" when the days are no week.
func (s Spec) meant() string {
	weeks := map[uint32]string{span32(1, 7): "first", span32(8, 14): "second", span32(15, 21): "third", span32(22, 28): "fourth",
		span32(25, 31): "last", span32(24, 31): "last"}
	word := weeks[s.days]
	at, single := s.single()
	if word == "" || !single || bits.OnesCount8(s.weekdays) != 1 || s.months != allMonths {
		return ""
	}
	return fmt.Sprintf("%s %s %s", word, time.Weekday(bits.TrailingZeros8(s.weekdays)), at)
}

func span32(from, to int) (set uint32) {
	for i := from; i <= to; i++ {
		set |= 1 << i
	}
	return set
}

// single returns the one time of day, where there is one.
func (s Spec) single() (at string, ok bool) {
	if s.every > 0 || bits.OnesCount32(s.hours) != 1 || bits.OnesCount64(s.minutes) != 1 {
		return "", false
	}
	return fmt.Sprintf("%02d:%02d", bits.TrailingZeros32(s.hours), bits.TrailingZeros64(s.minutes)), true
}

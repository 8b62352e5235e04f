package calendar

import (
	"fmt"
	"math/bits"
	"time"
)

// Plain is the shortest form in words that means the same, or the text as it was
// written: "0 4 * * 1" is "Monday 04:00".
func (s Spec) Plain() string {
	at, single := s.single()
	anyDay, anyWeekday, anyMonth := s.days == allDays, s.weekdays == allWeekdays, s.months == allMonths
	switch {
	case s.every > 0:
		return "every " + s.Every().String()
	case s.minutes == 1 && s.hours == allHours && anyDay && anyWeekday && anyMonth:
		return "hourly"
	case !single || s.either || s.week != 0:
		return s.Text
	case anyDay && anyWeekday && anyMonth:
		return at
	case anyDay && anyMonth && bits.OnesCount8(s.weekdays) == 1:
		return fmt.Sprintf("%s %s", time.Weekday(bits.TrailingZeros8(s.weekdays)), at)
	case anyWeekday && s.days == 1<<1 && s.months == quarters:
		return "quarterly " + at
	case anyWeekday && anyMonth && bits.OnesCount32(s.days) == 1 && s.days < 1<<29 && s.days > lastDay:
		return fmt.Sprintf("day %d %s", bits.TrailingZeros32(s.days), at)
	}
	return s.Text
}

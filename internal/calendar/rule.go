package calendar

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// Rule is the recurrence of an iCalendar event (RFC 5545) that begins at a moment at
// which it is due; ok is false where its moments are events of their own.
func (s Spec) Rule() (rule string, ok bool) {
	_, single := s.single()
	switch {
	case s.every > 0 && s.every%time.Hour == 0:
		return fmt.Sprintf("FREQ=HOURLY;INTERVAL=%d", s.every/time.Hour), true
	case s.every > 0 && s.every%time.Minute == 0:
		return fmt.Sprintf("FREQ=MINUTELY;INTERVAL=%d", s.every/time.Minute), true
	case s.hours == allHours && s.days == allDays && s.weekdays == allWeekdays && s.months == allMonths:
		return "FREQ=HOURLY;BYMINUTE=" + list(s.minutes), true
	case s.every > 0 || s.either || !single:
		return "", false
	}
	return fmt.Sprintf("%s;BYHOUR=%d;BYMINUTE=%d", s.dayRule(), bits.TrailingZeros32(s.hours), bits.TrailingZeros64(s.minutes)), true
}

// dayRule is the part of a rule that chooses days.
func (s Spec) dayRule() string {
	var parts []string
	ofWeek, ofMonth, months := s.weekdays != allWeekdays, s.days != allDays, s.months != allMonths
	switch {
	case months:
		parts = append(parts, "FREQ=YEARLY", "BYMONTH="+list(uint64(s.months)))
	case ofMonth || s.week != 0:
		parts = append(parts, "FREQ=MONTHLY")
	case ofWeek:
		parts = append(parts, "FREQ=WEEKLY")
	default:
		return "FREQ=DAILY"
	}
	if s.days == lastDay {
		parts = append(parts, "BYMONTHDAY=-1")
	} else if ofMonth || months && !ofWeek {
		parts = append(parts, "BYMONTHDAY="+list(uint64(s.days)))
	}
	if ofWeek {
		parts = append(parts, "BYDAY="+s.byDay())
	}
	return strings.Join(parts, ";")
}

func (s Spec) byDay() string {
	names := [7]string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}
	var all []string
	for set := s.weekdays; set != 0; set &= set - 1 {
		name := names[bits.TrailingZeros8(set)]
		if s.week != 0 {
			name = fmt.Sprintf("%d%s", s.week, name)
		}
		all = append(all, name)
	}
	return strings.Join(all, ",")
}

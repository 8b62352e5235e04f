package calendar

import (
	"fmt"
	"strings"
	"time"
)

// mostTimers is how many lines of OnCalendar= stand for one span: every 30 minutes.
const mostTimers = 48

// OnCalendar is the same as values of OnCalendar= of a systemd timer, each of which
// counts; none where systemd cannot say it.
func (s Spec) OnCalendar() (values []string) {
	if s.every > 0 {
		return s.spanTimers()
	}
	months, weekdays := timerSet(uint64(s.months), allMonths), s.timerWeekdays()
	ofMonth := timerSet(uint64(s.days), allDays)
	at := fmt.Sprintf("%s:%s:00", twoDigits(timerSet(uint64(s.hours), allHours)), twoDigits(timerSet(s.minutes, 1<<60-1)))
	if s.zone != nil && s.zone != time.Local {
		at += " " + s.zone.String()
	}
	line := func(weekdays, date string) string {
		return strings.TrimSpace(fmt.Sprintf("%s *-%s%s %s", weekdays, months, date, at))
	}
	switch {
	case s.week > 0:
		return []string{line(weekdays, fmt.Sprintf("-%d..%d", 7*s.week-6, 7*s.week))}
	case s.week < 0:
		return []string{line(weekdays, "~07/1")}
	case s.days == lastDay:
		return []string{line("", "~01")}
	case s.either:
		return []string{line("", "-"+ofMonth), line(weekdays, "-*")}
	}
	return []string{line(weekdays, "-"+ofMonth)}
}

func timerSet(set, all uint64) string {
	if set == all {
		return "*"
	}
	return list(set)
}

// twoDigits is how people write times of day.
func twoDigits(list string) string {
	all := strings.Split(list, ",")
	for i, n := range all {
		if len(n) == 1 && n != "*" {
			all[i] = "0" + n
		}
	}
	return strings.Join(all, ",")
}

func (s Spec) timerWeekdays() string {
	var all []string
	for day := range time.Weekday(7) {
		if s.weekdays>>day&1 == 1 {
			all = append(all, day.String()[:3])
		}
	}
	if len(all) == 7 {
		return ""
	}
	return strings.Join(all, ",")
}

// spanTimers are the moments of one day, in UTC, so that a change of the clock shifts
// none.
func (s Spec) spanTimers() (values []string) {
	switch {
	case s.every%time.Minute == 0 && time.Hour%s.every == 0:
		return []string{fmt.Sprintf("*:0/%d:00", s.every/time.Minute)}
	case day%s.every != 0 || day/s.every > mostTimers:
		return nil
	}
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for t := range s.Between(from.Add(-time.Nanosecond), from.Add(day-time.Nanosecond)) {
		values = append(values, fmt.Sprintf("*-*-* %s UTC", t.UTC().Format(time.TimeOnly)))
	}
	return values
}

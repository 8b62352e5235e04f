package calendar

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"upkeep/internal/quantity"
)

// forms are those in words. What stands before the time of day may be left out, and
// the time of day after daily, weekly, monthly, quarterly.
var forms = regexp.MustCompile(`(?i)^(?:every (\w+)|(hourly)|(daily|weekly|monthly|quarterly)|` +
	`(?:(daily|weekly|monthly|quarterly|last day) |(?:(first|second|third|fourth|last) )?(\w+day) |day (\d+) )?(\d\d?):(\d\d))$`)

// Parse reads the text form. Errors are *quantity.Mistake.
func Parse(written string) (Spec, error) {
	text := english(strings.Join(strings.Fields(written), " "))
	s, ok := words(text)
	var err error
	if !ok {
		s, err = cronLine(text)
	}
	switch {
	case err != nil && meansCron(text):
		return Spec{}, mistakef("is no line of a crontab: %s: %q", err, written)
	case err != nil:
		return Spec{}, mistakef("must be a time such as \"02:00\", \"Sunday 03:00\", \"first Sunday 03:00\", \"day 1 03:00\" or \"every 6h\", is %q", written)
	}
	s.Text = written
	if s.Next(time.Unix(0, 0)).IsZero() {
		return Spec{}, mistakef("never comes: %q", written)
	}
	return s, nil
}

// words reads what is no cron line.
func words(text string) (Spec, bool) {
	parts := forms.FindStringSubmatch(text)
	switch {
	case parts == nil:
		return Spec{}, false
	case parts[1] != "":
		return span(parts[1])
	case parts[2] != "":
		return Spec{minutes: 1, hours: allHours, days: allDays, months: allMonths, weekdays: allWeekdays}, true
	case parts[3] != "":
		return turning(parts[3], 0, 0), true
	}
	hour, minute, day := atoi(parts[8]), atoi(parts[9]), atoi(parts[7])
	if hour > 23 || minute > 59 || parts[7] != "" && (day < 1 || day > 28) {
		return Spec{}, false
	}
	s := turning(strings.ToLower(parts[4]), hour, minute)
	if parts[7] != "" {
		s.days = 1 << day
	}
	if parts[6] == "" {
		return s, true
	}
	weekday, known := weekday(parts[6])
	s.weekdays, s.week = 1<<weekday, weekOfMonth(parts[5])
	return s, known
}

func span(text string) (Spec, bool) {
	every, err := quantity.ParseDuration(text)
	return Spec{every: every.Std()}, err == nil && every.Std() >= time.Minute
}

// turning is a time of day on every day, or on the first of a span. A week begins on
// Sunday, as cron's @weekly does.
func turning(span string, hour, minute int) Spec {
	s := Spec{minutes: 1 << minute, hours: 1 << hour, days: allDays, months: allMonths, weekdays: allWeekdays}
	switch strings.ToLower(span) {
	case "weekly":
		s.weekdays = 1 << time.Sunday
	case "monthly":
		s.days = 1 << 1
	case "quarterly":
		s.days, s.months = 1<<1, quarters
	case "last day":
		s.days = lastDay
	}
	return s
}

// atoi reads digits that a pattern has matched; none are 0.
func atoi(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil && digits != "" {
		return -1 // more digits than a number holds
	}
	return n
}

func weekday(name string) (time.Weekday, bool) {
	for day := range time.Weekday(7) {
		if strings.EqualFold(day.String(), name) {
			return day, true
		}
	}
	return 0, false
}

func weekOfMonth(word string) int8 {
	return map[string]int8{"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}[strings.ToLower(word)]
}

package calendar

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// cronLine reads the five fields of a crontab, or @daily and its like. The fields are
// the library's to read; when they are due is Next's.
func cronLine(text string) (Spec, error) {
	fields := strings.Fields(text)
	zoned := len(fields) > 0 && (strings.HasPrefix(fields[0], "TZ=") || strings.HasPrefix(fields[0], "CRON_TZ="))
	at := fields
	if zoned {
		at = fields[1:]
	}
	if len(at) == 0 {
		return Spec{}, errNoTurn // the library would panic
	}
	if len(at) == 5 {
		at[4] = sundays(at[4])
	}
	read, err := cron.ParseStandard(strings.Join(fields, " "))
	if err != nil {
		return Spec{}, err
	}
	switch read := read.(type) {
	case *cron.SpecSchedule:
		s := ofFields(read, at)
		if zoned {
			s.zone, s.fixed = read.Location, true
		}
		return s, nil
	case cron.ConstantDelaySchedule:
		if read.Delay >= time.Minute {
			return Spec{every: read.Delay}, nil
		}
	}
	return Spec{}, errNoTurn
}

var errNoTurn = errors.New("more often than once a minute, or never")

// meansCron reports whether a text looks as if it was meant for cron.
func meansCron(text string) bool {
	fields := strings.Fields(text)
	return len(fields) == 5 && strings.ContainsAny(text[:1], "0123456789*") || strings.HasPrefix(text, "@")
}

func ofFields(read *cron.SpecSchedule, at []string) Spec {
	s := Spec{minutes: read.Minute & (1<<60 - 1), hours: uint32(read.Hour & allHours), days: uint32(read.Dom & allDays),
		months: uint16(read.Month & allMonths), weekdays: uint8(read.Dow & allWeekdays)}
	s.either = len(at) == 5 && !starred(at[2]) && !starred(at[4])
	return s
}

// starred reports whether a field leaves the choice of days to the other one. cron
// looks at its first character only: with */2 both fields must fit.
func starred(field string) bool { return strings.HasPrefix(field, "*") || field == "?" }

// sundays writes the 7 of a field of weekdays, which the library does not know, as 0.
func sundays(field string) string {
	parts := strings.Split(field, ",")
	for i, part := range parts {
		span, step, _ := strings.Cut(part, "/")
		low, high, isRange := strings.Cut(span, "-")
		switch {
		case span == "7":
			parts[i] = "0"
		case isRange && high == "7":
			parts[i] = upToSunday(low, step)
		}
	}
	return strings.Join(parts, ",")
}

// upToSunday lists the days of LOW-7/STEP.
func upToSunday(low, step string) string {
	first, by := 0, 1
	if _, err := fmt.Sscan(low, &first); err != nil || first > 7 {
		return low + "-7" // which the library refuses
	}
	if _, err := fmt.Sscan(step, &by); step != "" && (err != nil || by < 1) {
		return low + "-7"
	}
	var days []string
	for day := first; day <= 7; day += by {
		days = append(days, fmt.Sprint(day%7))
	}
	return strings.Join(days, ",")
}

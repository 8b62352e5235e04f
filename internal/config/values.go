package config

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/invopop/jsonschema"

	"upkeep/internal/quantity"
)

func mistakef(format string, args ...any) error {
	return &quantity.Mistake{Format: format, Args: args}
}

// Date is a day that still counts: Time is the moment at which it ends, in local
// time.
type Date struct{ time.Time }

// UnmarshalYAML reads 2027-01-31.
func (d *Date) UnmarshalYAML(decode func(any) error) error {
	var written string
	if err := decode(&written); err != nil {
		return mistakef("must be a day such as 2027-01-31")
	}
	day, err := time.ParseInLocation(time.DateOnly, written, time.Local)
	if err != nil {
		return mistakef("must be a day such as 2027-01-31, is %q", written)
	}
	d.Time = day.AddDate(0, 0, 1)
	return nil
}

// String returns the day itself.
func (d Date) String() string { return d.AddDate(0, 0, -1).Format(time.DateOnly) }

// JSONSchema describes the text form to editors.
func (Date) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Format: "date"}
}

// At is when a job is due, in local time: "02:00", "Sunday 03:00", "first Sunday
// 03:00", "last Sunday 04:00", "day 1 03:00", "every 6h". The zero value is never.
type At struct {
	Text         string
	Every        quantity.Duration // 0 = at a time of day
	Hour, Minute int
	Weekday      time.Weekday // where Weekly is set
	Weekly       bool
	Week         int // of the month: 1 to 4, -1 the last, 0 every
	Day          int // of the month: 1 to 28, 0 every
}

// IsZero reports whether the job is never due by itself.
func (a At) IsZero() bool { return a.Text == "" }

func (a At) String() string { return a.Text }

// UnmarshalYAML reads the text form.
func (a *At) UnmarshalYAML(decode func(any) error) (err error) {
	var written string
	if err := decode(&written); err != nil {
		return mistakef("must be a time of day such as \"02:00\" or \"first Sunday 03:00\"")
	}
	*a, err = ParseAt(written)
	return err
}

// JSONSchema describes the text form to editors.
func (At) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Examples: []any{"02:00", "Sunday 03:00", "first Sunday 03:00", "last Sunday 04:00", "day 1 03:00", "every 6h"}}
}

// ParseAt reads the text form.
func ParseAt(written string) (At, error) {
	parts := regexp.MustCompile(`(?i)^(?:every (\w+)|(?:(?:(first|second|third|fourth|last) )?(\w+day) |day (\d+) )?(\d\d?):(\d\d))$`).
		FindStringSubmatch(strings.Join(strings.Fields(written), " "))
	wrong := mistakef("must be a time such as \"02:00\", \"Sunday 03:00\", \"first Sunday 03:00\", \"day 1 03:00\" or \"every 6h\", is %q", written)
	if parts == nil {
		return At{}, wrong
	}
	if parts[1] != "" {
		every, err := quantity.ParseDuration(parts[1])
		if err != nil || every < quantity.Duration(time.Minute) {
			return At{}, wrong
		}
		return At{Text: written, Every: every}, nil
	}
	a := At{Text: written, Week: weekOfMonth(parts[2]), Hour: atoi(parts[5]), Minute: atoi(parts[6]), Day: atoi(parts[4])}
	var known bool
	a.Weekday, known = weekday(parts[3])
	a.Weekly = parts[3] != ""
	if a.Hour > 23 || a.Minute > 59 || a.Weekly && !known || parts[4] != "" && (a.Day < 1 || a.Day > 28) {
		return At{}, wrong
	}
	return a, nil
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

func weekOfMonth(word string) int {
	return map[string]int{"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}[strings.ToLower(word)]
}

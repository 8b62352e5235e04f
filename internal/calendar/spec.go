// Package calendar says when something is due: times of day, weekdays, first
// Sundays, quarters, spans of time, cron lines, each in a time zone of its own. It
// starts nothing and remembers nothing: package schedule does.
package calendar

import (
	"iter"
	"time"

	"github.com/invopop/jsonschema"

	"upkeep/internal/quantity"
)

// Spec is when something is due: "02:00", "Sunday 03:00", "first Sunday 03:00",
// "last day 03:00", "quarterly", "every 6h", "0 2 * * *", "每天 02:00". The zero
// value is never. Two of the same text and zone compare equal.
type Spec struct {
	Text string // as it was written

	zone  *time.Location // nil = the machine's
	fixed bool           // the text names the zone itself
	every time.Duration  // 0 = at times of day

	minutes  uint64 // bits 0 to 59
	hours    uint32 // bits 0 to 23
	days     uint32 // of the month: bits 1 to 31, bit 0 its last day
	months   uint16 // bits 1 to 12
	weekdays uint8  // bits 0, Sunday, to 6
	week     int8   // of the month: 1 to 4, -1 the last, 0 every
	either   bool   // cron's trap: one of days and weekdays is enough
}

// Every value of a field.
const (
	allHours    = 1<<24 - 1
	allDays     = 1<<32 - 2
	allMonths   = 1<<13 - 2
	allWeekdays = 1<<7 - 1
	lastDay     = 1 << 0
	quarters    = 1<<1 | 1<<4 | 1<<7 | 1<<10
)

// IsZero reports whether it is never due by itself.
func (s Spec) IsZero() bool { return s.Text == "" }

func (s Spec) String() string { return s.Text }

// In returns the same with its times of day in another zone. A text that names its
// zone, CRON_TZ=Asia/Shanghai 0 2 * * *, keeps that.
func (s Spec) In(zone *time.Location) Spec {
	if !s.fixed {
		s.zone = zone
	}
	return s
}

// Zone is where its times of day are.
func (s Spec) Zone() *time.Location {
	if s.zone == nil {
		return time.Local
	}
	return s.zone
}

// Elapsed reports whether it goes by time that has passed, as "every 6h" and what is
// due in every hour do, not by the clock on the wall: a change of the clock then
// neither skips nor repeats it.
func (s Spec) Elapsed() bool { return s.every > 0 || s.hours == allHours }

// Every is the span of "every 6h"; 0 of all others.
func (s Spec) Every() quantity.Duration { return quantity.Duration(s.every) }

// UnmarshalYAML reads the text form.
func (s *Spec) UnmarshalYAML(decode func(any) error) (err error) {
	var written string
	if err := decode(&written); err != nil {
		return mistakef("must be a time of day such as \"02:00\" or \"first Sunday 03:00\"")
	}
	*s, err = Parse(written)
	return err
}

// JSONSchema describes the text form to editors.
func (Spec) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Examples: []any{"02:00", "Sunday 03:00", "first Sunday 03:00", "last Sunday 04:00",
		"day 1 03:00", "last day 03:00", "quarterly", "every 6h", "0 2 * * *", "每天 02:00"}}
}

// Between gives the moments after from, up to and including to.
func (s Spec) Between(from, to time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		for t := s.Next(from); !t.IsZero() && !t.After(to); t = s.Next(t) {
			if !yield(t) {
				return
			}
		}
	}
}

func mistakef(format string, args ...any) error {
	return &quantity.Mistake{Format: format, Args: args}
}

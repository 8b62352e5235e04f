package checklist

import (
	"fmt"
	"time"
)

// Span is a day, week, month or quarter: From is its first moment, To the first after
// it. Weeks begin on Monday.
type Span struct {
	From, To time.Time
	Every    string // day, week, month or quarter
}

// Around is the span that a moment lies in, by the clock of its zone.
func Around(every string, at time.Time) Span {
	year, month, day := at.Date()
	date := func(month time.Month, day int) time.Time {
		return time.Date(year, month, day, 0, 0, 0, 0, at.Location())
	}
	switch every {
	case "week":
		monday := day - (int(at.Weekday())+6)%7
		return Span{date(month, monday), date(month, monday+7), every}
	case "month":
		return Span{date(month, 1), date(month+1, 1), every}
	case "quarter":
		first := (month-1)/3*3 + 1
		return Span{date(first, 1), date(first+3, 1), every}
	}
	return Span{date(month, day), date(month, day+1), "day"}
}

// Before is the span that ended when this one began.
func (s Span) Before() Span { return Around(s.Every, s.From.Add(-time.Second)) }

// After is the span that begins when this one ends.
func (s Span) After() Span { return Around(s.Every, s.To) }

// Holds reports whether a moment lies in it.
func (s Span) Holds(at time.Time) bool { return !at.Before(s.From) && at.Before(s.To) }

// String names it: 2026-11-26, 2026-W48, 2026-11, 2026-Q4.
func (s Span) String() string {
	switch s.Every {
	case "week":
		year, week := s.From.ISOWeek()
		return fmt.Sprintf("%d-W%02d", year, week)
	case "month":
		return s.From.Format("2006-01")
	case "quarter":
		return fmt.Sprintf("%d-Q%d", s.From.Year(), (s.From.Month()+2)/3)
	}
	return s.From.Format(time.DateOnly)
}

// Parse reads what String writes, and a year.
func Parse(text string, zone *time.Location) (Span, error) {
	var year, n int
	if t, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil {
		return Around("day", t), nil
	}
	if t, err := time.ParseInLocation("2006-01", text, zone); err == nil {
		return Around("month", t), nil
	}
	if t, err := time.ParseInLocation("2006", text, zone); err == nil {
		return Span{t, t.AddDate(1, 0, 0), "year"}, nil
	}
	if _, err := fmt.Sscanf(text, "%4d-Q%1d", &year, &n); err == nil && n >= 1 && n <= 4 {
		return Around("quarter", time.Date(year, time.Month(3*n), 1, 0, 0, 0, 0, zone)), nil
	}
	if _, err := fmt.Sscanf(text, "%4d-W%2d", &year, &n); err == nil {
		if s := Around("week", time.Date(year, 1, 4+7*(n-1), 0, 0, 0, 0, zone)); s.String() == text {
			return s, nil
		}
	}
	return Span{}, fmt.Errorf("%q is no day, week, month, quarter or year such as 2026-11-26, 2026-W48, 2026-11, 2026-Q4, 2026", text)
}

package record

import "time"

// clock turns the parts of a stamp into a time, and completes stamps that leave
// out the year or the whole date.
type clock struct {
	zone   *time.Location
	day    time.Time // midnight of the day that the log has reached; zero: not known
	latest time.Time // of the stamps without a date
	// Stamps come in the order of their days nearly always: the last midnight spares
	// most of the arithmetic.
	year, month, date int
	midnight          int64
	in                *time.Location
}

func newClock(o Options) clock {
	c := clock{zone: o.Zone}
	if c.zone == nil {
		c.zone = time.UTC
	}
	if !o.Day.IsZero() {
		c.day = midnight(o.Day.In(c.zone))
	}
	return c
}

func midnight(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
}

// parts are what a stamp says. A missing year or day is 0, a missing zone nil.
type parts struct {
	year, month, day     int
	hour, minute, second int
	nanosecond           int
	zone                 *time.Location
}

func (p parts) valid() bool {
	dated := p.month >= 1 && p.month <= 12 && p.day >= 1 && p.day <= 31
	return (dated || p.month == 0) && p.hour < 24 && p.minute < 60 && p.second <= 60
}

func (p parts) ofDay() time.Duration {
	return time.Duration(p.hour)*time.Hour + time.Duration(p.minute)*time.Minute + time.Duration(p.second)*time.Second + time.Duration(p.nanosecond)
}

// time completes p. It is zero when the day cannot be told.
func (c *clock) time(p parts) time.Time {
	switch {
	case p.month == 0:
		return c.undated(p)
	case p.year == 0:
		return c.yearless(p)
	}
	zone := p.zone
	if zone == nil {
		zone = c.zone
	}
	if zone != time.UTC { // a day may have 23 hours
		t := time.Date(p.year, time.Month(p.month), p.day, p.hour, p.minute, p.second, p.nanosecond, zone)
		c.day = midnight(t)
		return t
	}
	if c.in != zone || p.year != c.year || p.month != c.month || p.day != c.date {
		c.year, c.month, c.date, c.in = p.year, p.month, p.day, zone
		c.day = time.Date(p.year, time.Month(p.month), p.day, 0, 0, 0, 0, zone)
		c.midnight = c.day.Unix()
	}
	return time.Unix(c.midnight, int64(p.ofDay())).UTC()
}

// undated takes the day that the log has reached. More than half a day back is the
// next day; less is a line out of order.
func (c *clock) undated(p parts) time.Time {
	if c.day.IsZero() {
		return time.Time{}
	}
	t := c.day.Add(p.ofDay())
	if c.latest.Sub(t) > 12*time.Hour {
		c.day = c.day.AddDate(0, 0, 1)
		t = c.day.Add(p.ofDay())
	}
	if t.After(c.latest) {
		c.latest = t
	}
	return t
}

// yearless takes the year of the day that the log has reached, which Options.Day
// gives at first.
func (c *clock) yearless(p parts) time.Time {
	if c.day.IsZero() {
		return time.Time{}
	}
	p.year = c.day.Year()
	if c.day.Month() == time.December && p.month == 1 {
		p.year++
	}
	return c.time(p)
}

// learn takes the first date in a line for the day of stamps without one.
func (c *clock) learn(text []byte) {
	for i := 0; c.day.IsZero() && i+10 <= len(text); i++ {
		if text[i] != '2' || !fits(text[i:], "0000-00-00") {
			continue
		}
		if p := (parts{year: number(text[i : i+4]), month: number(text[i+5 : i+7]), day: number(text[i+8 : i+10])}); p.valid() {
			c.day = time.Date(p.year, time.Month(p.month), p.day, 0, 0, 0, 0, c.zone)
		}
	}
}

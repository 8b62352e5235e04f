package web

import (
	"regexp"
	"strconv"
	"time"
)

// full is a time as screen readers and the mouse get it.
func (p *page) full(m moment) string { return p.words.Time(m.In(p.now.Location())) }

// stamp is the same for programs.
func (p *page) stamp(m moment) string { return m.Format(time.RFC3339) }

// ago is a time as it is read: relative up to a day.
func (p *page) ago(m moment) string { return p.words.Ago(m.Time, p.now) }

// lasted is for how long something has been so: a length up to a day, then since when.
func (p *page) lasted(m moment) string {
	if age := p.now.Sub(m.Time); age < aDay {
		return p.words.Rough(max(age, 0))
	}
	return p.words.Ago(m.Time, p.now)
}

// clock is the time of day.
func (p *page) clock(m moment) string { return m.In(p.now.Location()).Format("15:04") }

// day names a day for a list: today, tomorrow, then weekday and date.
func (p *page) day(at time.Time) string {
	at = at.In(p.now.Location())
	date := at.Format(time.DateOnly)
	switch date {
	case p.now.Format(time.DateOnly):
		return p.say("today")
	case p.now.AddDate(0, 0, 1).Format(time.DateOnly):
		return p.say("tomorrow")
	}
	return p.say("day", "weekday", p.say("weekday-"+at.Weekday().String()[:3]), "date", date)
}

func (p *page) bytes(n int64) string  { return p.words.Bytes(n) }
func (p *page) exact(n int64) string  { return p.words.Count(n) + " B" }
func (p *page) took(s float64) string { return p.words.Duration(lasting(s)) }
func (p *page) count(n int) string    { return p.words.Count(int64(n)) }

// command is a line's end that is there to be copied.
var command = regexp.MustCompile(`(?m)(^|[:：] ?)(upkeep [a-z].*)$`)

// piece is text, or a command within it.
type piece struct {
	text string
	code bool
}

// pieces divides advice into what is read and what is copied.
func pieces(advice string) (all []piece) {
	last := 0
	for _, at := range command.FindAllStringSubmatchIndex(advice, -1) {
		all = append(all, piece{text: advice[last:at[4]]}, piece{text: advice[at[4]:at[5]], code: true})
		last = at[5]
	}
	return append(all, piece{text: advice[last:]})
}

// exitWords says what an exit code means.
func (p *page) exitWords(code int) string {
	switch code {
	case 0, 1, 2, 3, 4, 5, 6, 130:
		return p.say("exit-" + p.count(code))
	}
	return p.count(code)
}

// gap is between two sentences.
func (p *page) gap() string {
	if p.words.Lang() == "zh" {
		return ""
	}
	return " "
}

// stands says what a target's verdict is, before since when it is so.
func (p *page) stands(r row) string {
	id := "stands-for"
	switch {
	case r.Since.IsZero():
		id = "stands"
	case p.now.Sub(r.Since.Time) >= aDay:
		id = "stands-since"
	case r.AtLeast:
		id = "stands-longer"
	}
	return p.say(id, "verdict", p.words.Message("report.word-"+string(r.Verdict), nil))
}

// offset is how far the clock that pages go by is from UTC, in seconds.
func (p *page) offset() string {
	_, seconds := p.now.Zone()
	return strconv.Itoa(seconds)
}

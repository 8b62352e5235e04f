package control

import (
	"fmt"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"

	"upkeep/internal/catalogue"
)

// mostOccurrences is how many events stand for an entry that no rule says.
const mostOccurrences = 500

// ICal is the calendar as iCalendar (RFC 5545): a rule where the form has one, events
// one by one elsewhere. What has passed is not part of it.
func (c Calendar) ICal(words catalogue.Words, now time.Time) string {
	cal := ics.NewCalendarFor("upkeep")
	cal.SetMethod(ics.MethodPublish)
	cal.SetXWRCalName("upkeep " + c.System)
	zone := c.From.Location()
	if zone == time.Local {
		zone = time.UTC // the machine's has no name that others know
	}
	if zone != time.UTC {
		addZone(cal, zone, c.From)
	}
	for _, e := range c.Entries {
		c.entry(cal, e, zone, words, now)
	}
	return cal.Serialize(ics.WithNewLine("\r\n"))
}

func (c Calendar) entry(cal *ics.Calendar, e Entry, zone *time.Location, words catalogue.Words, now time.Time) {
	rule, ruled := e.Spec.Rule()
	if local := e.Spec.Zone() == time.Local && time.Local.String() != "UTC"; local && !e.Spec.Elapsed() {
		ruled = false // its hours are those of a zone without a name
	}
	n := 0
	for at := range e.Spec.Between(now, c.To) {
		v := cal.AddEvent(fmt.Sprintf("%s-%s-%d@%s.upkeep", e.What, e.Name, at.Unix(), c.System))
		v.SetDtStampTime(now)
		stamp(v, ics.ComponentPropertyDtStart, at, zone)
		if e.For > 0 {
			stamp(v, ics.ComponentPropertyDtEnd, at.Add(e.For), zone)
		}
		v.SetSummary(words.Message("control.event-"+e.What, map[string]any{"name": e.Name}))
		v.SetDescription(strings.TrimSpace(strings.Join(e.Do, ", ") + "\n" + e.Spec.Describe(words.Lang())))
		if ruled {
			v.AddRrule(rule)
			return
		}
		if n++; n >= mostOccurrences {
			return
		}
	}
}

const localForm = "20060102T150405"

func stamp(v *ics.VEvent, property ics.ComponentProperty, at time.Time, zone *time.Location) {
	if zone == time.UTC {
		v.SetProperty(property, at.UTC().Format(localForm+"Z"))
		return
	}
	v.SetProperty(property, at.In(zone).Format(localForm), ics.WithTZID(zone.String()))
}

// zoneYears is for how long the changes of a zone's clock are told.
const zoneYears = 5

// addZone tells what a zone's clock does from a time on.
func addZone(cal *ics.Calendar, zone *time.Location, from time.Time) {
	z := cal.AddTimezone(zone.String())
	start, _ := from.In(zone).ZoneBounds()
	if start.IsZero() {
		start = from.AddDate(-1, 0, 0)
	}
	for at := start; !at.IsZero() && at.Before(from.AddDate(zoneYears, 0, 0)); _, at = at.In(zone).ZoneBounds() {
		name, to := at.In(zone).Zone()
		_, before := at.Add(-time.Second).In(zone).Zone()
		s := z.AddStandard()
		s.AddProperty(ics.ComponentPropertyDtStart, at.Add(time.Duration(before)*time.Second).UTC().Format(localForm))
		s.AddProperty("TZOFFSETFROM", offset(before))
		s.AddProperty("TZOFFSETTO", offset(to))
		s.AddProperty("TZNAME", name)
	}
}

func offset(seconds int) string {
	return time.Unix(0, 0).In(time.FixedZone("", seconds)).Format("-0700")
}

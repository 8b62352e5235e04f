package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"upkeep/internal/control"
)

// calendarDays is how far a calendar looks ahead, and back for what was missed, unless
// somebody says otherwise.
const calendarDays = 7

func (c *cli) calendarCommand() *cobra.Command {
	cmd := c.command("calendar", "")
	cmd.Args = cobra.NoArgs
	from := cmd.Flags().String("from", "", c.say("cli.flag-calendar-from"))
	to := cmd.Flags().String("to", "", c.say("cli.flag-calendar-to"))
	days := cmd.Flags().Int("days", calendarDays, c.say("cli.flag-days"))
	ical := cmd.Flags().Bool("ical", false, c.say("cli.flag-ical"))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *ical && c.json || *days < 1 || *days > 3660 {
			return c.misuse("calendar")
		}
		return c.with(cmd.Context(), func(app *control.App) error {
			begin, end, err := c.span(app, *from, *to, *days)
			if err != nil {
				return err
			}
			return c.calendar(cmd.Context(), app, begin, end, *ical)
		})
	}
	return cmd
}

// span reads the days that are asked for; without any it begins with today.
func (c *cli) span(app *control.App, from, to string, days int) (begin, end time.Time, err error) {
	now := c.Now().In(app.Zone())
	begin = time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	if from != "" {
		if begin, err = time.ParseInLocation(time.DateOnly, from, now.Location()); err != nil {
			return begin, end, c.misuse("day", "flag", "--from", "got", from)
		}
	}
	if end = begin.AddDate(0, 0, days); to == "" {
		return begin, end, nil
	}
	last, err := time.ParseInLocation(time.DateOnly, to, now.Location())
	if err != nil || last.Before(begin) {
		return begin, end, c.misuse("day", "flag", "--to", "got", to)
	}
	return begin, last.AddDate(0, 0, 1), nil
}

func (c *cli) calendar(ctx context.Context, app *control.App, from, to time.Time, ical bool) error {
	cal, err := app.Calendar(ctx, from, to)
	if err != nil {
		return err
	}
	for _, p := range app.TimeWarnings() {
		fmt.Fprintln(c.Err, "upkeep: "+p.Prefix()+c.words.Sprintf(p.Format, p.Args...))
	}
	switch {
	case ical:
		_, err = io.WriteString(c.Out, cal.ICal(c.words, c.Now()))
		return err
	case c.json:
		c.printJSON(map[string]any{"exit_code": 0, "from": cal.From, "to": cal.To, "zone": cal.From.Location().String(),
			"entries": c.entryViews(cal.Entries), "events": orEmpty(cal.Events), "more": cal.More})
		return nil
	}
	return c.showCalendar(cal)
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// entryView is an entry as JSON shows it.
type entryView struct {
	control.Entry
	Spec string    `json:"when,omitempty"` // in the reader's language
	Next time.Time `json:"next,omitzero"`
}

func (c *cli) entryViews(entries []control.Entry) []entryView {
	views := []entryView{}
	for _, e := range entries {
		v := entryView{Entry: e, Next: e.Spec.Next(c.Now())}
		if !e.Spec.IsZero() {
			v.Spec = e.Spec.Describe(c.words.Lang())
		}
		views = append(views, v)
	}
	return views
}

// showCalendar prints a day after the other.
func (c *cli) showCalendar(cal control.Calendar) error {
	w := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	specs := map[string]control.Entry{}
	for _, e := range cal.Entries {
		specs[e.What+e.Name] = e
	}
	for day := range byDay(cal.Events) {
		fmt.Fprintln(w, c.say("cli.calendar-day", "day", day[0].At.Format("2006-01-02 -07:00"), "weekday", c.say("cli.weekday-"+strings.ToLower(day[0].At.Weekday().String()))))
		for _, group := range often(day) {
			e := group[0]
			fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", c.clock(group), c.say("cli.calendar-"+e.What), e.Name, c.eventState(group, specs[e.What+e.Name]))
		}
	}
	if len(cal.Events) == 0 {
		fmt.Fprintln(w, c.say("cli.calendar-empty"))
	}
	for _, e := range cal.Entries {
		if e.What == "job" && e.Spec.IsZero() && len(e.Wait) > 0 {
			fmt.Fprintln(w, c.say("cli.calendar-after", "job", e.Name, "after", e.Wait))
		}
	}
	if cal.More > 0 {
		fmt.Fprintln(w, c.say("cli.calendar-more", "n", cal.More))
	}
	return w.Flush()
}

// byDay gives the events of one day after the other.
func byDay(events []control.Event) func(func([]control.Event) bool) {
	return func(yield func([]control.Event) bool) {
		for len(events) > 0 {
			date := events[0].At.Format(time.DateOnly)
			n := slices.IndexFunc(events, func(e control.Event) bool { return e.At.Format(time.DateOnly) != date })
			if n < 0 {
				n = len(events)
			}
			if !yield(events[:n]) {
				return
			}
			events = events[n:]
		}
	}
}

// manyADay is how often something is shown one by one on a day.
const manyADay = 3

// often puts together what comes many times a day in the same way.
func often(day []control.Event) (groups [][]control.Event) {
	type key struct{ what, name, state string }
	of := func(e control.Event) key { return key{e.What, e.Name, string(e.State) + e.Why} }
	n := map[key]int{}
	for _, e := range day {
		n[of(e)]++
	}
	at := map[key]int{}
	for _, e := range day {
		if i, begun := at[of(e)]; begun && n[of(e)] > manyADay {
			groups[i] = append(groups[i], e)
			continue
		}
		at[of(e)] = len(groups)
		groups = append(groups, []control.Event{e})
	}
	return groups
}

func (c *cli) clock(group []control.Event) string {
	first, last := group[0], group[len(group)-1]
	switch {
	case len(group) > 1:
		return first.At.Format("15:04") + "…" + last.At.Format("15:04")
	case first.Until.IsZero():
		return first.At.Format("15:04")
	case first.Until.Format(time.DateOnly) != first.At.Format(time.DateOnly):
		return first.At.Format("15:04") + "–" + first.Until.Format("01-02 15:04")
	}
	return first.At.Format("15:04") + "–" + first.Until.Format("15:04")
}

// eventState says what became of a turn, or when it is due.
func (c *cli) eventState(group []control.Event, e control.Entry) string {
	var said []string
	if first := group[0]; first.State != "" {
		state := c.say("cli.turn-"+string(first.State), "code", first.Exit)
		if first.Why != "" {
			state += ": " + c.turnWhy(first.Why)
		}
		said = append(said, state, first.Run)
	} else {
		said = append(said, e.Spec.Describe(c.words.Lang()))
	}
	if len(group) > 1 {
		said = append(said, c.say("cli.calendar-times", "n", len(group)))
	}
	return strings.Join(slices.DeleteFunc(said, func(s string) bool { return s == "" }), "  ")
}

// turnWhy is a reason of the ledger in words, or the error that it names.
func (c *cli) turnWhy(why string) string {
	word, more, _ := strings.Cut(why, "+")
	if strings.HasPrefix(word, "error.") {
		title, _, _ := c.words.Error(word, nil)
		return title
	}
	text := c.say("cli.why-" + word)
	if more != "" {
		text += " " + c.say("cli.why-more", "n", more)
	}
	return text
}

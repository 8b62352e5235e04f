package report

import (
	"time"

	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// Current makes a page of what holds now: runs in the order in which they are to be
// read, for surfaces that lay it out themselves.
func Current(system string, runs []journal.Run, now time.Time) Page {
	page := Page{System: system, Title: "now", At: now}
	for _, r := range runs {
		page.Sections = append(page.Sections, section(r))
		page.prove(r)
	}
	return page
}

// Card is one target with all that a page says of it, in words.
type Card struct {
	Target, Kind, Facts string
	Severity            service.Severity
	Entries             []Entry // worst first
	Accepted            []Entry
}

// Entry is one finding or error in words.
type Entry struct {
	Verb, ID, Title, Consequence, Fix string
	Why                               string // of an accepted one
	Severity                          service.Severity
	Since                             time.Time // zero for an error
}

// Cards are the targets of a page, the worst first.
func (t Text) Cards(p Page) (cards []Card) {
	for _, c := range t.cards(p) {
		card := Card{Target: c.Target, Kind: c.Kind, Facts: c.Facts, Severity: c.Severity}
		for _, e := range c.Entries {
			card.Entries = append(card.Entries, e.shown())
		}
		for _, s := range p.Sections {
			for _, l := range s.Accepted {
				if l.Target == c.Target {
					card.Accepted = append(card.Accepted, t.entry(s, l).shown())
				}
			}
		}
		cards = append(cards, card)
	}
	return cards
}

func (e entry) shown() Entry {
	return Entry{Verb: e.Verb, ID: e.ID, Title: e.Title, Consequence: e.Consequence, Fix: e.Fix, Why: e.Why, Severity: e.Severity, Since: e.Began}
}

// Store names a store in words.
func (t Text) Store(c Capacity) string {
	return t.say("store-"+string(c.Store), args{"target": c.Target, "name": t.clean(c.Name)})
}

// Back rounds a measured way back so that "within" stays true.
func Back(rto time.Duration) time.Duration { return upward(rto) }

// Verdict is the worst that a section says; a verb that was skipped, failed or has not
// ended is unknown.
func (s Section) Verdict() service.Severity { return s.verdict() }

// Compared lists what was found equal: "214 tables, 112,904 keys".
func (t Text) Compared(counts map[string]int64) string { return t.compared(counts) }

// Stores are the sizes of everything that holds data, from runs, newest first.
func Stores(runs []journal.Run) []Capacity { return capacity(runs, lastReport(runs)) }

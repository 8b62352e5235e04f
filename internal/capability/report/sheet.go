package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// sheet is a page in words, ready to be laid out.
type sheet struct {
	Lang, System, Title, At string
	Need                    need
	Sentence                string
	Bad, Fine               []card // targets: what needs somebody, and what is fine
	Accepted                []entry
	Copy                    *table
	Done                    []done
	History                 *history
	Activities              []Activity
	Capacity                []capacityRow
	Results                 []resultsView
	Print                   bool // nothing is folded
	Since, Run              string
	Aside                   bool // there is something to put beside the targets
}

// need is the first answer: how much waits for the reader.
type need struct {
	Many  string // "3 of 12", or empty
	Rest  string // the sentence around it
	Worst service.Severity
}

// card is one target with all that this page says of it.
type card struct {
	Target, Kind, Facts string
	Severity            service.Severity
	Entries             []entry
}

// entry is one finding or error in words.
type entry struct {
	told
	Target, Verb, ID, Why string
	Severity              service.Severity
}

// done is one verb's run.
type done struct {
	Verb, Summary, Took, At, Run string
	Severity                     service.Severity
}

func (t Text) sheet(p Page) sheet {
	t.Colour = false
	s := sheet{Lang: t.say("html-lang", nil), System: p.System, Title: t.title(p), At: t.Words.Time(p.At), Run: p.Run,
		Sentence: t.Sentence(p), Copy: t.copies(p), History: t.drills(p), Activities: p.Activities, Capacity: t.capacity(p), Results: t.results(p), Print: t.unfolded}
	if !p.Since.IsZero() {
		s.Since = t.say("span", args{"since": t.Words.Time(p.Since)})
	}
	for _, c := range t.cards(p) {
		if c.Severity == service.OK {
			s.Fine = append(s.Fine, c)
		} else {
			s.Bad = append(s.Bad, c)
		}
	}
	for _, section := range p.Sections {
		s.Done = append(s.Done, t.done(section))
		for _, l := range section.Accepted {
			s.Accepted = append(s.Accepted, t.entry(section, l))
		}
	}
	s.Need = t.need(p, s.Bad, len(s.Bad)+len(s.Fine))
	s.Aside = s.Copy != nil || s.History != nil || len(s.Activities) > 0 || len(s.Capacity) > 0
	return s
}

// title is the job's or verb's name; a span's page is called by its length.
func (t Text) title(p Page) string {
	if p.Since.IsZero() {
		return p.Title
	}
	return t.say("days", args{"n": int(p.At.Sub(p.Since).Round(24*time.Hour) / (24 * time.Hour))})
}

// need counts targets; a verb that failed as a whole is told apart, for it has
// none.
func (t Text) need(p Page, bad []card, all int) need {
	var verbs []string
	for _, s := range p.Sections {
		if s.Problem != nil {
			verbs = append(verbs, s.Verb)
		}
	}
	switch {
	case len(bad) > 0:
		rest := "need-more"
		if len(bad) == 1 {
			rest = "need-one"
		}
		return need{Many: t.say("need-many", args{"n": len(bad), "all": all}), Rest: t.say(rest, nil), Worst: bad[0].Severity}
	case len(verbs) > 0:
		return need{Many: t.say("list", args{"of": verbs}), Rest: t.say("need-verb", nil), Worst: service.Critical}
	case all == 0:
		return need{}
	}
	return need{Rest: t.say("need-none", args{"all": all}), Worst: service.OK}
}

// cards gathers what all verbs say of each target, the worst first.
func (t Text) cards(p Page) []card {
	var cards []card
	at := func(target journal.Target) *card {
		i := slices.IndexFunc(cards, func(c card) bool { return c.Target == target.Target })
		if i < 0 {
			cards = append(cards, card{Target: target.Target, Kind: t.kind(target), Severity: service.OK})
			i = len(cards) - 1
		}
		return &cards[i]
	}
	for _, s := range p.Sections {
		for _, target := range s.Run.Targets {
			c := at(target)
			if s.Verb == "check" {
				c.Facts = t.facts(target)
			}
			if weight(target.Verdict) < weight(c.Severity) {
				c.Severity = target.Verdict
			}
			open, _ := lines(target, s.Verb == advising)
			slices.SortStableFunc(open, worseFirst)
			for _, l := range open {
				if l.Severity == service.OK {
					c.Facts = strings.Join(kept(c.Facts, t.told(s, l).Title), "; ")
					continue
				}
				c.add(t.entry(s, l))
			}
		}
	}
	for _, r := range p.Results {
		if r.Problem != nil {
			c := at(journal.Target{Target: t.clean(r.Target), Kind: t.clean(r.Kind)})
			if weight(service.Unknown) < weight(c.Severity) {
				c.Severity = service.Unknown
			}
			c.add(*t.unsummed(r))
		}
	}
	slices.SortStableFunc(cards, func(a, b card) int { return cmp.Compare(weight(a.Severity), weight(b.Severity)) })
	return cards
}

// add keeps advice that was given before from being given again: a store that is
// down fails every verb alike.
func (c *card) add(e entry) {
	if slices.ContainsFunc(c.Entries, func(before entry) bool { return before.Fix == e.Fix }) {
		e.Fix, e.Consequence = "", ""
	}
	c.Entries = append(c.Entries, e)
}

func (t Text) entry(s Section, l Line) entry {
	e := entry{told: t.told(s, l), Target: l.Target, Verb: s.Verb, Severity: l.Severity}
	if l.Finding != nil {
		e.ID, e.Why = l.Finding.ID, t.clean(l.Finding.Waived)
	}
	return e
}

func (t Text) done(s Section) done {
	d := done{Verb: s.Verb, Summary: t.Summary(s), Run: s.Run.ID, Severity: s.verdict()}
	if s.Problem != nil {
		said := t.problem(s, s.Problem, "")
		d.Summary = strings.Join(append([]string{d.Summary}, kept(said.Consequence, said.Fix)...), "\n")
	}
	if !s.Skipped && !s.open() && s.Verb != "report" {
		d.Took = t.Words.Duration(s.Took)
	}
	if !s.Run.Started.IsZero() {
		d.At = t.Words.Time(s.Run.Started)
	}
	return d
}

// verdict is the worst that a section says; a verb that was skipped, failed or has
// not ended is unknown.
func (s Section) verdict() service.Severity {
	var all []service.Finding
	for _, l := range s.Lines {
		all = append(all, service.Finding{Severity: l.Severity})
	}
	if s.Skipped || s.Problem != nil || s.open() {
		all = append(all, service.Finding{Severity: service.Unknown})
	}
	return service.Worst(all)
}

package report

import (
	"cmp"
	"slices"
	"time"

	"upkeep/internal/journal"
)

// Activity is what one verb did within a span.
type Activity struct {
	Verb   string
	Runs   int
	Failed int // without a whole result: failed, unfinished, or could not tell
}

// Drilled is one drill that proved a point: the history of what could be lost
// and how long the way back takes.
type Drilled struct {
	At       time.Time
	RPO, RTO time.Duration
}

// verbs are in the order in which they follow each other on a page.
func verbs() []string {
	return []string{"check", "backup", "verify", "drill", "restore", "recover", "maintain", "reconcile", "logs", "tune", "diagnose", "repair", "merge", "dedup", "convert", "tidy", "run", "report"}
}

// care are the verbs that change what is cared for.
func care() []string { return []string{"maintain", "repair", "merge", "dedup", "convert"} }

// judging are the verbs whose newest run a page over a span shows in full.
func judging() []string { return []string{"check", "backup", "verify", "drill"} }

// Over makes a page of a span of time from runs, newest first: the newest run of
// every verb in full, and what was done since.
func Over(system string, runs []journal.Run, since, now time.Time) Page {
	page := Page{System: system, Title: "report", At: now, Since: since}
	for _, verb := range judging() {
		if i := slices.IndexFunc(runs, func(r journal.Run) bool { return r.Verb == verb }); i >= 0 {
			page.Sections = append(page.Sections, section(runs[i]))
		}
	}
	for _, r := range runs {
		if r.Started.Before(since) {
			break
		}
		page.count(r)
		page.prove(r)
	}
	slices.SortStableFunc(page.Activities, func(a, b Activity) int { return cmp.Compare(rank(a.Verb), rank(b.Verb)) })
	slices.Reverse(page.Drills)
	page.Capacity = capacity(runs, lastReport(runs))
	return page
}

// rank orders verbs; those that it does not know come last.
func rank(verb string) int {
	if i := slices.Index(verbs(), verb); i >= 0 {
		return i
	}
	return len(verbs())
}

func (p *Page) count(r journal.Run) {
	i := slices.IndexFunc(p.Activities, func(a Activity) bool { return a.Verb == r.Verb })
	if i < 0 {
		p.Activities = append(p.Activities, Activity{Verb: r.Verb})
		i = len(p.Activities) - 1
	}
	p.Activities[i].Runs++
	if r.Finished.IsZero() || r.Exit > 1 {
		p.Activities[i].Failed++
	}
}

func (p *Page) prove(r journal.Run) {
	if r.Proof != nil {
		p.Drills = append(p.Drills, Drilled{r.Started, r.Proof.RPO, r.Proof.RTO})
	}
}

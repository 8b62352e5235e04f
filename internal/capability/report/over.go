package report

import (
	"slices"
	"time"

	"upkeep/internal/journal"
)

// Activity is what one verb did within a span.
type Activity struct {
	Verb   string
	Runs   int
	Failed int // ended with an exit code above 1, or not at all
}

// Drilled is one drill that proved a point: the history of what could be lost
// and how long the way back takes.
type Drilled struct {
	At       time.Time
	RPO, RTO time.Duration
}

// order is how verbs follow each other on a page.
var order = []string{"check", "backup", "verify", "drill"}

// Over makes a page of a span of time from runs, newest first: the newest run of
// every verb in full, and what was done since.
func Over(system string, runs []journal.Run, since, now time.Time) Page {
	page := Page{System: system, Title: "report", At: now}
	for _, verb := range order {
		if i := slices.IndexFunc(runs, func(r journal.Run) bool { return r.Verb == verb }); i >= 0 {
			page.Sections = append(page.Sections, section(runs[i]))
		}
	}
	for _, r := range runs {
		if r.Started.Before(since) {
			break
		}
		page.count(r)
	}
	return page
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
	if r.Proof != nil {
		p.Drills = append(p.Drills, Drilled{r.Started, r.Proof.RPO, r.Proof.RTO})
	}
}

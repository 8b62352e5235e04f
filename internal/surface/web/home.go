package web

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/a-h/templ"

	"upkeep/internal/capability/report"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// homeView is the first screen: may I sleep?
type homeView struct {
	System   string           `json:"system"`
	At       moment           `json:"at"`
	Verdict  service.Severity `json:"verdict"` // the worst of all targets
	Need     int              `json:"need"`    // targets that need somebody
	Of       int              `json:"of"`
	Say      string           `json:"say"`      // the first sentence, in words
	Sentence string           `json:"sentence"` // what the newest runs show of the copies
	Targets  []row            `json:"targets"`  // worst first
	Copies   *copies          `json:"copies"`
	Reading  bool             `json:"reading"` // the copies: they are there soon
	Running  []progress       `json:"running"`
	Left     []ran            `json:"left"` // begun and not ended: they wait to be resumed
	Next     []due            `json:"next"`
	Recent   []ran            `json:"recent"`
	Stores   []store          `json:"storage"`
	// Errors says which parts could not be told, and why.
	Errors map[string]*report.ErrorView `json:"errors"`

	many, rest, safe string
	unscheduled      bool // nothing here runs by itself
}

// progress is one run that goes on.
type progress struct {
	ran
	Doing string `json:"doing"` // of a job: the verb at work
	Done  int    `json:"done"`  // verbs that ended
	All   int    `json:"of"`    // verbs; 0 = it is one itself
}

// How much of each list the first screen has room for.
const (
	nextShown   = 5
	recentShown = 6
	checksShown = 3  // of those: something that comes and goes must not hide the rest
	homeEvery   = 15 // seconds
	aDay        = 24 * time.Hour
)

func (s *site) home(ctx context.Context, p *page) (any, templ.Component, error) {
	v := homeView{System: p.system, At: moment{p.now}, Errors: map[string]*report.ErrorView{}}
	n, err := s.now(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	v.Targets = s.rows(p, n)
	s.trends(ctx, p, v.Targets)
	v.Sentence = p.report.Sentence(n.page)
	v.Stores, err = s.stores(ctx, p)
	v.Errors["storage"] = p.trouble(err)
	v.Copies, err = s.copies(ctx, p)
	v.Errors["copies"], v.Reading = p.trouble(err), errors.Is(err, ErrReading)
	v.Next, err = s.next(ctx, p, nextShown)
	v.Errors["next"], v.unscheduled = p.trouble(err), unsupported(err)
	v.Errors["runs"] = p.trouble(s.lately(ctx, p, &v))
	for part, e := range v.Errors {
		if e == nil {
			delete(v.Errors, part)
		}
	}
	v.judge(p)
	p.part, p.refresh, p.title = "home", homeEvery, v.title(p)
	if v.Reading {
		p.refresh = liveEvery
	}
	return v, home(p, v), nil
}

// judge sums up the targets.
func (v *homeView) judge(p *page) {
	v.Verdict, v.Of = service.OK, len(v.Targets)
	for _, t := range v.Targets {
		if t.Verdict != service.OK {
			v.Need++
		}
		if weight(t.Verdict) < weight(v.Verdict) {
			v.Verdict = t.Verdict
		}
	}
	if v.safe = v.Copies.safe(p); v.Reading {
		v.safe = p.say("safe-reading")
	}
	switch {
	case v.Of == 0:
		v.Verdict, v.rest = service.Unknown, p.say("nothing-declared")
	case v.Need == 0:
		v.rest = p.words.Message("report.need-none", args{"all": v.Of})
	case v.Need == 1:
		v.many, v.rest = p.words.Message("report.need-many", args{"n": 1, "all": v.Of}), p.words.Message("report.need-one", nil)
	default:
		v.many, v.rest = p.words.Message("report.need-many", args{"n": v.Need, "all": v.Of}), p.words.Message("report.need-more", nil)
	}
	v.Say = joined(p.gap(), v.many, v.rest, v.safe)
}

func joined(gap string, parts ...string) (text string) {
	for _, part := range parts {
		if text != "" && part != "" {
			text += gap
		}
		text += part
	}
	return text
}

func (v *homeView) title(p *page) string {
	if v.Need == 0 {
		return p.say("title-home")
	}
	return joined(p.gap(), v.many, v.rest)
}

// bad and fine divide the targets.
func (v homeView) bad() []row  { return v.Targets[:v.Need] }
func (v homeView) fine() []row { return v.Targets[v.Need:] }

// lookedThrough is how many of the newest runs are looked through for those that go on.
const lookedThrough = 50

// lately fills in what goes on, what was left, and what has ended since yesterday. The runs
// of a job's verbs are the job's.
func (s *site) lately(ctx context.Context, p *page, v *homeView) error {
	v.Running, v.Left, v.Recent = []progress{}, []ran{}, []ran{}
	checks := 0
	runs, _, err := s.System.Runs(ctx, journal.Query{Limit: lookedThrough})
	for _, run := range runs {
		if run.Parent != "" {
			continue
		}
		one := s.ran(p, run)
		switch {
		case one.State == left:
			v.Left = append(v.Left, one)
		case one.State == running:
			doing, err := s.progress(ctx, one, run)
			if err != nil {
				return err
			}
			v.Running = append(v.Running, doing)
		case run.Started.After(p.now.Add(-aDay)) && len(v.Recent) < recentShown && (run.Verb != "check" || checks < checksShown):
			v.Recent = append(v.Recent, one)
			if run.Verb == "check" {
				checks++
			}
		}
	}
	return err
}

func (s *site) progress(ctx context.Context, shown ran, run journal.Run) (progress, error) {
	one := progress{ran: shown}
	if run.Verb != "run" {
		return one, nil
	}
	one.Done = len(run.Steps)
	begun, of, err := s.System.Verbs(ctx, run)
	one.All = of
	for _, verb := range begun {
		if verb.Finished.IsZero() {
			one.Doing = verb.Verb
		}
	}
	return one, err
}

// fineShown is how many fine targets are listed before the rest is folded.
const fineShown = 6

// measured reports whether any target has a trend.
func (v homeView) measured() bool {
	return slices.ContainsFunc(v.Targets, func(r row) bool { return r.Trend != nil })
}

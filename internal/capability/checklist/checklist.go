// Package checklist decides what of the declared lists is done in a span: by which run
// an item was ticked, by whom it was signed, what is open and what was missed. It runs
// nothing and keeps nothing.
package checklist

import (
	"context"
	"slices"
	"strings"
	"time"

	"upkeep/internal/config"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// NoteKind is the kind of the journal's notes about items.
const NoteKind = "checklist"

// Mark is the body of such a note.
type Mark struct {
	List string `json:"list"`
	Item string `json:"item"`
	Seen bool   `json:"seen,omitempty"` // the item was met for the first time; else somebody signed it
	By   string `json:"by,omitempty"`
	Note string `json:"note,omitempty"`
}

// Tick is the evidence that an item was done.
type Tick struct {
	At      time.Time        `json:"at"`
	Run     string           `json:"run,omitempty"`
	Verdict service.Severity `json:"verdict,omitempty"` // of the run, or what it said of the item's target
	By      string           `json:"by,omitempty"`      // who signed
	Note    string           `json:"note,omitempty"`
}

// Item is one item in one span.
type Item struct {
	Name    string `json:"item"`
	Verb    string `json:"verb,omitempty"` // whose run ticks it; empty = a person signs it
	Target  string `json:"target,omitempty"`
	Done    *Tick  `json:"done,omitempty"`    // nil = open
	Overdue string `json:"overdue,omitempty"` // the span that ended without it, while it is still not done
}

// List is a list in one span.
type List struct {
	Name  string    `json:"list"`
	Every string    `json:"every"`
	Span  string    `json:"span"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	Items []Item    `json:"items"`
}

// Done is how many items are.
func (l List) Done() (n int) {
	for _, i := range l.Items {
		if i.Done != nil {
			n++
		}
	}
	return n
}

// Books is what is asked of the journal.
type Books struct {
	// Runs lists finished runs of a verb that began in a time, the newest first; with a
	// target only those that told of it.
	Runs  func(ctx context.Context, verb, target string, from, to time.Time) ([]journal.Run, error)
	Marks []Signed // the newest first
}

// Signed is a mark and when it was made.
type Signed struct {
	Mark
	At time.Time
}

// In says how a list stands in a span.
func (b Books) In(ctx context.Context, name string, declared config.Checklist, span Span) (List, error) {
	list := List{Name: name, Every: declared.Every, Span: span.String(), From: span.From, To: span.To, Items: []Item{}}
	for _, d := range declared.Items {
		item := Item{Name: d.Name, Verb: d.By, Target: d.Target}
		var err error
		if item.Done, err = b.done(ctx, name, d, span); err != nil {
			return list, err
		}
		list.Items = append(list.Items, item)
	}
	return list, nil
}

// Past says how a list stood in a span that may be over: without the items that were
// neither there by then nor done.
func (b Books) Past(ctx context.Context, name string, declared config.Checklist, span Span, now time.Time) (List, error) {
	list, err := b.In(ctx, name, declared, span)
	if span.Holds(now) {
		return list, err
	}
	list.Items = slices.DeleteFunc(list.Items, func(item Item) bool { return item.Done == nil && !b.counts(name, item.Name, span) })
	return list, err
}

// Now says how a list stands now: open items that the span before ended without are
// overdue.
func (b Books) Now(ctx context.Context, name string, declared config.Checklist, now time.Time) (List, error) {
	span := Around(declared.Every, now)
	list, err := b.In(ctx, name, declared, span)
	for i, item := range list.Items {
		if err != nil || item.Done != nil || !b.counts(name, item.Name, span.Before()) {
			continue
		}
		var before *Tick
		if before, err = b.done(ctx, name, declared.Items[i], span.Before()); err == nil && before == nil {
			list.Items[i].Overdue = span.Before().String()
		}
	}
	return list, err
}

// counts reports whether an item was there for the whole of a span: nobody could have
// done before what was not declared.
func (b Books) counts(list, item string, span Span) bool {
	return slices.ContainsFunc(b.Marks, func(m Signed) bool {
		return m.List == list && m.Item == item && m.Seen && !m.At.After(span.From)
	})
}

// Unseen lists the items that were never met before.
func (b Books) Unseen(name string, declared config.Checklist) (marks []Mark) {
	for _, item := range declared.Items {
		if !slices.ContainsFunc(b.Marks, func(m Signed) bool { return m.List == name && m.Item == item.Name && m.Seen }) {
			marks = append(marks, Mark{List: name, Item: item.Name, Seen: true})
		}
	}
	return marks
}

// done returns the evidence of an item in a span, or nil.
func (b Books) done(ctx context.Context, list string, item config.Item, span Span) (*Tick, error) {
	if item.By == "" {
		return b.signed(list, item.Name, span), nil
	}
	words := strings.Fields(item.By)
	runs, err := b.Runs(ctx, words[0], item.Target, span.From, span.To)
	if err != nil {
		return nil, err
	}
	for _, run := range runs {
		if code, verdict := ended(run, item.Target); asked(run, words[1:]) && well(code, item.Exits) {
			return &Tick{At: run.Finished.In(span.From.Location()), Run: run.ID, Verdict: verdict}, nil
		}
	}
	return nil, nil
}

// signed returns the first signature in a span.
func (b Books) signed(list, item string, span Span) *Tick {
	for _, m := range slices.Backward(b.Marks) {
		if m.List == list && m.Item == item && !m.Seen && span.Holds(m.At) {
			return &Tick{At: m.At.In(span.From.Location()), By: m.By, Note: m.Note}
		}
	}
	return nil
}

// ended is how a run ended, for one target where only that counts.
func ended(run journal.Run, target string) (code int, verdict service.Severity) {
	i := slices.IndexFunc(run.Targets, func(t journal.Target) bool { return t.Target == target })
	if target == "" || i < 0 {
		return run.Exit, run.Verdict
	}
	switch t := run.Targets[i]; {
	case t.Error != nil:
		return t.Error.Code, t.Verdict
	case t.Verdict == service.Critical:
		return 1, t.Verdict
	case t.Verdict == service.Unknown:
		return 3, t.Verdict
	default:
		return 0, t.Verdict
	}
}

func well(code int, exits []int) bool {
	return len(exits) == 0 && code == 0 || slices.Contains(exits, code)
}

// asked reports whether a run was asked for with the flags of an item: a report of a
// month is none of a day.
func asked(run journal.Run, flags []string) bool {
	for _, flag := range flags {
		if span, ok := strings.CutPrefix(flag, "--"); ok && span != "format" && !strings.Contains(string(run.Args), `"span":"`+span+`"`) {
			return false
		}
	}
	return true
}

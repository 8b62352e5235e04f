// Package trend compares the templates of one run with those of the runs before:
// which are new, and which come far more often than they ever did. It keeps counts,
// never messages, apart from one sample of each template. Finding templates is the
// work of package template.
package trend

import (
	"cmp"
	"slices"
	"time"

	"upkeep/internal/logs/template"
)

// Limits of what is kept between runs.
const (
	MaxRuns  = 10     // rates are compared with those of so many runs
	MaxKnown = 20_000 // templates; beyond it those unseen for longest are forgotten
)

// State is what is kept between runs. It is written as JSON.
type State struct {
	Runs      []Run   `json:"runs"` // the oldest first
	Templates []Known `json:"templates"`
}

// Run is what one run has read.
type Run struct {
	From  time.Time `json:"from"` // first and last time in the log; zero: it has none
	To    time.Time `json:"to"`
	Lines int64     `json:"lines"`
}

// Known is a template that some run has seen.
type Known struct {
	Level   string    `json:"level,omitempty"`
	Pattern string    `json:"pattern"`
	Count   int64     `json:"count"` // in all runs
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
	Sample  string    `json:"sample"`
	Counts  []int64   `json:"counts"` // in each of State.Runs
}

// Seen is a template of the present run. Templates of different levels are
// different ones even when their patterns are equal.
type Seen struct {
	Level string
	template.Template
}

// Patterns returns what a Miner for messages of one level should know.
func (s *State) Patterns(level string) []string {
	var patterns []string
	for _, k := range s.Templates {
		if k.Level == level {
			patterns = append(patterns, k.Pattern)
		}
	}
	return patterns
}

// Add puts a run into the state. What it changes is told by Compare, before.
func (s *State) Add(run Run, seen []Seen) {
	dropped := max(0, len(s.Runs)+1-MaxRuns)
	s.Runs = append(slices.Clone(s.Runs[dropped:]), run)
	old := index(s.Templates)
	templates := make([]Known, 0, len(s.Templates)+len(seen))
	for _, t := range seen {
		k := Known{Level: t.Level, Pattern: t.Pattern, First: t.First, Counts: make([]int64, len(s.Runs))}
		for _, before := range take(old, t) {
			k.take(before, dropped)
		}
		k.see(t)
		templates = append(templates, k)
	}
	for _, k := range s.Templates {
		if _, left := old[key{k.Level, k.Pattern}]; left {
			gone := Known{Level: k.Level, Pattern: k.Pattern, First: k.First, Counts: make([]int64, len(s.Runs))}
			gone.take(k, dropped)
			templates = append(templates, gone)
		}
	}
	s.Templates = bounded(templates)
}

type key struct{ level, pattern string }

func index(all []Known) map[key]Known {
	byKey := make(map[key]Known, len(all))
	for _, k := range all {
		byKey[key{k.Level, k.Pattern}] = k
	}
	return byKey
}

// take removes from old what t stands for now.
func take(old map[key]Known, t Seen) []Known {
	var found []Known
	for _, pattern := range append([]string{t.Pattern}, t.Known...) {
		k := key{t.Level, pattern}
		if known, ok := old[k]; ok {
			found = append(found, known)
			delete(old, k)
		}
	}
	return found
}

// take adds what earlier runs counted; the oldest of them may have been dropped.
func (k *Known) take(before Known, dropped int) {
	k.Count += before.Count
	k.First, k.Last = earlier(k.First, before.First), later(k.Last, before.Last)
	k.Sample = cmp.Or(before.Sample, k.Sample)
	for i, n := range before.Counts[min(dropped, len(before.Counts)):] {
		k.Counts[i] += n
	}
}

// see adds what the last run counted.
func (k *Known) see(t Seen) {
	k.Count += t.Count
	k.Last = later(k.Last, t.Last)
	k.Sample = cmp.Or(t.Sample, k.Sample)
	k.Counts[len(k.Counts)-1] += t.Count
}

// bounded forgets the templates unseen for longest when there are too many.
func bounded(all []Known) []Known {
	if len(all) <= MaxKnown {
		return all
	}
	slices.SortStableFunc(all, func(a, b Known) int { return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(b.Count, a.Count)) })
	return all[:MaxKnown]
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

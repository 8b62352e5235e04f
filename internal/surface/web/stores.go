package web

import (
	"cmp"
	"context"
	"slices"

	"upkeep/internal/capability/report"
)

// store is how full something is.
type store struct {
	Name  string   `json:"name"` // in words
	Sort  string   `json:"sort"` // mount, repository
	Used  int64    `json:"used_bytes"`
	Total *int64   `json:"total_bytes"`   // null = not known, or without a bound
	Daily *float64 `json:"bytes_per_day"` // null = too little is recorded to tell
	Full  *float64 `json:"full_in_days"`  // at that pace; null = not, or not known
	At    moment   `json:"at"`
}

// storesShown is what fits beside the targets.
const storesShown = 4

// stores are disks, the fullest first, and the repository.
func (s *site) stores(ctx context.Context, p *page) ([]store, error) {
	found, err := s.System.Stores(ctx)
	all := []store{}
	for _, c := range found {
		if c.Store == report.Mount || c.Store == report.Repository {
			all = append(all, storeOf(p, c))
		}
	}
	slices.SortStableFunc(all, func(a, b store) int { return cmp.Compare(b.share(), a.share()) })
	return all[:min(len(all), storesShown)], err
}

func storeOf(p *page, c report.Capacity) store {
	v := store{Name: p.report.Store(c), Sort: string(c.Store), Used: c.Used, Daily: c.Daily, At: moment{c.At}}
	if c.Total > 0 {
		v.Total = &c.Total
	}
	if c.Total > 0 && c.Daily != nil && *c.Daily > 0 {
		days := float64(c.Total-c.Used) / *c.Daily
		v.Full = &days
	}
	return v
}

func (s store) share() float64 {
	if s.Total == nil {
		return 0
	}
	return float64(s.Used) / float64(*s.Total)
}

// soonest is the store that is full first, or nil: its time is worth a word only when it
// comes within a year.
func soonest(all []store) *store {
	const farAway = 365
	var first *store
	for i, s := range all {
		if s.Full != nil && *s.Full < farAway && (first == nil || *s.Full < *first.Full) {
			first = &all[i]
		}
	}
	return first
}

// pace says how a store grows.
func (p *page) pace(s store) string {
	switch {
	case s.Daily == nil:
		return p.say("pace-unknown")
	case s.Full != nil:
		return p.say("pace-full", "daily", *s.Daily, "days", *s.Full)
	case *s.Daily > 0:
		return p.say("pace", "daily", *s.Daily)
	}
	return p.say("pace-none")
}

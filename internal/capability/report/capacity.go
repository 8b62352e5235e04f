package report

import (
	"cmp"
	"slices"
	"time"

	"upkeep/internal/journal"
)

// Capacity is how much of a store is used, and how that changes, by what past runs
// have recorded.
type Capacity struct {
	Target string // "upkeep" for the repository
	Store  Store
	Name   string // of the mount, volume or database; empty = the target as a whole
	At     time.Time
	Used   int64 // bytes
	Total  int64 // bytes; 0 = not known, or without a bound
	// Before is when Change is counted from: the last report, or else the oldest run that
	// is known. Zero: there is only one run.
	Before time.Time
	Change int64 // bytes since Before
	// Daily is the growth in bytes per day over all runs that are known; nil where there
	// are fewer than three, or they lie too close together to tell.
	Daily *float64
}

// Store is the sort of thing that holds data.
type Store string

// The stores that a report tells of.
const (
	Mount      Store = "mount"
	Volume     Store = "volume"
	Database   Store = "database"
	Whole      Store = "target" // a database server, a directory
	Copied     Store = "copied" // a bucket and whatever else is measured when it is copied
	Repository Store = "repository"
)

// own is the target under which the repository is told.
const own = "upkeep"

// Growth is told from so many runs on, over so long at least: a slope over seconds
// says nothing of days.
const (
	growthRuns = 3
	growthSpan = time.Hour
)

// reading is one measurement of one store.
type reading struct {
	at          time.Time
	used, total int64
}

type storeKey struct {
	target string
	store  Store
	name   string
}

// capacity reads the series of every store from runs, newest first.
func capacity(runs []journal.Run, last time.Time) []Capacity {
	series := map[storeKey][]reading{}
	for _, r := range slices.Backward(runs) {
		if r.Finished.IsZero() {
			continue
		}
		for key, s := range measured(r) {
			s.at = r.Started
			series[key] = append(series[key], s)
		}
	}
	all := []Capacity{}
	for key, readings := range series {
		if _, told := series[storeKey{key.target, Whole, ""}]; told && key.store == Copied {
			continue // its own size says more than that of its copy
		}
		all = append(all, capacityOf(key, readings, last))
	}
	slices.SortFunc(all, func(a, b Capacity) int {
		return cmp.Or(cmp.Compare(place(a.Store), place(b.Store)), cmp.Compare(a.Target, b.Target), cmp.Compare(a.Name, b.Name))
	})
	return all
}

func place(s Store) int {
	return slices.Index([]Store{Mount, Volume, Whole, Database, Copied, Repository}, s)
}

// measured are the sizes in one run's facts. Kinds name their facts alike, so no kind
// is known here.
func measured(r journal.Run) map[storeKey]reading {
	found := map[storeKey]reading{}
	add := func(target string, store Store, name string, used any, total any) {
		if n, known := number(used); known {
			all, _ := number(total)
			found[storeKey{target, store, name}] = reading{used: int64(n), total: int64(all)}
		}
	}
	for _, t := range r.Targets {
		switch {
		case t.Error != nil:
		case r.Verb == "check":
			add(t.Target, Whole, "", t.Facts["size_bytes"], nil)
			eachMount(t.Facts["mounts"], func(name string, used, total any) { add(t.Target, Mount, name, used, total) })
			for name, size := range mapping(t.Facts["volume_bytes"]) {
				add(t.Target, Volume, name, size, nil)
			}
			list, _ := t.Facts["databases"].([]any)
			for _, one := range list {
				if name, is := mapping(one)["name"].(string); is {
					add(t.Target, Database, name, mapping(one)["size_bytes"], nil)
				}
			}
		case r.Verb == "backup":
			add(t.Target, Copied, "", t.Facts["bytes"], nil)
		}
	}
	if r.Verb == "backup" && r.Stored > 0 {
		add(own, Repository, "", r.Stored, nil)
	}
	return found
}

func eachMount(mounts any, do func(name string, used, total any)) {
	for name, about := range mapping(mounts) {
		size, sized := number(mapping(about)["size_bytes"])
		free, freed := number(mapping(about)["free_bytes"])
		if sized && freed {
			used, all := filled(size, free, mapping(about)["used"])
			do(name, used, all)
		}
	}
}

// filled is what a mount holds and what it can hold, as df and the check have it: a reserve of root's
// or a quota is part of the size, and neither used nor free.
func filled(size, free float64, share any) (used, all float64) {
	if part, known := number(share); known && part < 1 {
		used = free * part / (1 - part)
		return used, used + free
	}
	return size - free, size
}

func mapping(value any) map[string]any {
	m, _ := value.(map[string]any)
	return m
}

func capacityOf(key storeKey, readings []reading, last time.Time) Capacity {
	now := readings[len(readings)-1]
	c := Capacity{Target: key.target, Store: key.store, Name: key.name, At: now.at, Used: now.used, Total: now.total}
	if len(readings) < 2 {
		return c
	}
	before := readings[0]
	for _, s := range readings[:len(readings)-1] {
		if !s.at.After(last) {
			before = s
		}
	}
	c.Before, c.Change = before.at, now.used-before.used
	if len(readings) >= growthRuns && now.at.Sub(readings[0].at) >= growthSpan {
		daily := slope(readings)
		c.Daily = &daily
	}
	return c
}

// slope is that of the straight line with the least squares, in bytes per day.
func slope(readings []reading) float64 {
	var days, used float64
	first := readings[0]
	for _, s := range readings {
		days += s.at.Sub(first.at).Hours() / 24
		used += float64(s.used - first.used)
	}
	days, used = days/float64(len(readings)), used/float64(len(readings))
	var above, below float64
	for _, s := range readings {
		x := s.at.Sub(first.at).Hours()/24 - days
		above += x * (float64(s.used-first.used) - used)
		below += x * x
	}
	return above / below
}

// capacityRow is one store in words.
type capacityRow struct{ Name, Used, Change, Daily string }

func (t Text) capacity(p Page) (rows []capacityRow) {
	for _, c := range p.Capacity {
		row := capacityRow{Name: t.say("store-"+string(c.Store), args{"target": c.Target, "name": t.clean(c.Name)}),
			Used:   t.say("store-used", args{"used": c.Used, "total": c.Total}),
			Change: t.say("store-unknown", nil), Daily: t.say("store-unknown", nil)}
		if !c.Before.IsZero() {
			row.Change = t.say("store-change", args{"down": c.Change < 0, "change": max(c.Change, -c.Change), "since": t.Words.Time(c.Before)})
		}
		if c.Daily != nil {
			row.Daily = t.say("store-daily", args{"down": *c.Daily < 0, "daily": max(*c.Daily, -*c.Daily)})
		}
		rows = append(rows, row)
	}
	return rows
}

// lastReport is when a job last wrote one; zero where none did.
func lastReport(runs []journal.Run) time.Time {
	if i := slices.IndexFunc(runs, func(r journal.Run) bool { return r.Verb == "report" && !r.Finished.IsZero() }); i >= 0 {
		return runs[i].Started
	}
	return time.Time{}
}

type capacityJSON struct {
	Target string   `json:"target"`
	Store  Store    `json:"store"`
	Name   string   `json:"name"`
	At     string   `json:"at"`
	Used   int64    `json:"used_bytes"`
	Total  *int64   `json:"total_bytes"`
	Before *string  `json:"change_since"`
	Change *int64   `json:"change_bytes"`
	Daily  *float64 `json:"bytes_per_day"` // null = unknown
}

func (c Capacity) json() capacityJSON {
	v := capacityJSON{Target: c.Target, Store: c.Store, Name: c.Name, At: Stamp(c.At), Used: c.Used, Before: Maybe(c.Before), Daily: c.Daily}
	if c.Total > 0 {
		v.Total = &c.Total
	}
	if !c.Before.IsZero() {
		v.Change = &c.Change
	}
	return v
}

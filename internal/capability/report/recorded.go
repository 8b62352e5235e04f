package report

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"upkeep/internal/journal"
	"upkeep/internal/proportion"
	"upkeep/internal/service"
)

// Recorded is what a report of a job keeps of a summary, so that the next one can tell what
// is new: counts by each dimension alone.
type Recorded struct {
	At        time.Time                      `json:"-"` // start of the run that told it
	Name      string                         `json:"name"`
	Trials    int64                          `json:"trials"`
	Successes int64                          `json:"successes"`
	By        map[string]map[string][2]int64 `json:"by"` // trials and successes, by dimension and value
}

// recordedFact is under which a target's facts hold all that is recorded of it.
const recordedFact = "results"

// A record of one summary stays below 100 kB, and mostly below 2: so many values of a dimension,
// those with the most trials, of names so long in bytes.
const (
	mostRecorded  = 100
	longestRecord = 120
)

// Record is what the journal is to keep of summaries.
func Record(all []service.Summary) service.Facts {
	var kept []Recorded
	for _, s := range all {
		kept = append(kept, record(s))
	}
	return service.Facts{recordedFact: kept}
}

func record(s service.Summary) Recorded {
	r := Recorded{Name: s.Name, By: map[string]map[string][2]int64{}}
	for _, g := range s.Table().Groups {
		r.Trials, r.Successes = g.Trials, g.Successes
	}
	for _, dimension := range s.By {
		groups := slices.Clone(s.Table(dimension).Groups)
		slices.SortStableFunc(groups, func(a, b service.Group) int { return cmp.Compare(b.Trials, a.Trials) })
		r.By[dimension] = map[string][2]int64{}
		for _, g := range groups[:min(len(groups), mostRecorded)] {
			if len(g.Values[0]) <= longestRecord {
				r.By[dimension][g.Values[0]] = [2]int64{g.Trials, g.Successes}
			}
		}
	}
	return r
}

// RecordedIn is what runs of reports, newest first, told of a summary of a target: oldest first.
func RecordedIn(runs []journal.Run, target, name string) (past []Recorded) {
	for _, run := range slices.Backward(runs) {
		for _, t := range run.Targets {
			if t.Target != target || t.Facts[recordedFact] == nil {
				continue
			}
			for _, r := range decodeRecorded(t.Facts[recordedFact]) {
				if r.Name == name {
					r.At = run.Started
					past = append(past, r)
				}
			}
		}
	}
	return past
}

// decodeRecorded reads what came back from JSON; what is of another form is none.
func decodeRecorded(fact any) (all []Recorded) {
	text, err := json.Marshal(fact)
	if err != nil || json.Unmarshal(text, &all) != nil {
		return nil
	}
	return all
}

// change is what is new of one group since the last report.
type change struct {
	Dimension, Value string
	Before, New      proportion.Count
	Moved            bool // the new trials succeed more or less often than those before, beyond chance
	Lost             int64
	Recounted        bool // numbers that can only come from a change of what was there
}

// news is what became of everything that the last report knew.
type news struct {
	Since time.Time
	By    map[string]map[string]change
	Moved []change // those that moved, were lost or recounted: falls first, in the order of their size
}

// news compares with the last recorded report; nil where there is none.
func (r Results) news() *news {
	if len(r.Past) == 0 {
		return nil
	}
	last := r.Past[len(r.Past)-1]
	n := &news{Since: last.At, By: map[string]map[string]change{}}
	var all []change
	for _, dimension := range r.Summary.By {
		all = append(all, changes(dimension, last.By[dimension], r.Summary.Table(dimension))...)
	}
	judge(all)
	for _, c := range all {
		if n.By[c.Dimension] == nil {
			n.By[c.Dimension] = map[string]change{}
		}
		n.By[c.Dimension][c.Value] = c
		if c.Moved || c.Lost > 0 || c.Recounted {
			n.Moved = append(n.Moved, c)
		}
	}
	slices.SortStableFunc(n.Moved, func(a, b change) int { return cmp.Compare(a.gain(), b.gain()) })
	return n
}

// changes are those of every value that the last report knew.
func changes(dimension string, before map[string][2]int64, now service.SummaryTable) (all []change) {
	gone := map[string]bool{}
	for value := range before {
		gone[value] = true
	}
	for _, g := range now.Groups {
		was, known := before[g.Values[0]]
		delete(gone, g.Values[0])
		if known {
			all = append(all, changed(dimension, g.Values[0], was, g.Trials, g.Successes))
		}
	}
	if now.More.Groups > 0 {
		return all // it may be among those that have no place
	}
	for value := range gone {
		all = append(all, changed(dimension, value, before[value], 0, 0))
	}
	slices.SortStableFunc(all, func(a, b change) int { return cmp.Compare(a.Value, b.Value) })
	return all
}

func changed(dimension, value string, was [2]int64, trials, successes int64) change {
	c := change{Dimension: dimension, Value: value, Before: proportion.Count{Trials: was[0], Hits: was[1]}}
	c.New = proportion.Count{Trials: trials - was[0], Hits: successes - was[1]}
	switch {
	case c.New.Trials < 0:
		c.Lost, c.New = -c.New.Trials, proportion.Count{}
	case !c.New.Possible():
		c.Recounted, c.New = true, proportion.Count{}
	}
	return c
}

// judge marks what moved beyond chance, over all that is compared together.
func judge(all []change) {
	ps := make([]float64, len(all))
	for i, c := range all {
		_, ps[i] = proportion.Compare([]proportion.Pair{{A: c.New, B: c.Before}})
	}
	for i, stands := range proportion.Holm(ps) {
		all[i].Moved = stands
	}
}

// gain is how much more often the new trials succeed; what was lost comes first.
func (c change) gain() float64 {
	if c.Lost > 0 || c.Recounted {
		return -2
	}
	now, _ := c.New.Rate()
	before, _ := c.Before.Rate()
	return now - before
}

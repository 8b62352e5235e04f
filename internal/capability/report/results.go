package report

import (
	"cmp"
	"slices"
	"strings"

	"upkeep/internal/journal"
	"upkeep/internal/proportion"
	"upkeep/internal/service"
)

// Results are what one summary of one target tells, beside what earlier reports told.
type Results struct {
	Target, Kind string
	Problem      *journal.Problem // why it could not be summed up; then there is no summary
	Summary      service.Summary
	Past         []Recorded // oldest first
}

// few trials tell little: the interval is some 35 points wide. They are marked.
const few = 30

// mostRanked bounds the comparisons of each with each.
const mostRanked = 100

// ranked is one value of the first dimension – a model, say – beside the others.
type ranked struct {
	Name string
	service.Group
	proportion.Rank
	// Like is the rate that it would have if all had been tested under the same mix of
	// conditions; nil where that cannot be told.
	Like *float64
}

// standing is who is best, as far as that is supported.
type standing struct {
	Ranked []ranked // best first
	// Common is the share of all trials that were made under conditions that all enough
	// tested ones share.
	Common float64
	Left   service.Left // that have no place in the ranking
}

func count(g service.Group) proportion.Count {
	return proportion.Count{Hits: g.Successes, Trials: g.Trials}
}

// rate is unknown for what was not tested, and for numbers that cannot be.
func rate(g service.Group) (float64, bool) {
	if !count(g).Possible() {
		return 0, false
	}
	return count(g).Rate()
}

// standing ranks the values of the first dimension: by the places that comparisons under
// like conditions leave each, then by what its rate is at least.
func (r Results) standing() standing {
	table := r.Summary.Table(r.Summary.By[:1]...)
	groups := slices.Clone(table.Groups)
	slices.SortStableFunc(groups, func(a, b service.Group) int { return cmp.Compare(b.Trials, a.Trials) })
	s := standing{Left: table.More}
	for _, g := range groups[min(len(groups), mostRanked):] {
		s.Left.Groups, s.Left.Trials = s.Left.Groups+1, s.Left.Trials+g.Trials
	}
	groups = groups[:min(len(groups), mostRanked)]
	under := r.conditions()
	places := proportion.Ranks(len(groups), func(a, b int) (float64, float64) {
		return proportion.Compare(alike(under[groups[a].Values[0]], under[groups[b].Values[0]]))
	})
	like, common := standardize(groups, under)
	s.Common = common
	for i, g := range groups {
		s.Ranked = append(s.Ranked, ranked{Name: g.Values[0], Group: g, Rank: places[i], Like: like[g.Values[0]]})
	}
	slices.SortStableFunc(s.Ranked, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(a.Best, b.Best), cmp.Compare(least(b.Group), least(a.Group)), cmp.Compare(b.Trials, a.Trials), cmp.Compare(a.Name, b.Name))
	})
	return s
}

// least is the lower end of the interval; what has no rate comes last.
func least(g service.Group) float64 {
	if _, known := rate(g); !known {
		return -1
	}
	low, _ := count(g).Interval()
	return low
}

// conditions are the counts of each value of the first dimension, by the values of all
// others.
func (r Results) conditions() map[string]map[string]proportion.Count {
	under := map[string]map[string]proportion.Count{}
	for _, g := range r.Summary.Table(r.Summary.By...).Groups {
		if !count(g).Possible() {
			continue
		}
		if under[g.Values[0]] == nil {
			under[g.Values[0]] = map[string]proportion.Count{}
		}
		under[g.Values[0]][strings.Join(g.Values[1:], "\x00")] = count(g)
	}
	return under
}

// alike are the counts of two under the conditions that both were tested under.
func alike(a, b map[string]proportion.Count) (pairs []proportion.Pair) {
	for condition, of := range a {
		if other, both := b[condition]; both {
			pairs = append(pairs, proportion.Pair{A: of, B: other})
		}
	}
	// Sums of fractions depend on their order; the same store gives the same report.
	slices.SortFunc(pairs, func(x, y proportion.Pair) int {
		return cmp.Or(cmp.Compare(x.A.Trials, y.A.Trials), cmp.Compare(x.A.Hits, y.A.Hits), cmp.Compare(x.B.Trials, y.B.Trials), cmp.Compare(x.B.Hits, y.B.Hits))
	})
	return pairs
}

// standardize weighs the rates of each by how often a condition was tested over all (direct
// standardization), over the conditions that all with enough trials share.
func standardize(groups []service.Group, under map[string]map[string]proportion.Count) (like map[string]*float64, common float64) {
	weights, all := map[string]int64{}, int64(0)
	held := map[string]int{}
	enough := 0
	for _, g := range groups {
		if g.Trials >= few {
			enough++
		}
		for condition, c := range under[g.Values[0]] {
			weights[condition], all = weights[condition]+c.Trials, all+c.Trials
			if c.Trials > 0 && g.Trials >= few {
				held[condition]++
			}
		}
	}
	shared := int64(0)
	for condition, weight := range weights {
		if held[condition] < enough || enough < 2 {
			delete(weights, condition)
			continue
		}
		shared += weight
	}
	like = map[string]*float64{}
	for _, g := range groups {
		like[g.Values[0]] = standardized(under[g.Values[0]], weights)
	}
	return like, float64(shared) / float64(max(all, 1))
}

// standardized is nil for one that lacks a condition.
func standardized(of map[string]proportion.Count, weights map[string]int64) *float64 {
	sum, all := 0.0, 0.0
	conditions := make([]string, 0, len(weights))
	for condition := range weights {
		conditions = append(conditions, condition)
	}
	slices.Sort(conditions)
	for _, condition := range conditions {
		share, known := of[condition].Rate()
		if !known {
			return nil
		}
		sum, all = sum+share*float64(weights[condition]), all+float64(weights[condition])
	}
	if all == 0 {
		return nil
	}
	sum /= all
	return &sum
}

package report

import (
	"math"

	"upkeep/internal/catalogue"
	"upkeep/internal/service"
)

// The JSON of results: counts, and shares from 0 to 1; null is unknown.
type resultsJSON struct {
	Target     string        `json:"target"`
	Kind       string        `json:"kind"`
	Name       string        `json:"name"`
	Error      *ErrorView    `json:"error"`
	Dimensions []string      `json:"dimensions"`
	Since      *string       `json:"since"` // of the report that news are counted from
	Ranking    []rankJSON    `json:"ranking"`
	Moved      []moveJSON    `json:"moved"` // beyond chance, lost or changed since then
	Tables     []summaryJSON `json:"tables"`
	Common     *float64      `json:"common_share"` // of the tests under conditions that all share
}

type rankJSON struct {
	Name  string   `json:"name"`
	Best  int      `json:"best_place"`
	Worst int      `json:"worst_place"`
	Like  *float64 `json:"like_for_like"`
	groupJSON
}

type summaryJSON struct {
	By         []string    `json:"by"`
	Groups     []groupJSON `json:"groups"`
	MoreGroups int64       `json:"more_groups"`
	MoreTests  int64       `json:"more_tests"`
}

type groupJSON struct {
	Values    []string            `json:"values,omitempty"`
	Tests     int64               `json:"tests"`
	Successes int64               `json:"successes"`
	Rate      *float64            `json:"rate"`
	Low       *float64            `json:"low"`
	High      *float64            `json:"high"`
	Counts    map[string]*int64   `json:"counts,omitempty"`
	Means     map[string]*float64 `json:"means,omitempty"`
	Errors    map[string]*int64   `json:"errors,omitempty"`
	AllErrors *int64              `json:"all_errors,omitempty"`
}

type moveJSON struct {
	Dimension   string `json:"dimension"`
	Value       string `json:"value"`
	New         int64  `json:"new_tests"`
	NewHits     int64  `json:"new_successes"`
	Before      int64  `json:"tests_before"`
	BeforeHits  int64  `json:"successes_before"`
	Lost        int64  `json:"lost_tests"`
	Recounted   bool   `json:"recounted"`
	Significant bool   `json:"beyond_chance"`
}

func (r Results) json(w catalogue.Words) resultsJSON {
	v := resultsJSON{Target: r.Target, Kind: r.Kind, Name: r.Summary.Name, Error: ErrorOf(w, r.Problem, r.Target, ""),
		Dimensions: r.Summary.By, Ranking: []rankJSON{}, Moved: []moveJSON{}, Tables: []summaryJSON{}}
	if r.Problem != nil {
		return v
	}
	s := r.standing()
	v.Common = &s.Common
	for _, of := range s.Ranked {
		v.Ranking = append(v.Ranking, rankJSON{of.Name, of.Best, of.Worst, of.Like, r.group(of.Group)})
	}
	for _, t := range r.Summary.Tables {
		table := summaryJSON{By: t.By, Groups: []groupJSON{}, MoreGroups: t.More.Groups, MoreTests: t.More.Trials}
		for _, g := range t.Groups {
			table.Groups = append(table.Groups, r.group(g))
		}
		v.Tables = append(v.Tables, table)
	}
	if n := r.news(); n != nil {
		v.Since = Maybe(n.Since)
		for _, c := range n.Moved {
			v.Moved = append(v.Moved, moveJSON{c.Dimension, c.Value, c.New.Trials, c.New.Hits, c.Before.Trials, c.Before.Hits, c.Lost, c.Recounted, c.Moved})
		}
	}
	return v
}

func (r Results) group(g service.Group) groupJSON {
	v := groupJSON{Values: g.Values, Tests: g.Trials, Successes: g.Successes, AllErrors: known64(g.AllErrors)}
	if share, known := rate(g); known {
		low, high := count(g).Interval()
		v.Rate, v.Low, v.High = &share, &low, &high
	}
	v.Counts, v.Errors = named(r.Summary.Counts, g.Counts, known64), named(r.Summary.Errors, g.Errors, known64)
	v.Means = named(r.Summary.Means, g.Means, func(x float64) *float64 {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil
		}
		return &x
	})
	return v
}

func known64(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}

func named[T any](names []string, values []T, as func(T) *T) map[string]*T {
	all := map[string]*T{}
	for i, v := range values {
		all[names[i]] = as(v)
	}
	return all
}

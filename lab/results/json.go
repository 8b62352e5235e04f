package results

import (
	"context"
	"time"

	"upkeep/lab/results/master"
)

// documents make the JSON database of each version; "none" makes none.
var documents = map[string]func(Shape, []leaf, time.Time) any{
	"none":  nil,
	"pre-1": oldest,
	"1.0":   version1,
	"2.0":   version2,
	"3.0":   version3,
}

// databaseName is what the file of a version is called.
func (s Shape) databaseName() string {
	if s.JSON == "pre-1" {
		return "results_database.json"
	}
	return "master_database.json"
}

func (m *maker) json(context.Context) error {
	if m.JSON == "none" {
		return nil
	}
	text, err := m.document(m.leaves, m.Now)
	if err != nil {
		return err
	}
	return m.put(text, m.Now, jsonDir, m.databaseName())
}

// document is the database of the leaves at one time.
func (s Shape) document(all []leaf, at time.Time) ([]byte, error) {
	return master.Text(documents[s.JSON](s, all, at))
}

// created is before the first test.
func (s Shape) created() string { return stamp(s.Now.Add(-16 * 24 * time.Hour)) }

func version3(s Shape, all []leaf, at time.Time) any { return tree(s, all, at) }

func tree(s Shape, all []leaf, at time.Time) *master.Database {
	d := master.New(s.created())
	d.LastUpdated = stamp(at)
	for i, l := range all {
		d.Put(l.Key, l.fields(i), l.At)
	}
	for name, m := range d.Models {
		m.FirstTestTime = s.created()
		if chance(s.Seed, "overall", name).IntN(3) > 0 {
			m.OverallStats["total"] = 1 // it is kept, and counted below
		}
	}
	if s.Seed%2 == 0 {
		d.Summary.OverallSuccessRate = new(float64)
	}
	d.Recount()
	return d
}

// fields are those of a leaf of version 3.0. Two formulas of the weighted score are in use.
func (l leaf) fields(n int) master.Leaf {
	total, success := float64(l.Total), float64(l.Full+l.Partial)
	f := master.Leaf{"total": total, "success": success, "partial": float64(l.Partial), "failed": float64(l.failed()),
		"success_rate": success / total, "partial_rate": float64(l.Partial) / total, "failure_rate": float64(l.failed()) / total,
		"avg_execution_time": l.Seconds, "avg_turns": l.Turns, "avg_tool_calls": l.Calls, "tool_coverage_rate": l.Coverage}
	f["weighted_success_score"] = (float64(l.Full) + float64(l.Partial)/2) / total
	if n%7 < 3 {
		f["weighted_success_score"] = min(1, (success+float64(l.Partial)/2)/total)
	}
	if l.has.older {
		delete(f, "failed")
		return f
	}
	l.errors(f)
	l.optional(f)
	return f
}

func (l leaf) errors(f master.Leaf) {
	for kind, n := range l.Errors {
		f["total_errors"] += float64(n)
		f[master.Errors[kind]+"_errors"] = float64(n)
	}
	if f["total_errors"] == 0 {
		return
	}
	for kind, n := range l.Errors {
		f[master.Shares[kind]+"_error_rate"] = float64(n) / f["total_errors"]
	}
}

func (l leaf) optional(f master.Leaf) {
	if l.has.full {
		f["full_success"], f["partial_success"] = float64(l.Full), float64(l.Partial)
		f["full_success_rate"], f["partial_success_rate"] = float64(l.Full)/f["total"], float64(l.Partial)/f["total"]
	}
	if l.has.scores {
		f["avg_workflow_score"], f["avg_phase2_score"] = l.Score, round(l.Score*0.95, 4)
		f["avg_quality_score"], f["avg_final_score"] = round(l.Score*1.05, 4), round(l.Score*0.98, 4)
	}
	if l.has.help {
		f["tests_with_assistance"], f["assisted_success"] = float64(l.Assisted), float64(l.AssistedWell)
		f["assisted_failure"], f["total_assisted_turns"] = float64(l.Assisted-l.AssistedWell), float64(l.HelpedTurns)
		f["assistance_rate"] = float64(l.Assisted) / f["total"]
	}
}

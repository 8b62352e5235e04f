package control

import (
	"maps"
	"reflect"
	"slices"

	"upkeep/internal/journal"
)

func compareRuns(before, after journal.Run) []Change {
	var changes []Change
	was := byTarget(before)
	for _, t := range after.Targets {
		changes = append(changes, compareTargets(was[t.Target], t)...)
	}
	return changes
}

func byTarget(run journal.Run) map[string]journal.Target {
	targets := map[string]journal.Target{}
	for _, t := range run.Targets {
		targets[t.Target] = t
	}
	return targets
}

func compareTargets(was, is journal.Target) []Change {
	var changes []Change
	if (was.Error == nil) != (is.Error == nil) {
		what := "reachable"
		if is.Error != nil {
			what = "unreachable"
		}
		changes = append(changes, Change{Target: is.Target, What: what})
	}
	changes = append(changes, findings(is.Target, "appeared", is.Findings, was.Findings)...)
	changes = append(changes, findings(is.Target, "cleared", was.Findings, is.Findings)...)
	return append(changes, facts(was, is)...)
}

// findings lists those of have that are not among others.
func findings(target, what string, have, others []journal.Finding) []Change {
	var changes []Change
	for _, f := range have {
		same := func(o journal.Finding) bool { return o.ID == f.ID && o.Subject == f.Subject }
		if !slices.ContainsFunc(others, same) {
			changes = append(changes, Change{Target: target, What: what, Finding: &f})
		}
	}
	return changes
}

func facts(was, is journal.Target) []Change {
	var changes []Change
	for _, name := range slices.Sorted(maps.Keys(is.Facts)) {
		before, known := was.Facts[name]
		if known && !reflect.DeepEqual(before, is.Facts[name]) {
			changes = append(changes, Change{Target: is.Target, What: "changed", Fact: name, Before: before, After: is.Facts[name]})
		}
	}
	return changes
}

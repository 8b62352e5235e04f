package results

import (
	"fmt"
	"strings"
	"time"
)

// What older versions hold, in their own words. As in version 3.0, success includes
// partial success.

type sums struct{ total, success, partial int64 }

func (s *sums) add(l leaf) {
	s.total, s.success, s.partial = s.total+l.Total, s.success+l.Full+l.Partial, s.partial+l.Partial
}

func (s *sums) share(n int64) float64 { return float64(n) / float64(max(s.total, 1)) }

// groupBy adds the leaves up by a name that is made of each; "" leaves one out.
func groupBy(all []leaf, name func(leaf) string) map[string]*sums {
	groups := map[string]*sums{}
	for _, l := range all {
		of := name(l)
		if of == "" {
			continue
		}
		if groups[of] == nil {
			groups[of] = &sums{}
		}
		groups[of].add(l)
	}
	return groups
}

func each(groups map[string]*sums, as func(*sums) map[string]any) map[string]any {
	all := map[string]any{}
	for name, s := range groups {
		all[name] = as(s)
	}
	return all
}

// groupName knows no rate: the tests of all rates are in one group.
func groupName(l leaf) string {
	prompt, flaw, flawed := strings.Cut(l.Prompt, "_")
	name := l.Model + "_" + l.Task + "_" + prompt + "_" + l.Difficulty
	if flawed {
		name += "_flawed_" + flaw
	}
	return name
}

// statistics have rates in percent.
func statistics(s *sums) map[string]any {
	return map[string]any{"total": s.total, "success": s.success, "partial_success": s.partial, "failure": s.total - s.success,
		"success_rate": 100 * s.share(s.success), "partial_rate": 100 * s.share(s.partial), "failure_rate": 100 * s.share(s.total-s.success),
		"avg_execution_time": 12.5}
}

func testGroups(all []leaf) map[string]any {
	return each(groupBy(all, groupName), func(s *sums) map[string]any { return map[string]any{"statistics": statistics(s)} })
}

func version1(s Shape, all []leaf, at time.Time) any {
	return map[string]any{"version": "1.0", "created_at": s.created(), "last_updated": stamp(at), "test_groups": testGroups(all), "summary": summary(all, at)}
}

func summary(all []leaf, at time.Time) map[string]any {
	t := truthOf(all)
	names := []string{}
	for _, l := range all {
		if len(names) == 0 || names[len(names)-1] != l.Model {
			names = append(names, l.Model)
		}
	}
	return map[string]any{"total_tests": t.Tests, "total_success": t.Success, "total_partial": t.Partial, "total_failure": t.Failure,
		"models_tested": names, "last_test_time": stamp(at), "overall_success_rate": 100 * float64(t.Success) / float64(max(t.Tests, 1))}
}

func version2(s Shape, all []leaf, at time.Time) any {
	return map[string]any{"version": "2.0", "created_at": s.created(), "last_updated": stamp(at), "models": flat(all),
		"test_groups": testGroups(all), "summary": summary(all, at)}
}

// flat has one level of numbers for each model, and the same numbers by each dimension.
func flat(all []leaf) map[string]any {
	models := map[string]any{}
	for name, of := range byModel(all) {
		whole := groupBy(of, func(leaf) string { return name })[name]
		model := totals(whole)
		model["total_assisted_success"], model["total_assisted_failure"] = assisted(of)
		model["weighted_success_score"], model["avg_execution_time"], model["avg_turns"] = whole.share(whole.success), 12.5, 5.5
		model["tool_coverage_rate"], model["experiment_metrics"] = 0.8, map[string]any{}
		model["by_task_type"] = each(groupBy(of, func(l leaf) string { return l.Task }), totals)
		model["by_prompt_type"] = each(groupBy(of, func(l leaf) string { return l.Prompt }), totals)
		model["by_difficulty"] = each(groupBy(of, func(l leaf) string { return l.Difficulty }), totals)
		model["by_flaw_type"] = each(groupBy(of, flawOf), totals)
		models[name] = model
	}
	return models
}

func totals(s *sums) map[string]any {
	return map[string]any{"total_tests": s.total, "total_success": s.success, "total_partial": s.partial, "total_failure": s.total - s.success,
		"success_rate": s.share(s.success)}
}

func flawOf(l leaf) string {
	_, flaw, _ := strings.Cut(l.Prompt, "_")
	return flaw
}

func byModel(all []leaf) map[string][]leaf {
	models := map[string][]leaf{}
	for _, l := range all {
		models[l.Model] = append(models[l.Model], l)
	}
	return models
}

func assisted(all []leaf) (well, badly int64) {
	for _, l := range all {
		well, badly = well+l.AssistedWell, badly+l.Assisted-l.AssistedWell
	}
	return well, badly
}

// oldest names every test, and keeps groups beside the other keys of the document.
func oldest(s Shape, all []leaf, at time.Time) any {
	t := truthOf(all)
	d := map[string]any{"created_at": s.created(), "last_updated": stamp(at), "total_tests": t.Tests, "total_api_calls": 5 * t.Tests,
		"test_sessions": []any{map[string]any{"session_id": fmt.Sprintf("session_%08x", s.Seed), "timestamp": stamp(at), "tests": t.Tests}}}
	models := map[string]any{}
	for name, of := range byModel(all) {
		models[name] = map[string]any{"results": instances(of)}
	}
	d["models"] = models
	for name, group := range groupBy(all, func(l leaf) string { return l.Model + "_" + l.Task + "_" + l.Prompt }) {
		d[name] = statistics(group)
	}
	return d
}

func instances(all []leaf) map[string][]any {
	results := map[string][]any{}
	for _, l := range all {
		key := l.Task + "_" + l.Prompt
		for n := range l.Total {
			results[key] = append(results[key], map[string]any{"success": n < l.Full+l.Partial, "partial_success": n >= l.Full && n < l.Full+l.Partial,
				"execution_time": l.Seconds, "tool_success_rate": l.Rate, "difficulty": l.Difficulty, "timestamp": l.At, "turns": int(l.Turns)})
		}
	}
	return results
}

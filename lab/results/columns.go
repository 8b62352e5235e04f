package results

import (
	"strconv"
	"strings"

	"upkeep/lab/results/master"
)

// column is one of a Parquet file, with the expression that gives it from a feed: a leaf,
// or a chunk of tests of a leaf.
type column struct{ name, from string }

// generations are the columns of each; "none" has none.
var generations = map[string]func(Shape) []column{
	"none":     nil,
	"A":        testColumns,
	"B":        fewColumns,
	"C":        keyColumns,
	"C+import": importColumns,
}

// selection is what stands between SELECT and FROM.
func selection(all []column) string {
	parts := make([]string, len(all))
	for i, c := range all {
		parts[i] = c.from + ` AS "` + c.name + `"`
	}
	return strings.Join(parts, ", ")
}

func keys(rate string) []column {
	return []column{{"model", "model"}, {"prompt_type", "prompt_type"}, {"tool_success_rate", "rate::" + rate}, {"difficulty", "difficulty"}, {"task_type", "task_type"}}
}

// testColumns are the 22 of generation A: a row is one test, averages are those of its
// group. Success is full success alone.
func testColumns(s Shape) []column {
	const start, end = "model || '_' || prompt_type || '_' || ", " || '_' || difficulty || '_' || task_type || '_' || label || '_' || n"
	rate := "rate"
	if s.Seed%2 == 1 { // on some days the writers print the rate as the float32 that it is
		rate = "rate::float::double"
	}
	return append(keys("float"), []column{
		{"total", "1::int"}, {"successful", "(label = 'success')::int"}, {"partial", "(label = 'partial')::int"}, {"failed", "(label = 'failed')::int"},
		{"success_rate", "(whole / total)::float"}, {"partial_rate", "(partial / total)::float"}, {"failure_rate", "((total - whole - partial) / total)::float"},
		{"weighted_success_score", "((whole + partial / 2) / total)::float"},
		{"avg_execution_time", "seconds::float"}, {"avg_turns", "turns::float"}, {"avg_tool_calls", "calls::float"}, {"avg_quality_score", "score::float"},
		{"timestamp", "strftime(make_timestamp(done_at + (n - first) * step), '%Y-%m-%dT%H:%M:%S.%f')"}, {"source", "'json_conversion'"},
		{"test_id", start + rate + end}, {"success", "label = 'success'"}, {"partial_success", "label = 'partial'"},
	}...)
}

// fewColumns are the 18 of generation B, whose writers called success by two names.
func fewColumns(s Shape) []column {
	success := "successful"
	if s.Seed%2 == 1 {
		success = "success"
	}
	return append(keys("double"), []column{
		{"total", "total"}, {success, "whole"}, {"partial", "partial"}, {"failed", "total - whole - partial"},
		{"success_rate", "whole / total"}, {"partial_rate", "partial / total"}, {"failure_rate", "(total - whole - partial) / total"},
		{"weighted_success_score", "(whole + partial / 2) / total"},
		{"avg_execution_time", "seconds"}, {"avg_turns", "turns"}, {"avg_tool_calls", "calls"}, {"tool_coverage_rate", "coverage"}, {"last_updated", "done_at"},
	}...)
}

// keyColumns are the 51 of generation C: the 44 fields of a leaf, its key, a second name
// of success and when it was written. Success is full success alone.
func keyColumns(Shape) []column {
	all := append(keys("double"), column{"total", "total"}, column{"success", "whole"}, column{"successful", "whole"})
	from := expressions()
	for _, f := range master.Fields()[2:] { // after total and success
		all = append(all, column{f.Name, from[f.Name]})
	}
	return append(all, column{"last_updated", "done_at"})
}

// expressions give the fields of a leaf as generation C means them.
func expressions() map[string]string {
	from := map[string]string{"partial": "partial", "failed": "total - whole - partial", "success_rate": "whole / total", "partial_rate": "partial / total",
		"failure_rate": "(total - whole - partial) / total", "weighted_success_score": "(whole + partial / 2) / total",
		"full_success": "whole", "partial_success": "partial", "full_success_rate": "whole / total", "partial_success_rate": "partial / total",
		"avg_execution_time": "seconds", "avg_turns": "turns", "avg_tool_calls": "calls", "tool_coverage_rate": "coverage",
		"avg_workflow_score": "score", "avg_phase2_score": "round(score * 0.95, 4)", "avg_quality_score": "round(score * 1.05, 4)", "avg_final_score": "round(score * 0.98, 4)",
		"total_errors": "list_sum(errors)::bigint", "tests_with_assistance": "assisted", "assisted_success": "assisted_well", "assisted_failure": "assisted - assisted_well",
		"total_assisted_turns": "helped_turns", "avg_assisted_turns": "if(assisted = 0, 0.0, helped_turns / assisted)",
		"assisted_success_rate": "if(assisted = 0, 0.0, assisted_well / assisted)", "assistance_rate": "assisted / total"}
	for i, kind := range master.Errors {
		nth := "errors[" + strconv.Itoa(i+1) + "]"
		from[kind+"_errors"] = nth
		from[master.Shares[i]+"_error_rate"] = "if(list_sum(errors) = 0, 0.0, " + nth + " / list_sum(errors))"
	}
	return from
}

// importColumns are generation C after an import: a third of the rows came from JSON,
// without scores.
func importColumns(s Shape) []column {
	all := keyColumns(s)
	const imported = "hash(model, prompt_type, rate, difficulty, task_type) % 3 = 0"
	for i, c := range all {
		if strings.HasPrefix(c.name, "avg_") && strings.HasSuffix(c.name, "_score") {
			all[i].from = "if(" + imported + ", NULL, " + c.from + ")"
		}
	}
	return append(all, column{"imported_from_json", "if(" + imported + ", true, NULL)"}, column{"import_time", "if(" + imported + ", done_at, NULL)"})
}

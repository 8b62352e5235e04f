package pilotbench

import (
	"slices"

	"upkeep/internal/service/dataset"
	"upkeep/internal/tables/footer"
)

// generation is one of the forms that the Parquet file had.
type generation string

// Generations by what a row means.
const (
	perTest         generation = "A" // one test
	narrow          generation = "B" // one key, 18 columns
	wide            generation = "C" // one key, 51 columns, maybe with those of an import
	usualGeneration            = wide
)

// generationOf tells it by columns that only one of them has.
func generationOf(f footer.Footer) generation {
	has := func(name string) bool {
		return slices.ContainsFunc(f.Columns, func(c footer.Column) bool { return c.Name == name })
	}
	switch {
	case has("test_id"):
		return perTest
	case has("full_success") && has("total"):
		return wide
	case has("total") && (has("success") || has("successful")):
		return narrow
	}
	return ""
}

// key is what tells results apart, in all forms.
func key() []string {
	return []string{"model", "prompt_type", "tool_success_rate", "difficulty", "task_type"}
}

// folds compare what was written in several ways: names with the number of a deployment
// behind them, and rates that went through a float32 or a text.
func folds() map[string]string {
	return map[string]string{
		"model":             `regexp_replace(lower(model), '^((deepseek|llama|grok).*)-[23]$', '\1')`,
		"tool_success_rate": "round(try_cast(tool_success_rate AS DOUBLE), 4)",
	}
}

func lasting() map[string]string {
	return map[string]string{"model": folds()["model"], "prompt": "concat_ws(' ', " + folds()["model"] + ", prompt_type)"}
}

func keyColumns() map[string]dataset.Column {
	return map[string]dataset.Column{"model": "text", "prompt_type": "text", "tool_success_rate": "number", "difficulty": "text", "task_type": "text"}
}

func columns(more map[string]dataset.Column) map[string]dataset.Column {
	all := keyColumns()
	for name, c := range more {
		all[name] = c
	}
	return all
}

func generations() map[generation]dataset.Table {
	file := []string{results}
	return map[generation]dataset.Table{
		perTest: {Files: file, Beside: besideTests(), Key: []string{"test_id"}, Totals: map[string]string{"tests": "count(*)"}, Lasting: lasting(),
			Columns: columns(map[string]dataset.Column{"test_id": "text", "success": "boolean", "partial_success": "boolean", "timestamp": "text?"}),
			// Its rate was printed by machines of different precision: 0.8, 0.800000011920929.
			Fold: with(folds(), "test_id", `concat_ws('_', `+folds()["model"]+`, prompt_type, `+folds()["tool_success_rate"]+`, difficulty, task_type, regexp_extract(test_id, '[^_]+_[0-9]+$'))`)},
		narrow: {Files: file, Beside: besideRows(), Key: key(), Fold: folds(), Totals: map[string]string{"tests": "sum(total)"}, Lasting: lasting(),
			Columns:    columns(map[string]dataset.Column{"total": "integer", "success": "integer?", "successful": "integer?", "success_rate": "number?"}),
			Invariants: map[string]string{"success-within-total": "coalesce(success, successful) <= total"},
			Derived:    map[string]string{"success_rate": "coalesce(success, successful) / nullif(total, 0)"}},
		wide: {Files: file, Beside: besideRows(), Key: key(), Fold: folds(), Totals: map[string]string{"tests": "sum(total)", "success": "sum(full_success + partial)"}, Lasting: lasting(),
			Columns: columns(map[string]dataset.Column{"total": "integer", "success": "integer", "full_success": "integer", "partial": "integer", "failed": "integer?",
				"success_rate": "number?", "last_updated": "text?"}),
			Invariants: map[string]string{"parts-are-total": "success + partial + failed = total", "success-is-full": "success = full_success"},
			Derived:    map[string]string{"success_rate": "success / nullif(total, 0)"}},
	}
}

// metrics are those that dashboards of the store know. Their values depend on the
// generation.
func metrics() map[string]dataset.Metric {
	return map[string]dataset.Metric{
		"pilot_bench_total_tests":       {Table: "results", Help: "Total number of tests"},
		"pilot_bench_success_rate":      {Table: "results", Help: "Share of the tests that succeeded in full"},
		"pilot_bench_incremental_files": {Table: "results", Increments: true, Help: "Number of incremental files that are not merged"},
	}
}

// measures are the values of metrics: a row is one test, or the sum of many.
func measures() map[generation]map[string]string {
	const tests, rate = "pilot_bench_total_tests", "pilot_bench_success_rate"
	return map[generation]map[string]string{
		perTest: {tests: "count(*)", rate: "count_if(success) / count(*)"},
		narrow:  {tests: "sum(total)", rate: "sum(coalesce(success, successful)) / sum(total)"},
		wide:    {tests: "sum(total)", rate: "sum(full_success) / sum(total)"},
	}
}

// same maps the database's success, which includes partial ones, to that of a generation.
func same() map[generation]map[string]string {
	return map[generation]map[string]string{
		perTest: {"sum(total)": "count(*)", "sum(success)": "count_if(success OR partial_success)"},
		narrow:  {"sum(total)": "sum(total)"},
		wide:    {"sum(total)": "sum(total)", "sum(success)": "sum(full_success + partial)"},
	}
}

func with(all map[string]string, name, value string) map[string]string {
	all[name] = value
	return all
}

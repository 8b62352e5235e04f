package pilotbench

import (
	"time"

	"upkeep/internal/quantity"
	"upkeep/internal/service/dataset"
)

const usualVersion = "3.0"

// dayOfIncrements is how long rows may wait for being merged.
const dayOfIncrements = quantity.Duration(24 * time.Hour)

// databases are the tables of the JSON database by its version.
func databases() map[string]map[string]dataset.Table {
	return map[string]map[string]dataset.Table{
		"1.0": {"groups": groups()},
		"2.0": {"models": models()},
		"3.0": {"leaves": leaves()},
	}
}

// leaves are the results by all five dimensions. Success includes partial success here.
func leaves() dataset.Table {
	return dataset.Table{
		Document: master, Created: "created_at",
		Rows: "models/{model}/by_prompt_type/{prompt_type}/by_tool_success_rate/{tool_success_rate}/by_difficulty/{difficulty}/by_task_type/{task_type}",
		Key:  key(), Fold: folds(), Lasting: lasting(), Beside: besideLeaves(),
		Columns: map[string]dataset.Column{"total": "integer", "success": "integer", "partial": "integer?", "failed": "integer?", "success_rate": "number?", "avg_execution_time": "number?",
			"total_errors": "integer?", "tool_call_format_errors": "integer?", "timeout_errors": "integer?", "dependency_errors": "integer?",
			"parameter_config_errors": "integer?", "tool_selection_errors": "integer?", "sequence_order_errors": "integer?", "max_turns_errors": "integer?", "other_errors": "integer?"},
		Totals: map[string]string{"tests": "sum(total)", "success": "sum(success)"},
		Invariants: map[string]string{
			"parts-are-total":        "success + failed = total",
			"success-within-total":   "success <= total",
			"partial-within-success": "partial <= success",
			"kinds-are-all-errors": "total_errors = coalesce(tool_call_format_errors, 0) + coalesce(timeout_errors, 0) + coalesce(dependency_errors, 0) + coalesce(parameter_config_errors, 0)" +
				" + coalesce(tool_selection_errors, 0) + coalesce(sequence_order_errors, 0) + coalesce(max_turns_errors, 0) + coalesce(other_errors, 0)",
		},
		Derived: map[string]string{"success_rate": "success / nullif(total, 0)"},
		Usual: map[string]string{
			"of-a-known-prompt": "prompt_type IN ('optimal', 'baseline', 'cot') OR prompt_type LIKE 'flawed_%'",
			"of-a-known-task":   "task_type IN ('simple_task', 'basic_task', 'data_pipeline', 'api_integration', 'multi_stage_pipeline')",
			"of-a-tested-model": "model NOT LIKE '%llama-4-scout-17b%' AND model NOT LIKE 'test-model%'",
		},
		Levels: map[string]map[string]string{
			"models/{model}": {"total_tests": "sum(total)"},
			"summary":        {"total_tests": "sum(total)", "total_success": "sum(success)", "total_partial": "sum(partial)", "total_failure": "sum(total - success)"},
		},
	}
}

// models is what version 2 kept: sums by model, rates in percent.
func models() dataset.Table {
	return dataset.Table{
		Document: master, Created: "created_at", Rows: "models/{model}", Key: []string{"model"}, Fold: map[string]string{"model": folds()["model"]},
		Columns:    map[string]dataset.Column{"total_tests": "integer", "total_success": "integer?", "total_partial": "integer?", "total_failure": "integer?", "success_rate": "number?", "avg_execution_time": "number?"},
		Totals:     map[string]string{"tests": "sum(total_tests)"},
		Lasting:    map[string]string{"model": folds()["model"]},
		Invariants: map[string]string{"success-within-total": "total_success <= total_tests"},
		Levels:     map[string]map[string]string{"summary": {"total_tests": "sum(total_tests)"}},
	}
}

// groups is what version 1 kept: no models, a group per model, task, prompt and
// difficulty, rates in percent.
func groups() dataset.Table {
	return dataset.Table{
		Document: master, Created: "created_at", Rows: "test_groups/{group}/statistics", Key: []string{"group"},
		Columns:    map[string]dataset.Column{"total": "integer", "success": "integer", "partial_success": "integer?", "failure": "integer?", "success_rate": "number?", "avg_execution_time": "number?"},
		Totals:     map[string]string{"tests": "sum(total)", "success": "sum(success)"},
		Lasting:    map[string]string{"group": `"group"`},
		Invariants: map[string]string{"success-within-total": "success <= total"},
		Derived:    map[string]string{"success_rate": "100 * success / nullif(total, 0)"},
		Levels:     map[string]map[string]string{"summary": {"total_tests": "sum(total)"}},
	}
}

// plainDatabase is judged as a document alone.
func plainDatabase() dataset.Table {
	return dataset.Table{Document: master, Created: "created_at", Columns: map[string]dataset.Column{"version": "text?"}}
}

// waiting are files that a live program takes in or removes within seconds.
func waiting() map[string]dataset.Waiting {
	minute := quantity.Duration(time.Minute)
	return map[string]dataset.Waiting{
		"temp_results": {Files: []string{"temp_results/*.json"}, MaxAge: minute},
		"transactions": {Files: []string{"pilot_bench_parquet_data/transaction_*.tmp"}, MaxAge: minute},
		"half_written": {Files: []string{"pilot_bench_cumulative_results/.master_database_*.tmp"}, MaxAge: minute},
	}
}

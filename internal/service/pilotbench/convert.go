package pilotbench

import (
	"fmt"
	"maps"
	"slices"

	"upkeep/internal/service/dataset"
)

// counted, averaged and shares are fields of a leaf that a row of the Parquet file has, too,
// under the same names and with the same meaning.
func counted() []string {
	return slices.Concat([]string{"total_errors"}, kinds("_errors"), []string{"assisted_failure", "assisted_success", "total_assisted_turns", "tests_with_assistance"})
}

func averaged() []string {
	return []string{"avg_execution_time", "avg_turns", "avg_tool_calls", "tool_coverage_rate", "avg_workflow_score", "avg_phase2_score", "avg_quality_score", "avg_final_score"}
}

// errorShares are the names of the kinds of errors as shares of all errors: three differ
// from those of the counters.
func errorShares() map[string]string {
	return map[string]string{"tool_call_format": "format", "timeout": "timeout", "dependency": "dependency", "parameter_config": "parameter",
		"tool_selection": "tool_selection", "sequence_order": "sequence", "max_turns": "max_turns", "other": "other"}
}

func kinds(end string) (names []string) {
	for _, kind := range slices.Sorted(maps.Keys(errorShares())) {
		names = append(names, kind+end)
	}
	return names
}

// shared gives the fields that mean the same on both sides, of all rows with one key.
// Averages are weighted by tests, and left alone where there is one row.
func shared(total string) map[string]string {
	all := map[string]string{}
	for _, name := range counted() {
		all[name] = "sum(" + name + ")"
	}
	for _, name := range averaged() {
		all[name] = fmt.Sprintf("CASE WHEN count(*) = 1 THEN any_value(%[1]s) ELSE sum(%[1]s * total) / nullif(sum(total) FILTER (WHERE %[1]s IS NOT NULL), 0) END", name)
	}
	for kind, share := range errorShares() {
		all[share+"_error_rate"] = ratio("sum("+kind+"_errors)", "sum(total_errors)")
	}
	all["avg_assisted_turns"] = ratio("sum(total_assisted_turns)", "sum(tests_with_assistance)")
	all["assisted_success_rate"] = ratio("sum(assisted_success)", "sum(tests_with_assistance)")
	all["assistance_rate"] = "sum(tests_with_assistance) / nullif(" + total + ", 0)"
	return all
}

// ratio is a share of something that may have been none; null where nothing is known of it.
func ratio(of, all string) string {
	return fmt.Sprintf("CASE WHEN (%[2]s) = 0 THEN 0.0::DOUBLE ELSE (%[1]s) / (%[2]s) END", of, all)
}

// parts are the counts of results and what follows from them. Full success and partial
// success are apart in all.
func parts(total, full, partial, failed string) map[string]string {
	of := func(n string) string { return "(" + n + ") / nullif(" + total + ", 0)" }
	return map[string]string{"total": total, "partial": partial, "partial_success": partial, "failed": failed, "full_success": full,
		"partial_rate": of(partial), "partial_success_rate": of(partial), "full_success_rate": of(full), "failure_rate": of(failed),
		"weighted_success_score": of(full + " + (" + partial + ") / 2")}
}

// columnsOf are what the Parquet file has of the database. Its success is full success
// alone: the database's includes partial success. A row per test is in no database: nothing
// gives those.
func columnsOf(of generation) map[string]string {
	if of == perTest {
		return nil
	}
	const total, partial = "sum(total)", "coalesce(sum(partial), 0)"
	const full = "sum(success) - " + partial
	all := parts(total, full, partial, "sum(total) - sum(success)")
	all["success"], all["successful"] = full, full
	all["success_rate"] = "(" + full + ") / nullif(" + total + ", 0)"
	maps.Copy(all, shared(total))
	return all
}

// backOf are what the database has of the Parquet file. Of the weighted score it knows two
// formulas; it gets the one of the file.
func backOf(of generation) map[string]string {
	switch of {
	case perTest:
		return backOfTests()
	case narrow:
		return backOfRows("sum(coalesce(success, successful))")
	case wide:
		return backOfRows("sum(full_success)")
	}
	return nil
}

func backOfRows(full string) map[string]string {
	all := withSuccess("sum(total)", full, "sum(partial)", "sum(failed)")
	maps.Copy(all, shared("sum(total)"))
	return all
}

// backOfTests counts. Averages of its rows are those of the whole key.
func backOfTests() map[string]string {
	all := withSuccess("count(*)", "count_if(success AND NOT coalesce(partial_success, false))", "count_if(partial_success)", "count_if(NOT coalesce(success OR partial_success, false))")
	for name := range besideTests() {
		all[name] = "avg(" + name + ")"
	}
	return all
}

func withSuccess(total, full, partial, failed string) map[string]string {
	all := parts(total, full, partial, failed)
	all["success"] = full + " + " + partial
	all["success_rate"] = "(" + full + " + " + partial + ") / nullif(" + total + ", 0)"
	all["tool_success_rate"] = "round(min(tool_success_rate), 4)::VARCHAR"
	return all
}

// provided tells whether success is full success alone, as convert takes it: writers of
// generation B are known to have used two names, and nobody wrote down what they meant.
func provided() map[generation]string {
	return map[generation]string{
		narrow: "coalesce(success, successful) + partial + failed = total",
		wide:   "full_success + partial + failed = total",
	}
}

// besideLeaves, besideRows and besideTests are columns that no check judges.
func besideLeaves() map[string]dataset.Column {
	all := numbers(parts("", "", "", ""), shared(""))
	for _, name := range []string{"full_success", "partial_success", "assisted_failure", "assisted_success", "total_assisted_turns", "tests_with_assistance"} {
		all[name] = "integer?"
	}
	return all
}

func besideRows() map[string]dataset.Column {
	all := besideLeaves()
	for _, name := range slices.Concat(counted(), []string{"partial", "failed", "successful", "full_success", "partial_success"}) {
		all[name] = "integer?"
	}
	return all
}

func besideTests() map[string]dataset.Column {
	return map[string]dataset.Column{"avg_execution_time": "number?", "avg_turns": "number?", "avg_tool_calls": "number?", "avg_quality_score": "number?"}
}

func numbers(all ...map[string]string) map[string]dataset.Column {
	columns := map[string]dataset.Column{}
	for _, named := range all {
		for name := range named {
			columns[name] = "number?"
		}
	}
	return columns
}

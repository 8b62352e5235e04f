package pilotbench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"upkeep/internal/service/dataset"
	"upkeep/internal/tables/footer"
)

// averages are what leaves and rows keep of their tests, weighted by them in a report.
func averages() []string {
	return []string{"avg_execution_time", "avg_turns", "avg_tool_calls", "tool_coverage_rate"}
}

// reports are the results by the declared table of the database, and by the generation of the
// Parquet file where there is no database.
func reports(dir string, d *dataset.Config) {
	r, known := reportOf(dir, d)
	if !known {
		return
	}
	r.Order = map[string][]string{}
	for _, name := range r.By {
		if name == "difficulty" {
			r.Order[name] = []string{"very_easy", "easy", "medium", "hard"}
		}
		if name == "prompt_type" {
			r.Order[name] = []string{"optimal", "baseline", "cot"}
		}
	}
	d.Reports = map[string]dataset.Report{"results": r}
	if r.Table == "leaves" {
		for _, name := range averages() {
			d.Tables["leaves"].Columns[name] = "number?"
		}
	}
}

func reportOf(dir string, d *dataset.Config) (r dataset.Report, known bool) {
	if _, err := os.Lstat(filepath.Join(dir, master)); os.IsNotExist(err) {
		f, err := footer.Read(filepath.Join(dir, results))
		return ofGenerations()[generationOf(f)], err == nil && generationOf(f) != ""
	}
	for _, r := range ofVersions() {
		if _, declared := d.Tables[r.Table]; declared {
			return r, true
		}
	}
	return r, false
}

func dimensions() []string {
	return []string{"model", "prompt_type", "difficulty", "tool_success_rate"}
}

// ofVersions are sums of the database: success includes partial success.
func ofVersions() map[string]dataset.Report {
	newest := dataset.Report{Table: "leaves", By: dimensions(), Trials: "sum(total)", Successes: "sum(success)", Counts: map[string]string{"partial": "sum(partial)"},
		Means: weighted(averages(), "total"), Errors: map[string]string{}, AllErrors: "sum(total_errors)"}
	for kind := range errorShares() {
		newest.Errors[kind] = "sum(" + kind + "_errors)"
	}
	return map[string]dataset.Report{
		"3.0": newest,
		"2.0": {Table: "models", By: []string{"model"}, Trials: "sum(total_tests)", Successes: "sum(total_success)", Counts: map[string]string{"partial": "sum(total_partial)"}},
		"1.0": {Table: "groups", By: []string{"model", "prompt_type", "difficulty"}, As: named(), Trials: "sum(total)", Successes: "sum(success)",
			Counts: map[string]string{"partial": "sum(partial_success)"}},
	}
}

// named takes the dimensions out of the name of a group of version 1.0:
// MODEL_TASK_PROMPT_DIFFICULTY, and _flawed_FLAW behind that. A name of another form is taken
// for a model.
func named() map[string]string {
	const form = `^(.*)_(?:simple_task|basic_task|data_pipeline|api_integration|multi_stage_pipeline|file_processing|unknown)_([a-z]+)_(very_easy|easy|medium|hard)(?:_flawed_(.*))?$`
	part := func(n int) string { return fmt.Sprintf(`regexp_extract("group", '%s', %d)`, form, n) }
	model := fmt.Sprintf(`CASE WHEN regexp_matches("group", '%s') THEN %s ELSE "group" END`, form, part(1))
	return map[string]string{
		"model":       strings.ReplaceAll(folds()["model"], "lower(model)", "lower("+model+")"),
		"prompt_type": "concat_ws('_', nullif(" + part(2) + ", ''), nullif(" + part(4) + ", ''))",
		"difficulty":  part(3),
	}
}

// ofGenerations count success as the database does: partial success is among it. What
// generation B means by success is not known; it is taken as it stands.
func ofGenerations() map[generation]dataset.Report {
	return map[generation]dataset.Report{
		perTest: {Table: "results", By: dimensions(), Trials: "count(*)", Successes: "count_if(success OR partial_success)",
			Counts: map[string]string{"partial": "count_if(partial_success)"}},
		narrow: {Table: "results", By: dimensions(), Trials: "sum(total)", Successes: "sum(coalesce(success, successful))"},
		wide: {Table: "results", By: dimensions(), Trials: "sum(total)", Successes: "sum(full_success + partial)",
			Counts: map[string]string{"partial": "sum(partial)"}},
	}
}

func weighted(names []string, by string) map[string]string {
	all := map[string]string{}
	for _, name := range names {
		all[name] = fmt.Sprintf("sum(%[1]s * %[2]s) FILTER (WHERE %[1]s IS NOT NULL) / nullif(sum(%[2]s) FILTER (WHERE %[1]s IS NOT NULL), 0)", name, by)
	}
	return all
}

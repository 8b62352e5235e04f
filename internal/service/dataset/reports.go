package dataset

import (
	"maps"
	"slices"

	"upkeep/internal/diag"
)

// Report declares results to be summed up. Every number is an expression over the rows of a
// group.
type Report struct {
	Table string `yaml:"table"`
	// By are the dimensions: columns, as the table folds them. Values of the first are compared.
	By []string `yaml:"by"`
	// As gives dimensions that are no columns: {model: "split_part(name, '/', 1)"}.
	As map[string]string `yaml:"as"`
	// Order lists values of a dimension in their own order: {difficulty: [easy, medium, hard]}.
	Order     map[string][]string `yaml:"order"`
	Trials    string              `yaml:"trials"`    // how many there were: "sum(total)"
	Successes string              `yaml:"successes"` // how many of them succeeded: "sum(success)"
	// Counts are further outcomes, told as shares of the trials: {partial: "sum(partial)"}.
	Counts map[string]string `yaml:"counts"`
	// Means are averages over trials: {turns: "sum(turns * total) / sum(total)"}.
	Means map[string]string `yaml:"means"`
	// Errors are kinds of errors, told as shares of all errors: {timeout: "sum(timeouts)"}.
	Errors    map[string]string `yaml:"errors"`
	AllErrors string            `yaml:"all_errors"` // how many errors there were; omitted = the sum of the kinds
}

// mostDimensions bounds how often a row is counted: once for each of twice as many tables.
const mostDimensions = 6

func (c *Config) validateReports(p *diag.List) {
	for _, name := range slices.Sorted(maps.Keys(c.Reports)) {
		r, path := c.Reports[name], "reports."+name
		t, declared := c.Tables[r.Table]
		if !declared {
			p.Addf(path+".table", "%q is no declared table", r.Table)
			continue
		}
		r.validate(path, t, p)
	}
}

func (r Report) validate(path string, t Table, p *diag.List) {
	if len(r.By) == 0 || len(r.By) > mostDimensions {
		p.Addf(path+".by", "must name 1 to %d columns", mostDimensions)
	}
	for i, name := range r.By {
		if _, made := r.As[name]; !made && !slices.Contains(t.known(), name) {
			p.Addf(path+".by", "%q is no column of %s", name, r.Table)
		}
		if slices.Contains(r.By[:i], name) {
			p.Addf(path+".by", "%q stands twice", name)
		}
	}
	for _, keys := range [][]string{slices.Sorted(maps.Keys(r.As)), slices.Sorted(maps.Keys(r.Order))} {
		for _, name := range keys {
			if !slices.Contains(r.By, name) {
				p.Addf(path, "%q is not in by", name)
			}
		}
	}
	if r.Trials == "" || r.Successes == "" {
		p.Addf(path, "must say what trials and successes are: {trials: \"sum(total)\", successes: \"sum(success)\"}")
	}
	if r.AllErrors != "" && len(r.Errors) == 0 {
		p.Addf(path+".all_errors", "counts only beside errors")
	}
}

// expressions lists what DuckDB will be asked, by path.
func (r Report) expressions(path string, add func(path string, named map[string]string)) {
	add(path+".as", r.As)
	add(path+".counts", r.Counts)
	add(path+".means", r.Means)
	add(path+".errors", r.Errors)
	single := map[string]string{"trials": r.Trials, "successes": r.Successes, "all_errors": r.AllErrors}
	maps.DeleteFunc(single, func(_, text string) bool { return text == "" })
	add(path, single)
}

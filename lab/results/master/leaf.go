package master

import "strconv"

// Leaf holds the numbers of one key by their names. All but the first few are missing in
// some leaf of every real store. Its success includes partial success.
type Leaf map[string]float64

// Errors are the kinds of errors, in the order of the fields.
var Errors = []string{"tool_call_format", "timeout", "dependency", "parameter_config", "tool_selection", "sequence_order", "max_turns", "other"}

// Shares name the same kinds as shares of all errors; some have other names there.
var Shares = []string{"format", "timeout", "dependency", "parameter", "tool_selection", "sequence", "max_turns", "other"}

// Field is one that leaves may have.
type Field struct {
	Name  string
	Whole bool // a count, not a rate or an average
}

// Fields lists all 44 that were seen.
func Fields() []Field {
	var all []Field
	add := func(whole bool, names ...string) {
		for _, name := range names {
			all = append(all, Field{name, whole})
		}
	}
	add(true, "total", "success", "partial", "failed")
	add(false, "success_rate", "partial_rate", "failure_rate", "weighted_success_score")
	add(true, "full_success", "partial_success")
	add(false, "full_success_rate", "partial_success_rate", "avg_execution_time", "avg_turns", "avg_tool_calls", "tool_coverage_rate")
	add(false, "avg_workflow_score", "avg_phase2_score", "avg_quality_score", "avg_final_score")
	add(true, "total_errors")
	for _, kind := range Errors {
		add(true, kind+"_errors")
	}
	for _, kind := range Shares {
		add(false, kind+"_error_rate")
	}
	add(true, "assisted_failure", "assisted_success", "total_assisted_turns", "tests_with_assistance")
	add(false, "avg_assisted_turns", "assisted_success_rate", "assistance_rate")
	return all
}

// Count is one of the counts; 0 when it is missing.
func (l Leaf) Count(name string) int64 { return int64(l[name]) }

// MarshalJSON writes the fields in their order, and rates as Python does: 1.0 for 1.
func (l Leaf) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for _, f := range Fields() {
		v, has := l[f.Name]
		if !has {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(strconv.AppendQuote(b, f.Name), ':')
		b = strconv.AppendFloat(b, v, 'f', -1, 64)
		if !f.Whole && v == float64(int64(v)) {
			b = append(b, ".0"...)
		}
	}
	return append(b, '}'), nil
}

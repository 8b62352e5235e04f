package master

import (
	"maps"
	"slices"
)

// Recount makes every level above the leaves say what they say.
func (d *Database) Recount() {
	total := Leaf{}
	d.Summary.ModelsTested = slices.Sorted(maps.Keys(d.Models))
	d.Summary.LastTestTime = ""
	for _, m := range d.Models {
		m.recount()
		for _, p := range m.ByPromptType {
			total.Add(p.Summary)
		}
		d.Summary.LastTestTime = max(d.Summary.LastTestTime, m.LastTestTime)
	}
	d.Summary.TotalTests, d.Summary.TotalSuccess = total.Count("total"), total.Count("success")
	d.Summary.TotalPartial, d.Summary.TotalFailure = total.Count("partial"), total.Count("failed")
	if d.Summary.OverallSuccessRate != nil && total["total"] > 0 {
		rate := 100 * total["success"] / total["total"]
		d.Summary.OverallSuccessRate = &rate
	}
}

// recount leaves overall statistics empty that are.
func (m *Model) recount() {
	total := Leaf{}
	for _, p := range m.ByPromptType {
		p.Summary = Leaf{}
		for _, l := range p.leaves() {
			p.Summary.Add(l)
		}
		p.Summary.rates()
		total.Add(p.Summary)
	}
	m.TotalTests = total.Count("total")
	if len(m.OverallStats) > 0 {
		total.rates()
		m.OverallStats = total
	}
}

// Add adds the counts that every leaf has.
func (l Leaf) Add(other Leaf) {
	for _, name := range []string{"total", "success", "partial"} {
		l[name] += other[name]
	}
	l["failed"] += other["total"] - other["success"] // some lack it
}

func (l Leaf) rates() {
	if l["total"] == 0 {
		return
	}
	l["success_rate"] = l["success"] / l["total"]
	l["partial_rate"] = l["partial"] / l["total"]
	l["failure_rate"] = l["failed"] / l["total"]
}

// Record counts one test and sets the rates anew. A partial success is a success.
func (l Leaf) Record(success, partial bool) {
	l["total"]++
	if success || partial {
		l["success"]++
	} else {
		l["failed"]++
	}
	if partial {
		l["partial"]++
	}
	if full, has := l["full_success"]; has && success && !partial {
		l["full_success"] = full + 1
		l["full_success_rate"] = l["full_success"] / l["total"]
	}
	l.rates()
}

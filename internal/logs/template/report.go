package template

import (
	"cmp"
	"slices"
)

// Report is what a Miner has found so far.
type Report struct {
	Templates []Template // the most frequent first
	// Other counts the messages whose forms were given up because there were too
	// many; GaveUp is how many forms that were. Both are 0 in ordinary logs.
	Other, GaveUp int64

	went   []ID
	joined map[ID]ID
}

// Report joins the forms that are one. It may be asked for at any time and does
// not change what the Miner does next.
func (m *Miner) Report() Report {
	j := m.joined()
	r := Report{Other: m.other.count, GaveUp: m.gaveUp, went: m.went, joined: j.went}
	for _, f := range j.forms {
		if f.count > 0 {
			r.Templates = append(r.Templates, f.template(m.words))
		}
	}
	if m.other.count > 0 {
		other := m.other.template(m.words)
		other.Pattern = OtherPattern
		r.Templates = append(r.Templates, other)
	}
	slices.SortStableFunc(r.Templates, func(a, b Template) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Pattern, b.Pattern))
	})
	return r
}

// Group says which group the messages of an ID belong to in the end. It knows only
// what a Miner with Options.Track put under it.
func (r Report) Group(id ID) ID {
	for int(id) < len(r.went) && r.went[id] != id {
		id = r.went[id]
	}
	for {
		to, ok := r.joined[id]
		if !ok {
			return id
		}
		id = to
	}
}

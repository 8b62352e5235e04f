package dataset

import (
	"bytes"
	"slices"

	"upkeep/internal/service"
)

var _ service.Tolerant = (*Instance)(nil)

// Tolerates reports whether a planned merge still holds: its file and each of its
// increments are as they were. Increments that have come since are left to the next one.
func (in *Instance) Tolerates(planned, now []service.Step) bool {
	for _, s := range slices.Concat(planned, now) {
		if _, is := filesOf(s); !is {
			return false
		}
	}
	return !slices.ContainsFunc(planned, func(s service.Step) bool {
		return !slices.ContainsFunc(now, func(other service.Step) bool { return within(s, other) })
	})
}

// mergeFiles are what a step of a merge is about.
type mergeFiles struct {
	main       seen
	increments []seen
}

func filesOf(s service.Step) (f mergeFiles, is bool) {
	switch s.Op {
	case opUnite:
		w, err := argsOf[uniting](s)
		return mergeFiles{w.Main, w.Increments}, err == nil && w.Work == service.Merge
	case opClear:
		c, err := argsOf[clearing](s)
		return mergeFiles{c.Main, c.Increments}, err == nil
	case opQuarantine:
		q, err := argsOf[quarantining](s)
		return mergeFiles{increments: []seen{q.Increment}}, err == nil
	}
	return f, false
}

// within reports whether a step is the same as another one, or about a part of its
// increments.
func within(s, other service.Step) bool {
	if s.ID != other.ID || s.Op != other.Op {
		return false
	}
	if bytes.Equal(s.Args, other.Args) {
		return true
	}
	a, _ := filesOf(s)
	b, _ := filesOf(other)
	return a.main == b.main && !slices.ContainsFunc(a.increments, func(inc seen) bool { return !slices.Contains(b.increments, inc) })
}

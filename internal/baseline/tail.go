package baseline

import (
	"cmp"
	"math"
	"slices"
)

// tail knows the greatest deviations of the past, hour by hour. When hours are alike,
// the next one exceeds the m-th greatest of n hours with probability m/(n+1), whatever
// their distribution and however values within an hour depend on each other: that
// gives the limit, without a model of the tail.
type tail struct {
	Rate    float64 // of alarms per second that are put up with
	Hours   int     // seen so far
	Peaks   []peak  // the greatest ones within reach, greatest first
	Present float64 // the greatest deviation of the hour that is not closed yet
	Known   bool    // whether enough was seen for a limit
	Limit   float64
	Gross   float64 // what exceeds it is rarer than a false alarm by far
}

// peak is the greatest deviation of one hour, or of several that one anomaly took.
type peak struct {
	Hour  int
	Value float64
}

const (
	// reach is over how many false alarms a tail looks back: the more, the better is
	// the limit known, and the longer it remembers what is no more.
	reach = 8
	// shortest is how many hours it looks back at least: rates of alarms are not the
	// same all week.
	shortest = 4 * slots
	// most bounds the peaks that are kept.
	most = 128
	// rarer is by how much rarer than a false alarm a deviation must be to be taken for
	// a true one, which does not raise the limit: one in so many false alarms is.
	rarer = 10
)

func (t *tail) perHour() float64 { return t.Rate * 3600 }

// least is how many hours must have been seen for a limit.
func (t *tail) least() int { return int(math.Ceil(1/t.perHour())) - 1 }

// window is how many hours count.
func (t *tail) window() int {
	hours := max(shortest, int(reach/t.perHour()))
	return min(hours, max(1, int(most/2/t.perHour())))
}

// rank is which of the greatest peaks is the limit; 0 = none is rare enough yet.
func (t *tail) rank() int { return int(t.perHour() * float64(min(t.Hours, t.window())+1)) }

func (t *tail) ready() bool { return t.Known }

// limit is what a deviation must exceed.
func (t *tail) limit() float64 { return t.Limit }

// exceeded takes a deviation into the present hour and reports whether it is unusual.
func (t *tail) exceeded(deviation float64) bool {
	t.Present = max(t.Present, deviation)
	return t.ready() && deviation > t.Limit
}

// close takes an hour into the past. An unusual one counts once for all hours of its
// anomaly, and not when it is gross; until it is the new usual.
func (t *tail) close(of age) {
	value := t.Present
	t.Present = 0
	t.Hours++
	if !t.ready() || value <= t.Limit || of == settled || of == fresh && value <= t.Gross {
		t.add(value)
	}
	if rank := t.rank(); rank > 0 && rank <= len(t.Peaks) {
		t.Known, t.Limit = true, t.Peaks[rank-1].Value
		// What becomes ten times as rare by a factor does so again by that factor, at most.
		often := t.Peaks[min(rarer*rank, len(t.Peaks))-1].Value
		t.Gross = t.Limit * t.Limit / max(often, math.SmallestNonzeroFloat64)
	}
}

func (t *tail) add(value float64) {
	t.Peaks = slices.DeleteFunc(t.Peaks, func(p peak) bool { return p.Hour <= t.Hours-t.window() })
	at, _ := slices.BinarySearchFunc(t.Peaks, value, func(p peak, v float64) int { return cmp.Compare(v, p.Value) })
	t.Peaks = slices.Insert(t.Peaks, at, peak{Hour: t.Hours, Value: value})
	if len(t.Peaks) > most {
		t.Peaks = t.Peaks[:most]
	}
}

package results

import (
	"iter"
	"time"
)

// chunk is a run of tests of one leaf with one outcome: what generation A is made of. A
// leaf of a million tests is many, so that DuckDB never holds more than some of them.
type chunk struct {
	leaf
	Label string `json:"label"` // success, partial or failed
	First int64  `json:"first"` // number of the first
	Tests int64  `json:"tests"`
	At    int64  `json:"done_at"` // microseconds since 1970 of the first
	Step  int64  `json:"step"`
}

const chunkRows = 1000

func (c chunk) rows() int64 { return c.Tests }
func (l leaf) rows() int64  { return 1 }

// outcome is one of the three of a leaf, with its number of tests in the main file.
type outcome struct {
	leaf
	label string
	tests int64
}

func outcomes(all []leaf) (each []outcome) {
	for _, l := range all {
		each = append(each, outcome{l, "success", l.Full}, outcome{l, "partial", l.Partial}, outcome{l, "failed", l.failed()})
	}
	return each
}

// chunks cuts a run of tests. Their times follow each other on the clock.
func (o outcome) chunks(first, tests int64, c *clock) iter.Seq[fed] {
	return func(yield func(fed) bool) {
		for ; tests > 0; first, tests = first+chunkRows, tests-chunkRows {
			n := min(tests, chunkRows)
			if !yield(chunk{o.leaf, o.label, first, n, c.take(n), c.step}) {
				return
			}
		}
	}
}

// clock hands out times in equal steps of microseconds.
type clock struct{ at, step int64 }

// spread is a clock that ends at a time after so many ticks in so long.
func spread(end time.Time, over time.Duration, ticks int64) *clock {
	step := max(1, over.Microseconds()/max(ticks, 1))
	return &clock{end.UnixMicro() - step*ticks, step}
}

func (c *clock) take(n int64) int64 {
	at := c.at
	c.at += n * c.step
	return at
}

// mainFeed gives the rows of the main file.
func (m *maker) mainFeed() iter.Seq[fed] {
	if m.Parquet != "A" {
		return lines(m.leaves)
	}
	return func(yield func(fed) bool) {
		c := spread(m.Now, 6*24*time.Hour, m.truth.Tests)
		for _, o := range outcomes(m.leaves) {
			for line := range o.chunks(0, o.tests, c) {
				if !yield(line) {
					return
				}
			}
		}
	}
}

func lines(all []leaf) iter.Seq[fed] {
	return func(yield func(fed) bool) {
		for _, l := range all {
			if !yield(l) {
				return
			}
		}
	}
}

package results

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"time"
)

// deadPID begins the numbers of the processes that wrote the files of a store: above 2^22,
// which no process of Linux can have.
const deadPID = 4_200_001

// increments makes files of IncrementRows rows each. Rows of a key come later than those
// that the main file and earlier increments have of it.
func (m *maker) increments(ctx context.Context, w fileWriter) error {
	next := m.summaries()
	if m.Parquet == "A" {
		next = m.results()
	}
	shared := int64(m.IncrementRows * SharedPercent / 100)
	for n := range m.Increments {
		at := m.Now.Add(time.Duration(n+1) * time.Minute)
		path := m.path(incrementName(n, at))
		rows, err := w.write(ctx, next(shared, int64(m.IncrementRows)-shared, at), path)
		if err != nil {
			return err
		}
		m.truth.IncrementRows += rows
		m.truth.IncrementNewKeys += rows - shared
		if err := os.Chtimes(path, at, at); err != nil {
			return err
		}
	}
	return nil
}

func incrementName(n int, at time.Time) string {
	return filepath.Join(parquetDir, "incremental", fmt.Sprintf("increment_%d_%s.parquet", deadPID+n, at.Format("20060102_150405")))
}

// source gives the rows of the next increment: so many with keys of the main file, so
// many with new ones, the last at a time.
type source func(shared, fresh int64, end time.Time) iter.Seq[fed]

// results gives tests. Those of the main file come again in turn, in the order of the file; new
// ones go on with the numbers of their outcomes.
func (m *maker) results() source {
	all := outcomes(m.leaves)
	again, further := turn{all: all}, turn{all: all, beyond: true}
	return func(shared, fresh int64, end time.Time) iter.Seq[fed] {
		return func(yield func(fed) bool) {
			c := spread(end, 50*time.Second, shared+fresh)
			_ = again.give(shared, c, yield) && further.give(fresh, c, yield)
		}
	}
}

// turn walks over the outcomes again and again and remembers where it is.
type turn struct {
	all    []outcome
	beyond bool // give numbers that the main file does not have

	at      int // outcome
	done    int64
	further []int64 // given beyond the main file, by outcome
}

func (t *turn) give(rows int64, c *clock, yield func(fed) bool) bool {
	for rows > 0 {
		o := t.all[t.at]
		first, n := t.run(o, rows)
		for line := range o.chunks(first, n, c) {
			if !yield(line) {
				return false
			}
		}
		rows -= n
	}
	return true
}

// run is the next run of tests of an outcome, at most chunkRows beyond what is there.
func (t *turn) run(o outcome, rows int64) (first, n int64) {
	if t.further == nil {
		t.further = make([]int64, len(t.all))
	}
	if t.beyond {
		first, n = o.tests+t.further[t.at], min(rows, chunkRows)
		t.further[t.at] += n
		t.at = (t.at + 1) % len(t.all)
		return first, n
	}
	first, n = t.done, min(rows, o.tests-t.done)
	t.done += n
	if t.done == o.tests {
		t.at, t.done = (t.at+1)%len(t.all), 0
	}
	return first, n
}

// summaries gives leaves. Those of the main file come again with more tests than before;
// new ones are of keys that were not tested.
func (m *maker) summaries() source {
	fresh := untested{}
	round := int64(0)
	return func(shared, further int64, end time.Time) iter.Seq[fed] {
		return func(yield func(fed) bool) {
			c := spread(end, 50*time.Second, shared+further)
			for range shared {
				l := grown(m.leaves[round%int64(len(m.leaves))], 3*(round/int64(len(m.leaves))+1))
				round++
				if !yield(l.at(c)) {
					return
				}
			}
			for range further {
				k := fresh.next()
				if !yield(draw(m.Shape, k, m.usual(k)).at(c)) {
					return
				}
			}
		}
	}
}

// grown is a leaf after some more full successes.
func grown(l leaf, by int64) leaf {
	l.Total, l.Full = l.Total+by, l.Full+by
	return l
}

func (l leaf) at(c *clock) leaf {
	l.when = time.UnixMicro(c.take(1)).UTC()
	l.At = stamp(l.when)
	return l
}

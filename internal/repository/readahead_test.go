package repository

import (
	"errors"
	"iter"
	"testing"
)

var errTorn = errors.New("torn")

// countTo yields 0 … n-1 and then fails if it shall.
func countTo(n int, fails bool, ended *bool) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		defer func() { *ended = true }()
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
		if fails {
			yield(0, errTorn)
		}
	}
}

func TestReadAheadKeepsOrderAndEnd(t *testing.T) {
	for _, n := range []int{0, 1, batchSize - 1, batchSize, batchSize + 1, 10 * batchSize * batchesAhead} {
		for _, fails := range []bool{false, true} {
			var ended bool
			next, stop := readAhead(countTo(n, fails, &ended))
			for want := range n {
				if got, err, more := next(); got != want || err != nil || !more {
					t.Fatalf("value %d of %d: got %d, %v, %v", want, n, got, err, more)
				}
			}
			if _, err, more := next(); more != fails || errors.Is(err, errTorn) != fails {
				t.Errorf("after %d values, failing %v: %v, %v", n, fails, err, more)
			}
			stop()
			if !ended {
				t.Error("stop did not wait for the sequence")
			}
		}
	}
}

func TestReadAheadStopsEarly(t *testing.T) {
	var ended bool
	next, stop := readAhead(countTo(1<<20, false, &ended))
	if _, err, more := next(); err != nil || !more {
		t.Fatal(err, more)
	}
	stop()
	if !ended {
		t.Error("the sequence runs on")
	}
}

package dataset

import (
	"math"
	"testing"
	"time"

	"upkeep/internal/quantity"
	"upkeep/internal/service"
)

// hundredHours is a store of 36,000 items of 10 s each, whose batches cost 50 s and are lost
// every 10 hours: √(2·50·36000) s are 1897 s, or 189 items.
func hundredHours() batch {
	return batch{items: 36000, seconds: 360000, slowest: math.NaN(), failures: math.NaN(),
		Batches: Batches{Table: "leaves", Overhead: quantity.Duration(50 * time.Second), LostEvery: quantity.Duration(10 * time.Hour)}}
}

func TestSizeOfABatch(t *testing.T) {
	cases := map[string]struct {
		change   func(*batch)
		id, why  string
		proposed int
	}{
		"cost and loss":                  {nil, "dataset.batch-size", byLoss, 189},
		"lost as the table says":         {func(b *batch) { b.LostEvery, b.failures = 0, 40 }, "dataset.batch-size", byLoss, 94},
		"none was lost: three at most":   {func(b *batch) { b.LostEvery, b.failures = 0, 0 }, "dataset.batch-size", byLoss, 346},
		"the timeout":                    {func(b *batch) { b.Timeout = quantity.Duration(20 * time.Minute) }, "dataset.batch-size", byTimeout, 115},
		"the timeout of the slowest":     {func(b *batch) { b.Timeout, b.slowest = quantity.Duration(20*time.Minute), 50 }, "dataset.batch-size", byTimeout, 23},
		"whole checkpoints":              {func(b *batch) { b.Checkpoint = 25 }, "dataset.batch-size", byLoss, 175},
		"one checkpoint at least":        {func(b *batch) { b.Checkpoint = 500 }, "dataset.batch-size", byCheckpoint, 500},
		"too long for the timeout":       {func(b *batch) { b.Timeout, b.Size = quantity.Duration(20*time.Minute), 116 }, "dataset.batch-size-wrong", byTimeout, 115},
		"never saved":                    {func(b *batch) { b.Checkpoint, b.Size = 20, 10 }, "dataset.batch-size-wrong", byLoss, 180},
		"no checkpoint before the limit": {func(b *batch) { b.Checkpoint, b.Timeout = 200, quantity.Duration(20*time.Minute) }, "dataset.batch-size-wrong", byTimeout, 115},
		"no time is known":               {func(b *batch) { b.seconds = 0 }, "dataset.batch-size-unknown", "", 0},
		"no loss is known":               {func(b *batch) { b.LostEvery = 0 }, "dataset.batch-size-unknown", "", 0},
		"no overhead is known":           {func(b *batch) { b.Overhead = 0 }, "dataset.batch-size-unknown", "", 0},
	}
	for name, c := range cases {
		b := hundredHours()
		if c.change != nil {
			c.change(&b)
		}
		a := b.advice()
		if c.id == "dataset.batch-size-unknown" {
			if a.ID != c.id || a.Severity != service.Unknown || a.Proposed != nil || a.Confidence() != service.NotKnown {
				t.Errorf("%s: %+v", name, a)
			}
			continue
		}
		if a.ID != c.id || a.Args["bound"] != c.why || a.Proposed != c.proposed {
			t.Errorf("%s: %s by %v, %v", name, a.ID, a.Args["bound"], a.Proposed)
		}
	}
}

func TestCostIsLeastAtTheRightSize(t *testing.T) {
	b := hundredHours()
	for _, other := range []float64{20, 100, 188, 191, 400, 2000} {
		if b.cost(other) < b.cost(189.7) {
			t.Errorf("%v items cost %v, less than the right size with %v", other, b.cost(other), b.cost(189.7))
		}
	}
}

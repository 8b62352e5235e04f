package measure_test

import (
	"testing"

	"upkeep/bench/measure"
)

func TestGroupAccuracyCountsOnlyGroupsThatAreExact(t *testing.T) {
	truth := []string{"a", "a", "b", "b", "b", "c"}
	for name, c := range map[string]struct {
		predicted []int
		want      float64
	}{
		"all right, other names": {[]int{7, 7, 1, 1, 1, 2}, 1},
		"one group split":        {[]int{7, 7, 1, 1, 3, 2}, 0.5},
		"two groups joined":      {[]int{7, 7, 7, 7, 7, 2}, 1.0 / 6},
		"one line astray":        {[]int{7, 1, 1, 1, 1, 2}, 1.0 / 6},
	} {
		if got, err := measure.GroupAccuracy(c.predicted, truth); err != nil || got != c.want {
			t.Errorf("%s: %v, %v; want %v", name, got, err, c.want)
		}
	}
	if _, err := measure.GroupAccuracy([]int{1}, truth); err == nil {
		t.Error("five lines without a group are no error")
	}
}

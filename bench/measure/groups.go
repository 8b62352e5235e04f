package measure

import "fmt"

// GroupAccuracy is the share of lines whose group holds exactly the lines that
// the true group holds: one line too many or too few makes all of it wrong. This
// is the measure that comparisons of log parsers use.
func GroupAccuracy[P, T comparable](predicted []P, truth []T) (float64, error) {
	if len(predicted) != len(truth) || len(truth) == 0 {
		return 0, fmt.Errorf("%d groups for %d lines", len(predicted), len(truth))
	}
	type pair struct {
		p P
		t T
	}
	ps, ts, both := map[P]int{}, map[T]int{}, map[pair]int{}
	for i, p := range predicted {
		ps[p]++
		ts[truth[i]]++
		both[pair{p, truth[i]}]++
	}
	right := 0
	for b, n := range both {
		if ps[b.p] == n && ts[b.t] == n {
			right += n
		}
	}
	return float64(right) / float64(len(truth)), nil
}

package proportion_test

import (
	"math"
	"slices"
	"testing"

	"upkeep/internal/proportion"
)

// The values of Newcombe (1998), table I, method 3.
func TestWilsonsIntervalAsPublished(t *testing.T) {
	for _, c := range []struct {
		hits, trials int64
		low, high    float64
	}{
		{81, 263, 0.2553, 0.3662},
		{15, 148, 0.0624, 0.1605},
		{0, 20, 0, 0.1611},
		{1, 29, 0.0061, 0.1718},
	} {
		low, high := proportion.Count{Hits: c.hits, Trials: c.trials}.Interval()
		if math.Abs(low-c.low) > 5e-5 || math.Abs(high-c.high) > 5e-5 {
			t.Errorf("%d/%d: %.4f to %.4f, want %.4f to %.4f", c.hits, c.trials, low, high, c.low, c.high)
		}
	}
}

func TestIntervalAtTheEnds(t *testing.T) {
	for _, n := range []int64{1, 7, 1000, 1 << 40} {
		low, high := proportion.Count{Hits: 0, Trials: n}.Interval()
		top, all := proportion.Count{Hits: n, Trials: n}.Interval()
		if low != 0 || high <= 0 || high >= 1 || all != 1 || math.Abs(top-(1-high)) > 1e-12 {
			t.Errorf("of %d: %v to %v and %v to %v", n, low, high, top, all)
		}
	}
}

func TestWithoutTrialsNothingIsKnown(t *testing.T) {
	var none proportion.Count
	if _, known := none.Rate(); known {
		t.Error("a share is known")
	}
	if low, high := none.Interval(); low != 0 || high != 1 {
		t.Errorf("%v to %v", low, high)
	}
	if _, p := proportion.Compare([]proportion.Pair{{A: none, B: proportion.Count{Hits: 50, Trials: 100}}}); p != 1 {
		t.Errorf("p %v", p)
	}
}

// One pair alone is the test of two proportions: chi-square without correction, times
// (n-1)/n. Of 60/100 and 40/100 that is 8 times 199/200.
func TestOnePairIsTheTestOfTwoProportions(t *testing.T) {
	score, p := proportion.Compare([]proportion.Pair{{A: proportion.Count{Hits: 60, Trials: 100}, B: proportion.Count{Hits: 40, Trials: 100}}})
	if math.Abs(score*score-8*199.0/200) > 1e-9 || math.Abs(p-0.004790) > 1e-5 {
		t.Errorf("z² %v, p %v", score*score, p)
	}
}

// Admissions to Berkeley in 1973, the six largest departments: men were admitted more often
// than women (45 % and 30 %), and department by department they were not. The statistic is
// that of R, mantelhaen.test(UCBAdmissions, correct = FALSE): 1.5246, p 0.2169.
func TestConditionsThatDifferMakeNoDifference(t *testing.T) {
	men := []proportion.Count{{Hits: 512, Trials: 825}, {Hits: 353, Trials: 560}, {Hits: 120, Trials: 325}, {Hits: 138, Trials: 417}, {Hits: 53, Trials: 191}, {Hits: 22, Trials: 373}}
	women := []proportion.Count{{Hits: 89, Trials: 108}, {Hits: 17, Trials: 25}, {Hits: 202, Trials: 593}, {Hits: 131, Trials: 375}, {Hits: 94, Trials: 393}, {Hits: 24, Trials: 341}}
	var pairs []proportion.Pair
	var all proportion.Pair
	for i := range men {
		pairs = append(pairs, proportion.Pair{A: men[i], B: women[i]})
		all.A.Hits, all.A.Trials = all.A.Hits+men[i].Hits, all.A.Trials+men[i].Trials
		all.B.Hits, all.B.Trials = all.B.Hits+women[i].Hits, all.B.Trials+women[i].Trials
	}
	if score, p := proportion.Compare(pairs); math.Abs(score*score-1.5246) > 5e-4 || math.Abs(p-0.2169) > 5e-4 {
		t.Errorf("z² %.4f, p %.4f", score*score, p)
	}
	if score, p := proportion.Compare([]proportion.Pair{all}); score < 9 || p > 1e-15 {
		t.Errorf("all together: z %v, p %v", score, p)
	}
}

func TestFewTrialsTellNothing(t *testing.T) {
	if _, p := proportion.Compare([]proportion.Pair{{A: proportion.Count{Hits: 4, Trials: 4}, B: proportion.Count{Hits: 0, Trials: 4}}}); p != 1 {
		t.Errorf("p %v", p)
	}
}

// Holm's own form: 0.01 stands against 0.05/4, 0.02 does not against 0.05/3, and then nothing
// after it does, though 0.03 alone would.
func TestHolm(t *testing.T) {
	if got := proportion.Holm([]float64{0.03, 0.01, 0.04, 0.02}); !slices.Equal(got, []bool{false, true, false, false}) {
		t.Error(got)
	}
	if got := proportion.Holm([]float64{0.001, 0.02, 0.04}); !slices.Equal(got, []bool{true, true, true}) {
		t.Error(got)
	}
	if got := proportion.Holm(nil); len(got) != 0 {
		t.Error(got)
	}
}

// The second cannot be told apart from the first nor from the third, which are apart.
func TestRanksOverlap(t *testing.T) {
	counts := []proportion.Count{{Hits: 560, Trials: 1000}, {Hits: 520, Trials: 1000}, {Hits: 480, Trials: 1000}, {Hits: 100, Trials: 1000}}
	got := proportion.Ranks(len(counts), func(a, b int) (float64, float64) {
		return proportion.Compare([]proportion.Pair{{A: counts[a], B: counts[b]}})
	})
	if want := []proportion.Rank{{Best: 1, Worst: 2}, {Best: 1, Worst: 3}, {Best: 2, Worst: 3}, {Best: 4, Worst: 4}}; !slices.Equal(got, want) {
		t.Error(got)
	}
}

// Package proportion says how sure one can be of a share that was counted: its interval,
// whether two shares differ, and which ranks the shares of many can have. Everything is
// at 95 %.
package proportion

import (
	"math"
	"slices"
)

// Level is the chance that a claim is wrong: of one interval, or of any claim of one family.
const Level = 0.05

// z is the quantile of the normal distribution that leaves half of Level above it.
const z = 1.959963984540054

// Count is how often something happened in so many trials.
type Count struct{ Hits, Trials int64 }

// Rate is the share; false where there were no trials: it is unknown then, not 0.
func (c Count) Rate() (share float64, known bool) {
	if c.Trials <= 0 {
		return 0, false
	}
	return float64(c.Hits) / float64(c.Trials), true
}

// Possible reports whether the numbers can be counts of one thing.
func (c Count) Possible() bool { return c.Trials >= 0 && c.Hits >= 0 && c.Hits <= c.Trials }

// Interval is where the share behind a count lies, by Wilson's score: the values that a
// test would not reject. It stays within 0 and 1 and holds at both ends, where the usual
// plus-minus has no width. Without trials it is everything.
//
// E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
// Journal of the American Statistical Association 22 (1927) 209–212; compared with others by
// R. G. Newcombe, Statistics in Medicine 17 (1998) 857–872, method 3.
func (c Count) Interval() (low, high float64) {
	share, known := c.Rate()
	if !known {
		return 0, 1
	}
	n := float64(c.Trials)
	middle := share + z*z/(2*n)
	half := z * math.Sqrt(share*(1-share)/n+z*z/(4*n*n))
	low, high = (middle-half)/(1+z*z/n), (middle+half)/(1+z*z/n)
	if c.Hits == 0 {
		low = 0 // without the rounding of the last digit
	}
	if c.Hits == c.Trials {
		high = 1
	}
	return low, high
}

// Pair is two counts that were made under like conditions.
type Pair struct{ A, B Count }

// Compare asks whether the first of each pair succeeds more often than the second, over all
// pairs together. Each pair is compared with itself only, so that whoever was tested under
// easier conditions gains nothing. z above 0 means that the first is better; p is the chance
// of such a difference where there is none. Where the counts are too few to tell, by the rule
// of Mantel and Fleiss, p is 1. One pair alone is the usual test of two proportions.
//
// N. Mantel, W. Haenszel, Journal of the National Cancer Institute 22 (1959) 719–748, without
// correction for continuity; N. Mantel, J. L. Fleiss, American Journal of Epidemiology 112
// (1980) 129–134.
func Compare(pairs []Pair) (score, p float64) {
	var sum, expected, variance, least, most float64
	for _, pair := range pairs {
		a, b := float64(pair.A.Trials), float64(pair.B.Trials)
		hits := float64(pair.A.Hits + pair.B.Hits)
		n := a + b
		if a <= 0 || b <= 0 {
			continue
		}
		sum += float64(pair.A.Hits)
		expected += a * hits / n
		variance += a * b * hits * (n - hits) / (n * n * (n - 1))
		least += math.Max(0, hits-b)
		most += math.Min(a, hits)
	}
	const few = 5
	if variance <= 0 || expected-least < few || most-expected < few {
		return 0, 1
	}
	score = (sum - expected) / math.Sqrt(variance)
	return score, math.Erfc(math.Abs(score) / math.Sqrt2)
}

// Holm says which of a family of claims stand when the chance that any of them is wrong may
// be Level: the more is asked, the more each must show.
//
// S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
// Statistics 6 (1979) 65–70.
func Holm(p []float64) []bool {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case p[a] < p[b]:
			return -1
		case p[a] > p[b]:
			return 1
		}
		return 0
	})
	stands := make([]bool, len(p))
	for k, i := range order {
		if p[i] > Level/float64(len(p)-k) {
			break
		}
		stands[i] = true
	}
	return stands
}

// Rank is the places that somebody can have among all: the best place is after those that
// were shown to be better, the worst before those that were shown to be worse.
type Rank struct{ Best, Worst int }

// Ranks compares each of n with each other, by Holm's procedure over all comparisons. With
// 95 % all ranks are right together.
//
// M. Mogstad, J. P. Romano, A. M. Shaikh, D. Wilhelm, "Inference for ranks", Review of
// Economic Studies 91 (2024) 476–518.
func Ranks(n int, compare func(a, b int) (score, p float64)) []Rank {
	type claim struct{ better, worse int }
	var claims []claim
	var ps []float64
	for a := range n {
		for b := a + 1; b < n; b++ {
			score, p := compare(a, b)
			c := claim{a, b}
			if score < 0 {
				c = claim{b, a}
			}
			claims, ps = append(claims, c), append(ps, p)
		}
	}
	ranks := make([]Rank, n)
	for i := range ranks {
		ranks[i] = Rank{1, n}
	}
	for i, stands := range Holm(ps) {
		if stands {
			ranks[claims[i].worse].Best++
			ranks[claims[i].better].Worst--
		}
	}
	return ranks
}

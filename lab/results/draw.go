package results

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"time"

	"upkeep/lab/results/master"
)

// leaf is what one key of a store holds: counts, and averages over its tests. It is what
// feeds DuckDB, as one line of JSON.
type leaf struct {
	master.Key
	Total   int64    `json:"total"`
	Full    int64    `json:"whole"`
	Partial int64    `json:"partial"`
	Errors  [8]int64 `json:"errors"` // in the order of master.Errors

	Assisted     int64 `json:"assisted"` // tests with help, and of them those that worked
	AssistedWell int64 `json:"assisted_well"`
	HelpedTurns  int64 `json:"helped_turns"`

	Seconds  float64 `json:"seconds"`
	Turns    float64 `json:"turns"`
	Calls    float64 `json:"calls"`
	Coverage float64 `json:"coverage"`
	Score    float64 `json:"score"`

	At   string `json:"done_at"` // of its last test
	has  optional
	when time.Time
}

// optional says which fields the leaf of a document has.
type optional struct{ full, scores, help, older bool }

func (l leaf) failed() int64 { return l.Total - l.Full - l.Partial }

// chance is the source of chance for one thing of one store.
func chance(seed uint64, of ...any) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, of...)
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// stamp is a time as the writers write it: ISO without a zone.
func stamp(t time.Time) string { return t.Format("2006-01-02T15:04:05.000000") }

// leaves draws all that the store holds. Of tests it holds exactly rows; 0 = about 48 for
// each key.
func leaves(s Shape, rows int) []leaf {
	var all []leaf
	for n := range s.Models {
		for _, k := range tested(modelName(n)) {
			all = append(all, leaf{Key: k, Total: s.usual(k)})
		}
	}
	if rows > 0 {
		share(all, int64(rows))
	}
	kept := all[:0]
	for i := range all {
		if all[i].Total > 0 {
			kept = append(kept, draw(s, all[i].Key, all[i].Total))
		}
	}
	return kept
}

// usual is how often a key was tested: a few times in the oldest stores.
func (s Shape) usual(k master.Key) int64 {
	r := chance(s.Seed, "total", k)
	if s.JSON == "pre-1" {
		return 1 + r.Int64N(3)
	}
	return 8 + r.Int64N(81)
}

// share scales the totals until their sum is rows.
func share(all []leaf, rows int64) {
	var sum, before, given int64
	for _, l := range all {
		sum += l.Total
	}
	for i := range all {
		before += all[i].Total
		upTo := int64(math.Round(float64(before) / float64(sum) * float64(rows)))
		all[i].Total, given = upTo-given, upTo
	}
}

// draw makes a leaf of one key with so many tests.
func draw(s Shape, k master.Key, total int64) leaf {
	r := chance(s.Seed, "leaf", k)
	well := quality(s.Seed, k)
	full := int64(float64(total)*well + r.Float64())
	partial := int64(float64(total-min(full, total)) * r.Float64() * 0.5)
	l := leaf{Key: k, Total: total, Full: min(full, total), Partial: partial,
		Seconds: round(4+30*r.Float64(), 3), Turns: round(3+6*r.Float64(), 2), Calls: round(2+5*r.Float64(), 2),
		Coverage: round(0.5+well/2, 4), Score: round(well*0.9, 4),
		when: s.Now.Add(-time.Duration(r.Int64N(int64(6 * 24 * time.Hour)))).Truncate(time.Microsecond),
		has:  optional{full: r.IntN(3) == 0, scores: r.IntN(2) == 0, help: r.IntN(2) == 0}}
	l.At = stamp(l.when)
	l.err(r)
	l.Assisted = total / (4 + r.Int64N(6))
	l.AssistedWell, l.HelpedTurns = l.Assisted*2/3, l.Assisted*2
	return l
}

// err files each failure under a kind, and some of the partial successes.
func (l *leaf) err(r *rand.Rand) {
	left := l.failed() + l.Partial/2
	for kind := range l.Errors[:7] {
		n := int64(float64(left) * r.Float64() * 0.5)
		l.Errors[kind], left = n, left-n
	}
	l.Errors[7] = left
}

// quality is the share of full successes that a key has.
func quality(seed uint64, k master.Key) float64 {
	q := 0.35 + 0.35*chance(seed, "model", k.Model).Float64()
	switch k.Prompt {
	case "optimal":
		q += 0.15
	case "cot":
		q += 0.1
	case "baseline":
	default:
		q -= 0.15
	}
	if k.Difficulty == "medium" || k.Difficulty == "hard" {
		q -= 0.1
	}
	return q + 0.1*chance(seed, "key", k).Float64() - 0.05
}

func round(v float64, places int) float64 {
	scale := math.Pow10(places)
	return math.Round(v*scale) / scale
}

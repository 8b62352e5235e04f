package baseline

import (
	"math"
	"slices"
	"time"
)

const (
	slots = 7 * 24 // hours of a week
	weeks = 5      // that a slot remembers: two odd ones do not move its median
	// profileHours is how many hours must have been seen before the profile is used.
	profileHours = 2 * slots
	// fullest bounds the values of an hour that are learnt.
	fullest = 90
	// sigma makes a standard deviation of a median deviation, for a normal distribution.
	sigma = 1.4826
	// A scale is at least this share of the usual one: an hour in which nothing ever
	// moved would make an anomaly of the least movement.
	leastScale = 0.2
)

// profile is what is usual at each hour of the week: a level, which follows the
// series within a day, and how each hour differs from it.
type profile struct {
	Slots  [slots]slot
	Levels [24]float64 // medians of the last hours
	Hours  int         // closed so far
	Usual  float64     // deviation over all hours
	Level  float64
	// The hour that is not closed yet.
	Values, Deviations []float64
}

// slot is one hour of the week in the last weeks.
type slot struct {
	Offset    [weeks]float32 // of the hour's median from the level
	Deviation [weeks]float32 // median deviation from what was expected
	N         int            // weeks seen
}

// expectation is what is usual at one moment.
type expectation struct {
	value, scale float64
	known        bool
}

func slotOf(at time.Time) int { return int(at.Weekday())*24 + at.Hour() }

func (p *profile) mature() bool { return p.Hours >= profileHours }

func (p *profile) learn(value float64, e expectation) {
	if len(p.Values) == fullest {
		return
	}
	p.Values = append(p.Values, value)
	if e.known {
		p.Deviations = append(p.Deviations, math.Abs(value-e.value))
	}
}

// close takes the values of an hour into its slot and moves the level.
func (p *profile) close(i int) {
	if len(p.Values) == 0 {
		return
	}
	middle := median(p.Values)
	if len(p.Deviations) < len(p.Values) { // nothing was expected yet: what it varied by itself
		p.Deviations = p.Deviations[:0]
		for _, v := range p.Values {
			p.Deviations = append(p.Deviations, math.Abs(v-middle))
		}
	}
	if p.Hours >= len(p.Levels) {
		p.Slots[i].add(middle-p.Level, median(p.Deviations))
	}
	p.Levels[p.Hours%len(p.Levels)] = middle
	p.Hours++
	p.Level = median(slices.Clone(p.Levels[:min(p.Hours, len(p.Levels))]))
	p.Usual = p.usual()
	p.Values, p.Deviations = p.Values[:0], p.Deviations[:0]
}

func (s *slot) add(offset, deviation float64) {
	s.Offset[s.N%weeks], s.Deviation[s.N%weeks] = float32(offset), float32(deviation)
	s.N++
}

func (p *profile) usual() float64 {
	var all []float64
	for i := range p.Slots {
		if s := &p.Slots[i]; s.N > 0 {
			all = append(all, float64(s.Deviation[(s.N-1)%weeks]))
		}
	}
	return median(all)
}

// at says what is usual at a moment: between the middles of two hours it lies between
// what is usual in them.
func (p *profile) at(at time.Time) expectation {
	i := slotOf(at)
	past := float64(at.Minute())/60 - 0.5
	other := (i + 1) % slots
	if past < 0 {
		other = (i + slots - 1) % slots
	}
	near, known := p.offset(i)
	far, alsoKnown := p.offset(other)
	if !alsoKnown {
		far = near
	}
	weight := math.Abs(past)
	return expectation{value: p.Level + (1-weight)*near + weight*far, scale: p.scale(i), known: known}
}

// offset is how an hour of the week differs from the level; the same hour of other
// days stands for one that was seen less than twice.
func (p *profile) offset(i int) (offset float64, known bool) {
	var all []float64
	if all = p.Slots[i].offsets(nil); len(all) < 2 {
		all = all[:0]
		for day := range 7 {
			all = p.Slots[day*24+i%24].offsets(all)
		}
	}
	return median(all), len(all) > 0
}

func (s *slot) offsets(to []float64) []float64 {
	for _, o := range s.Offset[:min(s.N, weeks)] {
		to = append(to, float64(o))
	}
	return to
}

// scale is how far values usually lie from what is expected, as a standard deviation,
// at an hour and those beside it.
func (p *profile) scale(i int) float64 {
	var all []float64
	for _, j := range []int{(i + slots - 1) % slots, i, (i + 1) % slots} {
		s := &p.Slots[j]
		for _, d := range s.Deviation[:min(s.N, weeks)] {
			all = append(all, float64(d))
		}
	}
	smallest := max(1e-9, 1e-6*math.Abs(p.Level)) // of a series that never moved
	return max(sigma*median(all), leastScale*sigma*p.Usual, smallest)
}

// median sorts what it is given; of nothing it is 0.
func median(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return 0
	}
	slices.Sort(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// Package series makes series as machines give them, minute by minute, with labels: it
// is known where something was put in that is not usual.
package series

import (
	"math"
	"math/rand/v2"
	"time"
)

// Noise is how values vary around what is usual. All have a standard deviation of 1.
type Noise string

// The kinds of noise.
const (
	Normal Noise = "normal"
	Linked Noise = "linked" // each value depends on the one before: 0.8 of it stays
	Heavy  Noise = "heavy"  // Student's t with 4 degrees of freedom, 0.3 of a value stays
	Skewed Noise = "skewed" // log-normal: far up, never far down
	Counts Noise = "counts" // whole numbers, as of things in a queue
)

// Noises lists them.
func Noises() []Noise { return []Noise{Normal, Linked, Heavy, Skewed, Counts} }

// Form says what a series is made of.
type Form struct {
	Noise    Noise
	Daily    float64 // height of the daily curve; the standard deviation of the noise is 1
	Weekend  float64 // share of that which weekends have
	Trend    float64 // per week
	Holidays bool    // every fifth week has a Wednesday like a Sunday
	Steps    bool    // every seventh week the level moves by 8, for good
	Spikes   []Spike // put in one after the other, one each Every, from After on
	Every    time.Duration
	After    time.Duration
}

// Spike is something unusual.
type Spike struct {
	Size float64 // in standard deviations
	Long time.Duration
}

// Value is one minute.
type Value struct {
	At    time.Time
	Value float64
	Spike int // index of the spike that it is part of; -1 = none
	// Odd is set within a day of a holiday or a step: who calls it unusual is not wrong.
	Odd bool
}

// Begin is the first minute, a Monday.
var Begin = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

const perWeek = 7 * 24 * time.Hour

// Make calls give for every minute of a series. The same seed gives the same series.
func (f Form) Make(seed uint64, long time.Duration, give func(Value)) {
	random := rand.New(rand.NewPCG(seed, 0x5eed))
	noise := f.Noise.source(random)
	for passed := time.Duration(0); passed < long; passed += time.Minute {
		v := Value{At: Begin.Add(passed), Spike: -1, Odd: f.odd(passed)}
		v.Value = 100 + f.usual(passed) + noise()
		if n := int((passed - f.After) / max(f.Every, 1)); f.Every > 0 && passed >= f.After && len(f.Spikes) > 0 {
			spike := f.Spikes[n%len(f.Spikes)]
			if within := (passed - f.After) % f.Every; within < spike.Long {
				v.Value, v.Spike = v.Value+spike.Size, n%len(f.Spikes)
			}
		}
		give(v)
	}
}

func (f Form) usual(passed time.Duration) float64 {
	hour, day, week := math.Mod(passed.Hours(), 24), int(passed.Hours()/24)%7, int(passed/perWeek)
	curve := f.Daily * (0.5 - 0.5*math.Cos(2*math.Pi*hour/24) + 0.3*math.Exp(-(hour-20)*(hour-20)))
	if day >= 5 || f.Holidays && week%5 == 4 && day == 2 {
		curve *= f.Weekend
	}
	steps := 0.0
	if f.Steps {
		steps = 8 * float64((week+1)/7)
	}
	return curve + f.Trend*passed.Hours()/(7*24) + steps
}

func (f Form) odd(passed time.Duration) bool {
	into := passed % perWeek
	week := int(passed / perWeek)
	holiday := f.Holidays && week%5 == 4 && into >= 48*time.Hour && into < 96*time.Hour
	return holiday || f.Steps && week%7 == 6 && into < 36*time.Hour
}

// source gives values one after the other.
func (n Noise) source(random *rand.Rand) func() float64 {
	switch n {
	case Linked:
		return linked(0.8, random.NormFloat64)
	case Heavy:
		return linked(0.3, func() float64 { return student4(random) / math.Sqrt2 })
	case Skewed:
		const width = 0.5
		mean, deviation := math.Exp(width*width/2), math.Sqrt((math.Exp(width*width)-1)*math.Exp(width*width))
		return func() float64 { return (math.Exp(width*random.NormFloat64()) - mean) / deviation }
	case Counts:
		return func() float64 { return math.Round(random.NormFloat64()*0.96) + 0 }
	}
	return random.NormFloat64
}

// linked keeps a share of each value in the next, and the standard deviation at 1.
func linked(share float64, next func() float64) func() float64 {
	last := 0.0
	return func() float64 {
		last = share*last + math.Sqrt(1-share*share)*next()
		return last
	}
}

// student4 draws from Student's t with 4 degrees of freedom; its variance is 2.
func student4(random *rand.Rand) float64 {
	square := 0.0
	for range 4 {
		z := random.NormFloat64()
		square += z * z
	}
	return random.NormFloat64() / math.Sqrt(square/4)
}

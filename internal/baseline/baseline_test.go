package baseline_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"upkeep/bench/series"
	"upkeep/internal/baseline"
)

const (
	week    = 7 * 24 * time.Hour
	perWeek = 1 / (7 * 24 * 3600.0)
)

func learnt(rate float64) time.Duration {
	return baseline.New(rate, time.UTC).History() + time.Hour
}

// alarms counts the anomalies that begin while nothing odd was put in.
func alarms(form series.Form, seed uint64, rate float64, judged time.Duration) (n int) {
	b := baseline.New(rate, time.UTC)
	var since time.Time
	form.Make(seed, learnt(rate)+judged, func(v series.Value) {
		verdict := b.Observe(v.At, v.Value)
		if !verdict.Since.IsZero() && since.IsZero() && !v.Odd {
			n++
		}
		since = verdict.Since
	})
	return n
}

// TestFalseAlarmsAreNoMoreThanWasPutUpWith: over all series of a form their number is at
// most that of a binomial distribution over hours with the stated rate, but for one
// time in a thousand. The seeds are fixed.
func TestFalseAlarmsAreNoMoreThanWasPutUpWith(t *testing.T) {
	const watched, weeks, rate = 6, 6, 2.0 // per week
	hours := float64(watched * weeks * 7 * 24)
	mean := watched * weeks * rate
	most := mean + 3.1*math.Sqrt(mean*(1-mean/hours))
	for _, noise := range series.Noises() {
		t.Run(string(noise), func(t *testing.T) {
			t.Parallel()
			n := 0
			for seed := range watched {
				n += alarms(series.Form{Noise: noise, Daily: 6, Weekend: 0.4, Trend: 1}, uint64(seed), rate*perWeek, weeks*week)
			}
			t.Logf("%d false alarms, at most %.0f, stated %.0f", n, most, mean)
			if float64(n) > most {
				t.Errorf("%d false alarms in %.0f hours, more than %.0f", n, hours, most)
			}
		})
	}
}

// TestWhatIsFound puts in one thing a week and wants nearly all of what nobody would
// miss, whatever the noise.
func TestWhatIsFound(t *testing.T) {
	for name, tc := range map[string]struct {
		noise series.Noise
		spike series.Spike
		least float64
	}{
		"a spike of a minute":       {series.Normal, series.Spike{Size: 10, Long: time.Minute}, 0.8},
		"a quarter of an hour":      {series.Normal, series.Spike{Size: 6, Long: 15 * time.Minute}, 0.8},
		"a small one for hours":     {series.Normal, series.Spike{Size: 3, Long: 4 * time.Hour}, 0.8},
		"linked values":             {series.Linked, series.Spike{Size: 10, Long: 10 * time.Minute}, 0.8},
		"heavy tails":               {series.Heavy, series.Spike{Size: 8, Long: time.Hour}, 0.8},
		"nothing beside usual ones": {series.Normal, series.Spike{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, all := found(series.Form{Noise: tc.noise, Daily: 6, Weekend: 0.4, Spikes: []series.Spike{tc.spike},
				Every: week + 5*time.Hour, After: learnt(perWeek) + 3*24*time.Hour}, 8*week)
			if float64(found) < tc.least*float64(all) {
				t.Errorf("found %d of %d", found, all)
			}
		})
	}
}

func found(form series.Form, judged time.Duration) (found, all int) {
	b := baseline.New(perWeek, time.UTC)
	within, seen := false, false
	form.Make(7, learnt(perWeek)+judged, func(v series.Value) {
		verdict := b.Observe(v.At, v.Value)
		if v.Spike >= 0 && !within {
			all++
			seen = false
		}
		if within = v.Spike >= 0; within && !seen && !verdict.Since.IsZero() {
			seen = true
			found++
		}
	})
	return found, all
}

func TestNothingIsJudgedBeforeEnoughWasSeen(t *testing.T) {
	b := baseline.New(perWeek, time.UTC)
	if b.History() != 4*week-time.Hour {
		t.Errorf("it must see %s", b.History())
	}
	form := series.Form{Noise: series.Normal, Daily: 6, Weekend: 0.4}
	form.Make(1, 5*week, func(v series.Value) {
		verdict := b.Observe(v.At, v.Value)
		if early := v.At.Sub(series.Begin) < b.History(); early && (!verdict.Learning || !verdict.Since.IsZero()) {
			t.Fatalf("judged after %s: %+v", v.At.Sub(series.Begin), verdict)
		}
		if late := v.At.Sub(series.Begin) > b.History()+time.Hour; late && verdict.Learning {
			t.Fatalf("not judged after %s", v.At.Sub(series.Begin))
		}
	})
}

// TestAStepIsOneAnomaly: a level that has moved for good is unusual, once, and then
// the new usual.
func TestAStepIsOneAnomaly(t *testing.T) {
	b := baseline.New(perWeek, time.UTC)
	begun := learnt(perWeek) + 2*week
	var since time.Time
	n, unusual := 0, time.Duration(0)
	form := series.Form{Noise: series.Normal, Daily: 6, Weekend: 0.4}
	form.Make(3, begun+2*week, func(v series.Value) {
		after := v.At.Sub(series.Begin) - begun
		if after >= 0 {
			v.Value += 15
		}
		verdict := b.Observe(v.At, v.Value)
		if after >= 0 && after < 3*24*time.Hour {
			if !verdict.Since.IsZero() {
				unusual += time.Minute
				if since.IsZero() {
					n++
				}
			}
		}
		since = verdict.Since
	})
	if n < 1 || n > 2 || unusual > 40*time.Hour {
		t.Errorf("a step was %d anomalies for %s", n, unusual)
	}
}

// TestAStateGoesOn: half of a series, kept and read back, judges the other half as the
// whole does.
func TestAStateGoesOn(t *testing.T) {
	whole, half := baseline.New(perWeek, time.UTC), baseline.New(perWeek, time.UTC)
	form := series.Form{Noise: series.Heavy, Daily: 6, Weekend: 0.4, Trend: 1}
	n := 0
	form.Make(5, 6*week, func(v series.Value) {
		if n++; n%50_000 == 0 {
			kept, err := half.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			if len(kept) > 20_000 {
				t.Errorf("a series takes %d bytes", len(kept))
			}
			half = baseline.New(1, time.UTC)
			if err := half.UnmarshalBinary(kept); err != nil {
				t.Fatal(err)
			}
		}
		a, b := whole.Observe(v.At, v.Value), half.Observe(v.At, v.Value)
		if fmt.Sprint(a) != fmt.Sprint(b) {
			t.Fatalf("after %d values: %+v, and kept %+v", n, a, b)
		}
	})
}

func TestOddValuesDoNoHarm(t *testing.T) {
	b := baseline.New(perWeek, time.UTC)
	at := series.Begin
	for _, v := range []float64{math.NaN(), math.Inf(1), 0, -1e300, 1e300, 5} {
		at = at.Add(time.Minute)
		b.Observe(at, v)
	}
	for range 6 * 7 * 24 * 60 { // what never moves
		at = at.Add(time.Minute)
		if v := b.Observe(at, 5); !v.Since.IsZero() {
			t.Fatalf("%s: what never moves is unusual: %+v", at, v)
		}
	}
	if v := b.Observe(at.Add(time.Minute), 6); v.Since.IsZero() || v.Low > 5 || v.High < 5 || v.High >= 6 {
		t.Errorf("the first change is %+v", v)
	}
	if err := b.UnmarshalBinary([]byte("no state")); err == nil {
		t.Error("read a state that is none")
	}
}

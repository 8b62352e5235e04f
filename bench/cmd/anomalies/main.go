// Command anomalies measures on labelled series how often a baseline alarms falsely,
// beside what was put up with, and what it finds, by size. It prints Markdown.
package main

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"time"

	"upkeep/bench/series"
	"upkeep/internal/baseline"
)

const week = 7 * 24 * time.Hour

func main() {
	n := flag.Int("n", 24, "series of each kind")
	weeks := flag.Int("weeks", 8, "that each is judged")
	flag.Parse()
	m := measurement{series: *n, weeks: *weeks}
	fmt.Printf("%d %s %s, Go %s; %d series of each kind, judged for %d weeks\n\n", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), m.series, m.weeks)
	m.falseAlarms()
	m.found()
	m.cost()
}

type measurement struct{ series, weeks int }

// rates are of false alarms per week and series that are put up with.
func rates() []float64 { return []float64{0.25, 1, 7} }

func perSecond(rate float64) float64 { return rate / week.Seconds() }

// learnt is for how long nothing is judged.
func learnt(rate float64) time.Duration {
	return baseline.New(perSecond(rate), time.UTC).History() + time.Hour
}

// kinds are the series without anything put in.
func (m measurement) kinds() (names []string, forms []series.Form) {
	for _, noise := range series.Noises() {
		names = append(names, string(noise))
		forms = append(forms, series.Form{Noise: noise, Daily: 6, Weekend: 0.4, Trend: 1})
	}
	names = append(names, "flat, linked", "steep, normal", "heavy, holidays and steps")
	forms = append(forms, series.Form{Noise: series.Linked}, series.Form{Noise: series.Normal, Daily: 40, Weekend: 0.2, Trend: 10},
		series.Form{Noise: series.Heavy, Daily: 6, Weekend: 0.4, Holidays: true, Steps: true})
	return names, forms
}

func (m measurement) falseAlarms() {
	fmt.Print("False alarms per series and week, beside how many were put up with:\n\n| series |")
	for _, rate := range rates() {
		fmt.Printf(" put up with %g |", rate)
	}
	fmt.Printf("\n| --- |%s\n", strings.Repeat(" --- |", len(rates())))
	names, forms := m.kinds()
	for i, form := range forms {
		fmt.Printf("| %s |", names[i])
		for _, rate := range rates() {
			var alarms int
			var judged time.Duration
			for s := range m.series {
				a, j := m.falseOf(form, uint64(1000*i+s), rate)
				alarms, judged = alarms+a, judged+j
			}
			weeks := judged.Hours() / week.Hours()
			fmt.Printf(" %.2f (%d in %.0f weeks) |", float64(alarms)/weeks, alarms, weeks)
		}
		fmt.Println()
	}
}

// falseOf counts anomalies that begin where nothing was put in.
func (m measurement) falseOf(form series.Form, seed uint64, rate float64) (alarms int, judged time.Duration) {
	watched := baseline.New(perSecond(rate), time.UTC)
	var since time.Time
	form.Make(seed, learnt(rate)+time.Duration(m.weeks)*week, func(v series.Value) {
		verdict := watched.Observe(v.At, v.Value)
		if !verdict.Learning && !v.Odd {
			judged += time.Minute
			if !verdict.Since.IsZero() && since.IsZero() {
				alarms++
			}
		}
		since = verdict.Since
	})
	return alarms, judged
}

// cost is what a series takes.
func (m measurement) cost() {
	watched := baseline.New(perSecond(1), time.UTC)
	values := 0
	begun := time.Now()
	series.Form{Noise: series.Normal, Daily: 6, Weekend: 0.4}.Make(1, learnt(1)+time.Duration(m.weeks)*week, func(v series.Value) {
		watched.Observe(v.At, v.Value)
		values++
	})
	took := time.Since(begun)
	kept, err := watched.MarshalBinary()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("\nA series takes %d bytes when it is kept, and a value %.1f µs, the making of it included.\n", len(kept), float64(took.Microseconds())/float64(values))
}

// found puts in one thing a week, all of one size and length, where one false alarm a
// week is put up with.
func (m measurement) found() {
	lengths := []time.Duration{time.Minute, 10 * time.Minute, time.Hour, 4 * time.Hour}
	fmt.Printf("\nFound, where one false alarm a week is put up with:\n\n| noise | size in standard deviations | 1 minute | 10 minutes | 1 hour | 4 hours |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, noise := range []series.Noise{series.Normal, series.Linked, series.Heavy} {
		for _, size := range []float64{1, 2, 3, 4, 5, 6, 8, 10, 15} {
			fmt.Printf("| %s | %g |", noise, size)
			for _, long := range lengths {
				fmt.Printf(" %.0f %% |", 100*m.share(noise, series.Spike{Size: size, Long: long}))
			}
			fmt.Println()
		}
	}
}

func (m measurement) share(noise series.Noise, spike series.Spike) float64 {
	const rate = 1
	form := series.Form{Noise: noise, Daily: 6, Weekend: 0.4, Trend: 1, Spikes: []series.Spike{spike},
		Every: week + 5*time.Hour, After: learnt(rate) + 3*24*time.Hour}
	found, all := 0, 0
	for s := range max(1, m.series/4) {
		watched := baseline.New(perSecond(rate), time.UTC)
		within, seen := false, false
		form.Make(uint64(s), learnt(rate)+time.Duration(m.weeks)*week, func(v series.Value) {
			verdict := watched.Observe(v.At, v.Value)
			switch {
			case v.Spike >= 0 && !within:
				within, seen = true, false
				all++
			case v.Spike < 0:
				within = false
			}
			if within && !seen && !verdict.Since.IsZero() {
				seen = true
				found++
			}
		})
	}
	return float64(found) / float64(max(all, 1))
}

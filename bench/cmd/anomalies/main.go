// Command anomalies measures on labelled series how often a baseline alarms falsely,
// beside what was put up with, and what it finds, by size. It prints Markdown.
package main

import (
	"flag"
	"fmt"
	"time"

	"upkeep/bench/series"
	"upkeep/internal/baseline"
)

const week = 7 * 24 * time.Hour

func main() {
	n := flag.Int("n", 40, "series of each kind")
	weeks := flag.Int("weeks", 12, "that each is judged")
	rate := flag.Float64("rate", 1, "false alarms per series and week that are put up with")
	flag.Parse()
	m := measurement{series: *n, weeks: *weeks, rate: *rate}
	m.falseAlarms()
	m.found()
}

type measurement struct {
	series, weeks int
	rate          float64
}

func (m measurement) perSecond() float64 { return m.rate / week.Seconds() }

// learnt is for how long nothing is judged.
func (m measurement) learnt() time.Duration {
	return baseline.New(m.perSecond(), time.UTC).History() + time.Hour
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
	fmt.Printf("| series | series-weeks judged | false alarms | per series-week | put up with |\n| --- | --- | --- | --- | --- |\n")
	names, forms := m.kinds()
	for i, form := range forms {
		var alarms int
		var judged time.Duration
		for s := range m.series {
			a, j := m.falseOf(form, uint64(1000*i+s))
			alarms, judged = alarms+a, judged+j
		}
		inWeeks := judged.Hours() / week.Hours()
		fmt.Printf("| %s | %.0f | %d | %.2f | %g |\n", names[i], inWeeks, alarms, float64(alarms)/inWeeks, m.rate)
	}
}

// falseOf counts anomalies that begin where nothing was put in.
func (m measurement) falseOf(form series.Form, seed uint64) (alarms int, judged time.Duration) {
	watched := baseline.New(m.perSecond(), time.UTC)
	var since time.Time
	form.Make(seed, m.learnt()+time.Duration(m.weeks)*week, func(v series.Value) {
		verdict := watched.Observe(v.At, v.Value)
		if verdict.Learning || v.Odd {
			since = verdict.Since
			return
		}
		judged += time.Minute
		if !verdict.Since.IsZero() && since.IsZero() {
			alarms++
		}
		since = verdict.Since
	})
	return alarms, judged
}

// found puts in one thing every two days, each of one size and length.
func (m measurement) found() {
	lengths := []time.Duration{time.Minute, 10 * time.Minute, time.Hour, 4 * time.Hour}
	fmt.Printf("\n| noise | size in standard deviations | 1 minute | 10 minutes | 1 hour | 4 hours |\n| --- | --- | --- | --- | --- | --- |\n")
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
	form := series.Form{Noise: noise, Daily: 6, Weekend: 0.4, Trend: 1, Spikes: []series.Spike{spike},
		Every: 7*24*time.Hour + 5*time.Hour, After: m.learnt() + 3*24*time.Hour}
	found, all := 0, 0
	for s := range max(1, m.series/4) {
		watched := baseline.New(m.perSecond(), time.UTC)
		within, seen := false, false
		form.Make(uint64(s), m.learnt()+time.Duration(m.weeks)*week, func(v series.Value) {
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

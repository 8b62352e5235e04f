package report

import (
	"fmt"
	"strings"
	"time"
)

// point is one value at one time.
type point struct {
	at time.Time
	y  float64
}

// line draws points between 0 and top, so that twice as much looks twice as high.
func line(points []point, top float64, say func(float64) string, moment func(time.Time) string) (path string, dots []dot, spots []spot) {
	first, last := points[0].at, points[len(points)-1].at
	span := max(last.Sub(first), 1)
	var b strings.Builder
	for i, p := range points {
		x := 4 + float64(p.at.Sub(first))/float64(span)*(chartWidth-8)
		y := chartTop + (1-p.y/top)*(chartHeight-chartTop)
		fmt.Fprintf(&b, "%s%.1f %.1f", map[bool]string{true: "M", false: " L"}[i == 0], x, y)
		spots = append(spots, spot{x, y})
		dots = append(dots, dot{fmt.Sprintf("%.1f", x), fmt.Sprintf("%.1f", y), moment(p.at) + ": " + say(p.y)})
	}
	return b.String(), dots, spots
}

// charts are what the recorded reports say over time: the rate of all tests so far, and how
// many there were between two reports. The present one is the last point.
func (b build) charts() []chart {
	now := b.sum.Table().Groups[0]
	past := append(b.past[:len(b.past):len(b.past)], Recorded{At: b.at, Trials: now.Trials, Successes: now.Successes})
	var rates, added []point
	for i, r := range past {
		if r.Trials > 0 && r.Successes <= r.Trials {
			rates = append(rates, point{r.At, float64(r.Successes) / float64(r.Trials)})
		}
		if i > 0 {
			added = append(added, point{r.At, float64(max(0, r.Trials-past[i-1].Trials))})
		}
	}
	var all []chart
	if len(rates) >= chartPoints {
		all = append(all, b.trend("results-chart-rate", rates, 1, b.Words.Percent))
	}
	if len(added) >= chartPoints {
		all = append(all, b.trend("results-chart-tests", added, highest(added), func(n float64) string { return b.Words.Count(int64(n)) }))
	}
	return all
}

func highest(points []point) float64 {
	top := 1.0
	for _, p := range points {
		top = max(top, p.y)
	}
	return top
}

func (b build) trend(id string, points []point, top float64, say func(float64) string) chart {
	first, last := points[0], points[len(points)-1]
	form := time.DateOnly
	if first.at.Format(form) == last.at.Format(form) {
		form = "15:04"
	}
	c := chart{Title: b.say(id, nil), Last: say(last.y), Top: say(top), From: first.at.Format(form), To: last.at.Format(form)}
	c.Path, c.Dots, c.spots = line(points, top, say, b.Words.Time)
	c.Alt = b.say("results-chart-alt", args{"n": len(points), "title": c.Title, "top": c.Top, "last": c.Last})
	return c
}

// courseShown is how many reports a small line goes back.
const courseShown = 12

// course is how the rate of one went from report to report, as words and as a small line.
func (b build) course(r ranked) value {
	var rates []float64
	for _, past := range b.past[max(0, len(b.past)-courseShown+1):] {
		if of, known := past.By[b.sum.By[0]][r.Name]; known && of[0] > 0 && of[1] <= of[0] {
			rates = append(rates, float64(of[1])/float64(of[0]))
		}
	}
	if share, known := rate(r.Group); known {
		rates = append(rates, share)
	}
	if len(rates) < chartPoints {
		return words("–")
	}
	v := words(b.say("results-course", args{"first": rates[0], "last": rates[len(rates)-1], "n": len(rates)}))
	const width, height = 80.0, 20.0
	var path strings.Builder
	for i, y := range rates {
		fmt.Fprintf(&path, "%s%.1f %.1f", map[bool]string{true: "M", false: " L"}[i == 0], float64(i)/float64(len(rates)-1)*width, 1+(1-y)*(height-2))
	}
	v.Spark = path.String()
	return v
}

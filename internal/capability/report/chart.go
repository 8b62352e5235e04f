package report

import "time"

// history is the drills of a page as two small charts: how old the copy was, and
// how long the way back took.
type history struct {
	Charts []chart
	Rows   []drillRow // newest first
}

type drillRow struct{ At, Age, Back string }

// chart is one line over time, in the units of its picture.
type chart struct {
	Title, Last, Top, From, To string
	Path                       string
	Dots                       []dot
	Alt                        string
	spots                      []spot // the same, for a picture
}

type dot struct{ X, Y, Words string }

type spot struct{ x, y float64 }

const (
	chartPoints = 3 // fewer make no line worth looking at
	drillRows   = 10
	chartWidth  = 320.0
	chartHeight = 64.0
	chartTop    = 16.0 // room for the scale's largest value
)

func (t Text) drills(p Page) *history {
	if len(p.Drills) < chartPoints {
		return nil
	}
	h := &history{Charts: []chart{
		t.chart(p.Drills, "chart-rto", func(d Drilled) time.Duration { return d.RTO }),
		t.chart(p.Drills, "chart-rpo", func(d Drilled) time.Duration { return d.RPO }),
	}}
	for i := len(p.Drills) - 1; i >= 0 && len(h.Rows) < drillRows; i-- {
		d := p.Drills[i]
		h.Rows = append(h.Rows, drillRow{t.Words.Time(d.At), t.Words.Duration(d.RPO), t.Words.Duration(d.RTO)})
	}
	return h
}

// chart scales from zero, so that twice as long looks twice as high.
func (t Text) chart(drills []Drilled, id string, value func(Drilled) time.Duration) chart {
	first, last := drills[0], drills[len(drills)-1]
	top := time.Duration(1)
	for _, d := range drills {
		top = max(top, value(d))
	}
	form := time.DateOnly
	if first.At.Format(form) == last.At.Format(form) {
		form = "15:04"
	}
	c := chart{Title: t.say(id, nil), Last: t.Words.Duration(value(last)), Top: t.Words.Duration(top),
		From: first.At.Format(form), To: last.At.Format(form)}
	points := make([]point, len(drills))
	for i, d := range drills {
		points[i] = point{d.At, float64(value(d))}
	}
	c.Path, c.Dots, c.spots = line(points, float64(top), func(y float64) string { return t.Words.Duration(time.Duration(y)) }, t.Words.Time)
	c.Alt = t.say("chart-alt", args{"n": len(drills), "title": c.Title, "top": c.Top, "last": c.Last})
	return c
}

package report

import (
	"math"
	"strconv"
	"strings"

	"upkeep/internal/service"
)

// grid is a table of results in words, and in numbers for sheets.
type grid struct {
	ID, Title string
	Head      []column
	Rows      [][]value
	Left      string // what has no place in it
	Folded    bool   // opened only by who wants it
}

type column struct {
	Words    string
	Number   bool // stands at the right
	Interval bool // two columns of a sheet: from and to
	Scale    string
}

// form is how a sheet shows a number.
type form int

// Forms of values.
const (
	asText form = iota
	asCount
	asShare
	asNumber
)

// value is one cell.
type value struct {
	Words  string
	Small  string // beside it, quietly
	Form   form
	Number float64
	Style  string // class of its own; empty = none
	Bar    *bar
	Spark  string // the path of a small line
	Few    bool
}

// bar is an interval as a picture.
type bar struct {
	Low, Width, At float64 // in percent of the picture's width
	From, To, rate float64 // as shares
}

// known reports whether a sheet gets the number.
func (v value) known() bool { return v.Form != asText && !math.IsNaN(v.Number) }

// Class is what styles the cell.
func (v value) Class() string {
	class := v.Style
	if v.Form != asText {
		class += " n"
	}
	if v.Few {
		class += " few"
	}
	return class
}

func words(text string) value { return value{Words: text} }

func (t Text) name(text string) value {
	if text == "" {
		return words(t.say("results-none", nil))
	}
	return words(t.clean(text))
}

func (t Text) tally64(n int64) value {
	if n < 0 {
		return t.unsaid()
	}
	return value{Words: t.Words.Count(n), Form: asCount, Number: float64(n)}
}

func (t Text) unsaid() value {
	return value{Words: "–", Form: asNumber, Number: math.NaN()}
}

func (t Text) share(share float64, known bool) value {
	if !known {
		return t.unsaid()
	}
	return value{Words: t.percent(share), Form: asShare, Number: share}
}

// percent always has one decimal, so that numbers line up below each other.
func (t Text) percent(share float64) string {
	text := t.Words.Percent(share)
	digits := strings.TrimRight(text, " %")
	if strings.ContainsAny(digits, ".") || digits == "0" || digits == "100" {
		return text
	}
	return digits + ".0" + text[len(digits):]
}

func (t Text) part(n, of int64) value { return t.share(float64(n)/float64(of), n >= 0 && of > 0) }

func (t Text) mean(x float64) value {
	if math.IsNaN(x) {
		return t.unsaid()
	}
	return value{Words: strconv.FormatFloat(x, 'f', 2, 64), Form: asNumber, Number: x}
}

func (t Text) rateOf(g service.Group) value {
	v := t.share(rate(g))
	v.Few = g.Trials < few && v.known()
	return v
}

// interval is where the rate lies, as words and as a picture.
func (t Text) interval(g service.Group) value {
	if _, known := rate(g); !known {
		return words("–")
	}
	low, high := count(g).Interval()
	share, _ := rate(g)
	return value{Words: t.say("results-interval", args{"low": t.percent(low), "high": t.percent(high)}), Bar: &bar{From: low, To: high, rate: share}}
}

// scaled draws the intervals of a table on one scale, from the tenth below all of them to
// the tenth above, and says which at the head of the column.
func (t Text) scaled(g grid) grid {
	low, high := 1.0, 0.0
	for _, row := range g.Rows {
		for _, v := range row {
			if v.Bar != nil {
				low, high = min(low, v.Bar.From), max(high, v.Bar.To)
			}
		}
	}
	low, high = math.Floor(low*10)/10, math.Ceil(high*10)/10
	for _, row := range g.Rows {
		for _, v := range row {
			if v.Bar != nil {
				v.Bar.draw(low, high)
			}
		}
	}
	for i, c := range g.Head {
		if c.Interval && high > low {
			g.Head[i].Scale = t.say("results-scale", args{"low": low, "high": high})
		}
	}
	return g
}

func (b *bar) draw(low, high float64) {
	at := func(share float64) float64 { return math.Round((share-low)/(high-low)*1000) / 10 }
	b.Low, b.At = at(b.From), at(b.rate)
	b.Width = math.Round((at(b.To)-b.Low)*10) / 10
}

// heat is a rate whose background says it, too, over how many trials it has.
func (t Text) heat(g service.Group) value {
	v := t.rateOf(g)
	if !v.known() {
		return v
	}
	v.Small = t.Words.Count(g.Trials)
	v.Style = "h" + string(rune('0'+int(math.Min(9, v.Number*10))))
	return v
}

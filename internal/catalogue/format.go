package catalogue

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// Bytes returns a decimal size to three digits: "214 MB", "62.1 GB", "0 B".
func (w Words) Bytes(n int64) string {
	size, units := math.Abs(float64(n)), []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	unit := 0
	for size >= 999.5 && unit < len(units)-1 {
		size, unit = size/1000, unit+1
	}
	if n < 0 {
		size = -size
	}
	return digits(size) + " " + units[unit]
}

// digits shows one decimal below 100 unless it is zero, and none above.
func digits(x float64) string {
	if math.Abs(x) >= 99.95 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return strings.TrimSuffix(strconv.FormatFloat(x, 'f', 1, 64), ".0")
}

// Count returns a number with its thousands marked: "1,204".
func (w Words) Count(n int64) string { return humanize.Comma(n) }

// Percent returns a share as "43 %", in Chinese "43%". What is not all is never
// shown as 100, and what is not nothing never as 0.
func (w Words) Percent(share float64) string {
	text := digits(share * 100)
	switch {
	case share < 1 && share >= 0.9995:
		text = ">99.9"
	case share > 0 && share < 0.0005:
		text = "<0.1"
	}
	if w.lang == "zh" {
		return text + "%"
	}
	return text + " %"
}

// Duration returns the two largest units: "80 ms", "1.4 s", "2 min 10 s", "6 h",
// "3 d 4 h"; in Chinese "2 分 10 秒".
func (w Words) Duration(d time.Duration) string {
	if d < 0 {
		return "-" + w.Duration(-d)
	}
	unit := func(en, zh string) string {
		if w.lang == "zh" {
			return " " + zh
		}
		return " " + en
	}
	ms, s, min, h, day := unit("ms", "毫秒"), unit("s", "秒"), unit("min", "分"), unit("h", "小时"), unit("d", "天")
	switch {
	case d == 0:
		return "0" + s
	case d < 100*time.Millisecond:
		return digits(float64(d)/1e6) + ms
	case d.Round(100*time.Millisecond) < 10*time.Second:
		return digits(d.Seconds()) + s
	case d.Round(time.Second) < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 0, 64) + s
	case d.Round(time.Second) < time.Hour:
		return two(d, time.Minute, min, time.Second, s)
	case d.Round(time.Minute) < 24*time.Hour:
		return two(d, time.Hour, h, time.Minute, min)
	}
	return two(d, 24*time.Hour, day, time.Hour, h)
}

// two shows d in a large unit and the rest in a small one, unless that is zero.
func two(d, large time.Duration, largeName string, small time.Duration, smallName string) string {
	d = d.Round(small)
	text := strconv.FormatInt(int64(d/large), 10) + largeName
	if rest := d % large / small; rest > 0 {
		text += " " + strconv.FormatInt(int64(rest), 10) + smallName
	}
	return text
}

// Time returns a moment with its offset: "2026-11-22 02:00 +08:00".
func (w Words) Time(t time.Time) string { return t.Format("2006-01-02 15:04 -07:00") }

// Since returns how long something has been so, as short as it stays clear at
// now: "since 23:14", "since Fri", "since 2026-11-02". Both moments are shown in
// the zone of now.
func (w Words) Since(t, now time.Time) string {
	t = t.In(now.Location())
	when, gap := t.Format(time.DateOnly), " " // between digits and Chinese
	switch age := now.Sub(t); {
	case age < 24*time.Hour:
		when = t.Format("15:04")
	case age < 6*24*time.Hour:
		when, gap = w.weekday(t.Weekday()), ""
	}
	if w.lang == "zh" {
		return when + gap + "起"
	}
	return "since " + when
}

func (w Words) weekday(day time.Weekday) string {
	if w.lang == "zh" {
		return "周" + string([]rune("日一二三四五六")[day])
	}
	return day.String()[:3]
}

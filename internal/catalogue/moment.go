package catalogue

import (
	"strconv"
	"time"
)

// Ago returns a moment as seen from now, as short as it stays clear: its distance up
// to a day ("3 h ago", "in 20 min"), then weekday and clock ("Fri 02:00"), then the
// date. Whoever shows it gives the full time beside it.
func (w Words) Ago(t, now time.Time) string {
	t = t.In(now.Location())
	distance := now.Sub(t)
	switch d := distance.Abs(); {
	case d < 10*time.Second:
		return w.pick("now", "刚刚")
	case d >= 24*time.Hour && d < 6*24*time.Hour:
		return w.weekday(t.Weekday()) + " " + t.Format("15:04")
	case d >= 24*time.Hour:
		return t.Format(time.DateOnly)
	case distance < 0:
		return w.pick("in "+w.Rough(d), w.Rough(d)+"后")
	}
	return w.pick(w.Rough(distance)+" ago", w.Rough(distance)+"前")
}

// Rough returns a duration's largest unit alone, rounded down: "22 min", "3 h", "12 d".
func (w Words) Rough(d time.Duration) string {
	for _, u := range []struct {
		size   time.Duration
		en, zh string
	}{{24 * time.Hour, "d", "天"}, {time.Hour, "h", "小时"}, {time.Minute, "min", "分钟"}} {
		if d >= u.size {
			return strconv.FormatInt(int64(d/u.size), 10) + " " + w.pick(u.en, u.zh)
		}
	}
	return strconv.FormatInt(int64(d/time.Second), 10) + " " + w.pick("s", "秒")
}

func (w Words) pick(en, zh string) string {
	if w.lang == "zh" {
		return zh
	}
	return en
}

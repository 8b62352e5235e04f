package calendar_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"upkeep/internal/calendar"
)

func parse(t *testing.T, text, zone string) calendar.Spec {
	t.Helper()
	s, err := calendar.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	where, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	return s.In(where)
}

// due lists the first moments after a time, all in the zone.
func due(t *testing.T, text, zone, after string, n int) string {
	t.Helper()
	s := parse(t, text, zone)
	at, err := time.ParseInLocation("2006-01-02 15:04", after, s.Zone())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for range n {
		at = s.Next(at)
		all = append(all, at.Format("01-02 15:04 -07"))
	}
	return strings.Join(all, ", ")
}

func TestNext(t *testing.T) {
	const from = "2026-11-26 12:00" // a Thursday
	for text, want := range map[string]string{
		"02:00":              "11-27 02:00 +08, 11-28 02:00 +08",
		"daily 02:00":        "11-27 02:00 +08, 11-28 02:00 +08",
		"daily":              "11-27 00:00 +08, 11-28 00:00 +08",
		"Sunday 03:00":       "11-29 03:00 +08, 12-06 03:00 +08",
		"first Sunday 03:00": "12-06 03:00 +08, 01-03 03:00 +08",
		"fourth monday 3:00": "12-28 03:00 +08, 01-25 03:00 +08",
		"last Sunday 04:00":  "11-29 04:00 +08, 12-27 04:00 +08",
		"day 28 03:00":       "11-28 03:00 +08, 12-28 03:00 +08",
		"last day 03:00":     "11-30 03:00 +08, 12-31 03:00 +08",
		"quarterly":          "01-01 00:00 +08, 04-01 00:00 +08",
		"quarterly 03:00":    "01-01 03:00 +08, 04-01 03:00 +08",
		"monthly 05:30":      "12-01 05:30 +08, 01-01 05:30 +08",
		"weekly":             "11-29 00:00 +08, 12-06 00:00 +08",
		"hourly":             "11-26 13:00 +08, 11-26 14:00 +08",
		"every 6h":           "11-26 18:00 +08, 11-27 00:00 +08",
		"every 1w":           "11-30 00:00 +08, 12-07 00:00 +08",
		"@daily":             "11-27 00:00 +08, 11-28 00:00 +08",
		"@every 90m":         "11-26 13:30 +08, 11-26 15:00 +08",
		"0 */6 * * *":        "11-26 18:00 +08, 11-27 00:00 +08",
		"0 4 * * 1":          "11-30 04:00 +08, 12-07 04:00 +08",
		"0 4 * * MON":        "11-30 04:00 +08, 12-07 04:00 +08",
		"0 4 * * 7":          "11-29 04:00 +08, 12-06 04:00 +08",
		"0 4 * * 6-7":        "11-28 04:00 +08, 11-29 04:00 +08",
		"0 3 1-7 * 0":        "11-29 03:00 +08, 12-01 03:00 +08", // either
		"0 3 */2 * 0":        "11-29 03:00 +08, 12-13 03:00 +08", // both, as cron does
		"0 3 29 2 *":         "02-29 03:00 +08, 02-29 03:00 +08",
		"TZ=UTC 0 2 * * *":   "11-27 02:00 +00, 11-28 02:00 +00",
		"每天 02:00":           "11-27 02:00 +08, 11-28 02:00 +08",
		"每日02：00":            "11-27 02:00 +08, 11-28 02:00 +08",
		"周日 03:00":           "11-29 03:00 +08, 12-06 03:00 +08",
		"每周一 04:00":          "11-30 04:00 +08, 12-07 04:00 +08",
		"星期天 03:00":          "11-29 03:00 +08, 12-06 03:00 +08",
		"第一个周日 03:00":        "12-06 03:00 +08, 01-03 03:00 +08",
		"每月第一个周日 03:00":      "12-06 03:00 +08, 01-03 03:00 +08",
		"最后一个周日 04:00":       "11-29 04:00 +08, 12-27 04:00 +08",
		"每月最后一天 03:00":       "11-30 03:00 +08, 12-31 03:00 +08",
		"每月 1 日 03:00":       "12-01 03:00 +08, 01-01 03:00 +08",
		"每季度":                "01-01 00:00 +08, 04-01 00:00 +08",
		"每季度 03:00":          "01-01 03:00 +08, 04-01 03:00 +08",
		"每6小时":               "11-26 18:00 +08, 11-27 00:00 +08",
		"每小时":                "11-26 13:00 +08, 11-26 14:00 +08",
	} {
		if got := due(t, text, "Asia/Shanghai", from, 2); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

// Berlin: 02:00 → 03:00 on 29 March 2026, 03:00 → 02:00 on 25 October. Lord Howe
// shifts by half an hour; Samoa left out a whole day; Beirut's clock goes forward at
// midnight.
func TestChangesOfTheClock(t *testing.T) {
	for _, c := range []struct{ text, zone, after, want string }{
		{"02:30", "Europe/Berlin", "2026-03-28 12:00", "03-29 03:00 +02, 03-30 02:30 +02"},
		{"0,30 2 * * *", "Europe/Berlin", "2026-03-28 12:00", "03-29 03:00 +02, 03-30 02:00 +02"},
		{"03:00", "Europe/Berlin", "2026-03-28 12:00", "03-29 03:00 +02, 03-30 03:00 +02"},
		{"02:30", "Europe/Berlin", "2026-10-24 12:00", "10-25 02:30 +02, 10-26 02:30 +01"},
		{"03:00", "Europe/Berlin", "2026-10-24 12:00", "10-25 03:00 +01, 10-26 03:00 +01"},
		{"every 1h", "Europe/Berlin", "2026-10-25 01:30", "10-25 02:00 +02, 10-25 02:00 +01, 10-25 03:00 +01"},
		{"hourly", "Europe/Berlin", "2026-10-25 01:30", "10-25 02:00 +02, 10-25 02:00 +01, 10-25 03:00 +01"},
		{"hourly", "Europe/Berlin", "2026-03-29 00:30", "03-29 01:00 +01, 03-29 03:00 +02, 03-29 04:00 +02"},
		{"*/30 * * * *", "Europe/Berlin", "2026-10-25 01:30", "10-25 02:00 +02, 10-25 02:30 +02, 10-25 02:00 +01, 10-25 02:30 +01"},
		{"*/30 * * * *", "Europe/Berlin", "2026-03-29 01:00", "03-29 01:30 +01, 03-29 03:00 +02, 03-29 03:30 +02"},
		{"30 1-3 * * *", "Europe/Berlin", "2026-10-25 01:00", "10-25 01:30 +02, 10-25 02:30 +02, 10-25 03:30 +01"},
		{"02:15", "Australia/Lord_Howe", "2026-10-03 12:00", "10-04 02:30 +11, 10-05 02:15 +11"},
		{"01:45", "Australia/Lord_Howe", "2026-04-04 12:00", "04-05 01:45 +11, 04-06 01:45 +10"},
		{"12:00", "Pacific/Apia", "2011-12-29 11:00", "12-29 12:00 -10, 12-31 00:00 +14, 12-31 12:00 +14"},
		{"00:30", "Asia/Beirut", "2026-03-28 12:00", "03-29 01:00 +03, 03-30 00:30 +03"},
	} {
		n := strings.Count(c.want, ",") + 1
		if got := due(t, c.text, c.zone, c.after, n); got != c.want {
			t.Errorf("%s in %s: got %s, want %s", c.text, c.zone, got, c.want)
		}
	}
}

func TestWhatIsNoTime(t *testing.T) {
	for _, bad := range []string{"", "2", "24:00", "02:60", "Funday 02:00", "fifth Sunday 02:00", "day 31 02:00", "every 1s", "every day",
		"day 99999999999999999999 02:00", "0 3 30 2 *", ", * * * *", "* * * *", "60 * * * *", "@reboot", "@every 1s", "TZ=UTC", "TZ=Nowhere 0 2 * * *",
		"0 2 * * 9", "0 2 * * 8-7", "周八 03:00", "第五个周日 03:00"} {
		if s, err := calendar.Parse(bad); err == nil {
			t.Errorf("%q was read as %s", bad, s.Describe("en"))
		}
	}
	for bad, why := range map[string]string{"61 3 * * *": "above maximum (59)", "@fortnightly": "@fortnightly", "@every 1s": "more often than once a minute", "every other day at noon": "must be a time such as"} {
		if _, err := calendar.Parse(bad); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %q", bad, err, why)
		}
	}
	if next := (calendar.Spec{}).Next(time.Now()); !next.IsZero() {
		t.Errorf("never comes at %s", next)
	}
}

func TestDescribe(t *testing.T) {
	for text, want := range map[string]string{
		"02:00":              "every day 02:00 | 每天 02:00",
		"Sunday 03:00":       "Sunday 03:00 | 周日 03:00",
		"first Sunday 03:00": "the first Sunday of the month 03:00 | 每月第一个周日 03:00",
		"最后一个周日 04:00":       "the last Sunday of the month 04:00 | 每月最后一个周日 04:00",
		"day 1 03:00":        "day 1 of the month 03:00 | 每月 1 日 03:00",
		"last day 03:00":     "the last day of the month 03:00 | 每月最后一天 03:00",
		"quarterly":          "the first day of the quarter 00:00 | 每季度第一天 00:00",
		"every 6h":           "every 6h | 每 6 小时",
		"every 90m":          "every 1h30m | 每 1 小时 30 分钟",
		"hourly":             "every hour | 每小时",
		"* * * * *":          "every minute | 每分钟",
		"*/5 * * * *":        "every 5 minutes | 每 5 分钟",
		"0 */6 * * *":        "every day 00:00, 06:00, 12:00, 18:00 | 每天 00:00、06:00、12:00、18:00",
		"0 3 1-7 * 0":        "day 1–7 of the month or Sunday 03:00 | 每月 1–7 日或周日 03:00",
		"0 3 1 1,7 *":        "day 1 of the month in January, July 03:00 | 1 月、7 月 1 日 03:00",
		"*/15 9-17 * * 1-5":  "Monday, Tuesday, Wednesday, Thursday, Friday 09:00, 09:15, 09:30, 09:45, …, 17:45 | 周一、周二、周三、周四、周五 09:00、09:15、09:30、09:45、…、17:45",
	} {
		s := parse(t, text, "UTC")
		if got := s.Describe("en") + " | " + s.Describe("zh"); got != want {
			t.Errorf("%s: got %s\nwant %s", text, got, want)
		}
	}
}

func TestBothDaysRestrictedIsTold(t *testing.T) {
	for text, meant := range map[string]string{"0 3 1-7 * 0": "first Sunday 03:00", "30 4 25-31 * 7": "last Sunday 04:30", "0 3 13 * 5": ""} {
		p, warns := parse(t, text, "UTC").Warning()
		if !warns || meant != "" && !strings.Contains(p.Text(), meant) {
			t.Errorf("%s: %t %s", text, warns, p.Text())
		}
	}
	for _, text := range []string{"0 3 * * 0", "0 3 1-7 * *", "0 3 */2 * 0", "first Sunday 03:00"} {
		if p, warns := parse(t, text, "UTC").Warning(); warns {
			t.Errorf("%s: %s", text, p.Text())
		}
	}
}

// Whatever the form, zone and time: what is next is later, nothing lies between, and
// looking again from any earlier moment finds the same.
func TestNextIsTheFirst(t *testing.T) {
	forms := []string{"02:30", "Sunday 02:00", "first Sunday 00:00", "last day 23:59", "every 7h", "hourly", "*/20 * * * *", "5,35 1-3 * * *", "0 0 1-7 * 1", "quarterly 02:00"}
	zones := []string{"UTC", "Asia/Shanghai", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Beirut", "America/Sao_Paulo"}
	rapid.Check(t, func(rt *rapid.T) {
		s := parse(t, rapid.SampledFrom(forms).Draw(rt, "form"), rapid.SampledFrom(zones).Draw(rt, "zone"))
		after := time.Unix(rapid.Int64Range(1_000_000_000, 1_900_000_000).Draw(rt, "after"), 0)
		next := s.Next(after)
		if !next.After(after) {
			rt.Fatalf("%s after %s is %s", s, after.In(s.Zone()), next)
		}
		between := after.Add(time.Duration(rapid.Int64Range(0, int64(next.Sub(after))-1).Draw(rt, "step")))
		if again := s.Next(between); !again.Equal(next) {
			rt.Fatalf("%s after %s is %s, after %s it is %s", s, after.In(s.Zone()), next, between.In(s.Zone()), again)
		}
		if got := slices.Collect(s.Between(after, next)); len(got) != 1 || !got[0].Equal(next) {
			rt.Fatalf("between are %v", got)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"02:00", "first Sunday 03:00", "0 3 1-7 * 0", "TZ=UTC 0 2 * * *", "每 6 小时", "@every 1h"} {
		f.Add(seed)
	}
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := calendar.Parse(text)
		if err != nil {
			return
		}
		if next := s.Next(now); next.IsZero() || !next.After(now) {
			t.Errorf("%q is next due at %s", text, next)
		}
		s.Warning()
		s.Describe("zh")
	})
}

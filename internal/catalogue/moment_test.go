package catalogue_test

import (
	"testing"
	"time"
)

func TestMomentsAreRelativeUpToADay(t *testing.T) {
	now := time.Date(2026, 11, 22, 14, 0, 0, 0, time.FixedZone("", 8*3600)) // a Sunday
	c := read(t, text)
	for _, m := range []struct {
		at     time.Duration
		en, zh string
	}{
		{-3 * time.Second, "now", "刚刚"}, {-40 * time.Second, "40 s ago", "40 秒前"}, {-22*time.Minute - 50*time.Second, "22 min ago", "22 分钟前"},
		{-23 * time.Hour, "23 h ago", "23 小时前"}, {-36 * time.Hour, "Sat 02:00", "周六 02:00"}, {-7 * 24 * time.Hour, "2026-11-15", "2026-11-15"},
		{12 * time.Hour, "in 12 h", "12 小时后"}, {37 * time.Hour, "Tue 03:00", "周二 03:00"},
	} {
		if got := c.Words("en").Ago(now.Add(m.at), now); got != m.en {
			t.Errorf("%s: %s, want %s", m.at, got, m.en)
		}
		if got := c.Words("zh").Ago(now.Add(m.at), now); got != m.zh {
			t.Errorf("%s: %s, want %s", m.at, got, m.zh)
		}
	}
}

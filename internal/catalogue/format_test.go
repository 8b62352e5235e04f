package catalogue_test

import (
	"testing"
	"time"

	"upkeep/internal/catalogue"
)

func TestFormats(t *testing.T) {
	var none catalogue.Catalogue
	en, zh := none.Words("en"), none.Words("zh")
	for _, c := range []struct{ got, want string }{
		{en.Bytes(0), "0 B"}, {en.Bytes(999), "999 B"}, {en.Bytes(1000), "1 kB"}, {en.Bytes(214_000_000), "214 MB"},
		{en.Bytes(62_100_000_000), "62.1 GB"}, {en.Bytes(1_900_000_000), "1.9 GB"}, {en.Bytes(999_999), "1 MB"},
		{en.Bytes(99_960_000), "100 MB"}, {en.Bytes(1<<63 - 1), "9.2 EB"}, {en.Bytes(-1500), "-1.5 kB"},
		{en.Count(1204), "1,204"}, {zh.Count(112_904), "112,904"}, {en.Count(7), "7"},
		{en.Percent(0.43), "43 %"}, {zh.Percent(0.43), "43%"}, {en.Percent(1), "100 %"}, {en.Percent(0), "0 %"},
		{en.Percent(0.9999), ">99.9 %"}, {en.Percent(0.0001), "<0.1 %"}, {en.Percent(0.125), "12.5 %"}, {en.Percent(1.5), "150 %"},
		{en.Duration(0), "0 s"}, {en.Duration(80 * time.Millisecond), "80 ms"}, {en.Duration(1420 * time.Millisecond), "1.4 s"},
		{en.Duration(48 * time.Second), "48 s"}, {en.Duration(130 * time.Second), "2 min 10 s"}, {zh.Duration(130 * time.Second), "2 分 10 秒"},
		{en.Duration(4 * time.Minute), "4 min"}, {en.Duration(59_700 * time.Millisecond), "1 min"}, {en.Duration(9_970 * time.Millisecond), "10 s"},
		{en.Duration(6 * time.Hour), "6 h"}, {zh.Duration(6*time.Hour + 5*time.Minute), "6 小时 5 分"}, {en.Duration(3599_900 * time.Millisecond), "1 h"},
		{en.Duration(76 * time.Hour), "3 d 4 h"}, {zh.Duration(76 * time.Hour), "3 天 4 小时"}, {en.Duration(-time.Minute), "-1 min"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestSinceIsAsShortAsItStaysClear(t *testing.T) {
	var none catalogue.Catalogue
	en, zh := none.Words("en"), none.Words("zh")
	now := time.Date(2026, 11, 22, 2, 0, 0, 0, time.FixedZone("", 8*3600)) // a Sunday
	for _, c := range []struct{ got, want string }{
		{en.Since(time.Date(2026, 11, 21, 15, 14, 0, 0, time.UTC), now), "since 23:14"},
		{zh.Since(time.Date(2026, 11, 21, 15, 14, 0, 0, time.UTC), now), "23:14 起"},
		{en.Since(now.AddDate(0, 0, -2), now), "since Fri"},
		{zh.Since(now.AddDate(0, 0, -2), now), "周五起"},
		{en.Since(now.AddDate(0, 0, -20), now), "since 2026-11-02"},
		{en.Time(now), "2026-11-22 02:00 +08:00"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

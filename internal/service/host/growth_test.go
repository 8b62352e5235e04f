package host

import (
	"testing"
	"time"

	"upkeep/internal/service"
)

const gigabyte = 1 << 30

// growing observes a mount of 1000 GB every six hours.
func growing(days int, used func(day float64) int64) history {
	h := histories{}
	for i := 0; i <= days*4; i++ {
		h.observe("/data", time.Unix(1_700_000_000+int64(i)*6*3600, 0), used(float64(i)/4), 1000*gigabyte)
	}
	return h["/data"]
}

func TestDaysToFull(t *testing.T) {
	cases := map[string]struct {
		past history
		free int64
		want float64 // days; 0 = not to be told
	}{
		"steady growth":        {growing(10, func(d float64) int64 { return int64(d * 10 * gigabyte) }), 50 * gigabyte, 5},
		"a peak does not bend": {growing(10, peak), 50 * gigabyte, 5},
		"too short a past":     {growing(1, func(d float64) int64 { return int64(d * 10 * gigabyte) }), 50 * gigabyte, 0},
		"no growth":            {growing(10, func(float64) int64 { return 7 }), 50 * gigabyte, 0},
		"shrinking":            {growing(10, func(d float64) int64 { return int64((100 - d) * gigabyte) }), 50 * gigabyte, 0},
		"room was made":        {growing(10, cleaned), 50 * gigabyte, 10},
		"nothing known":        {nil, 50 * gigabyte, 0},
	}
	for name, c := range cases {
		in := thisMachine(t, "full_within: 6d")
		var v service.Verdict
		facts := map[string]any{}
		in.judgeGrowth(c.past, "/data", c.free, &v, facts)
		days, _ := facts["full_in_days"].(float64)
		if days < c.want*0.99 || days > c.want*1.01 {
			t.Errorf("%s: full in %.2f days, want %.2f", name, days, c.want)
		}
		if warned := len(v.Findings) == 1; warned != (c.want > 0 && c.want < 6) {
			t.Errorf("%s: findings %v", name, v.Findings)
		}
		found(t, v)
	}
}

// peak grows steadily, but for one day in the middle.
func peak(day float64) int64 {
	used := day * 10 * gigabyte
	if day >= 5 && day < 6 {
		used += 40 * gigabyte
	}
	return int64(used)
}

// cleaned fell by a third on the fifth day and has grown half as fast since.
func cleaned(day float64) int64 {
	if day < 5 {
		return int64((500 + day*10) * gigabyte)
	}
	return int64((200 + day*5) * gigabyte)
}

func TestHistoryIsThinnedOut(t *testing.T) {
	h := histories{}
	for i := range 24 * 60 {
		h.observe("/", time.Unix(1_700_000_000+int64(i)*60, 0), int64(i), 1000)
	}
	if len(h["/"]) != 4 {
		t.Errorf("%d observations of one day", len(h["/"]))
	}
	h.observe("/", time.Unix(1_600_000_000, 0), 1, 1000)
	if len(h["/"]) != 1 {
		t.Errorf("%d observations after the clock was set back", len(h["/"]))
	}
}

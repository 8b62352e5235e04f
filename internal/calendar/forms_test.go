package calendar_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// What other tools are told, as "crontab | timer | rule".
func TestOtherTools(t *testing.T) {
	for text, want := range map[string]string{
		"02:00":              "0 2 * * * | *-*-* 02:00:00 Europe/Berlin | FREQ=DAILY;BYHOUR=2;BYMINUTE=0",
		"Sunday 03:30":       "30 3 * * 0 | Sun *-*-* 03:30:00 Europe/Berlin | FREQ=WEEKLY;BYDAY=SU;BYHOUR=3;BYMINUTE=30",
		"first Sunday 03:00": `0 3 1-7 * * date +\%w | grep -q '[0]' | Sun *-*-1..7 03:00:00 Europe/Berlin | FREQ=MONTHLY;BYDAY=1SU;BYHOUR=3;BYMINUTE=0`,
		"last Sunday 04:00":  `0 4 * * 0 [ "$(date -d '+7 days' +\%m)" != "$(date +\%m)" ] | Sun *-*~07/1 04:00:00 Europe/Berlin | FREQ=MONTHLY;BYDAY=-1SU;BYHOUR=4;BYMINUTE=0`,
		"last day 03:00":     `0 3 28-31 * * [ "$(date -d tomorrow +\%d)" = 01 ] | *-*~01 03:00:00 Europe/Berlin | FREQ=MONTHLY;BYMONTHDAY=-1;BYHOUR=3;BYMINUTE=0`,
		"quarterly":          "0 0 1 */3 * | *-1,4,7,10-1 00:00:00 Europe/Berlin | FREQ=YEARLY;BYMONTH=1,4,7,10;BYMONTHDAY=1;BYHOUR=0;BYMINUTE=0",
		"every 6h":           "0 */6 * * * | *-*-* 05:00:00 UTC *-*-* 11:00:00 UTC *-*-* 17:00:00 UTC *-*-* 23:00:00 UTC | FREQ=HOURLY;INTERVAL=6",
		"every 7h":           "- | - | FREQ=HOURLY;INTERVAL=7",
		"every 5m":           "*/5 * * * * | *:0/5:00 | FREQ=MINUTELY;INTERVAL=5",
		"0 3 1-7 * 0":        "0 3 1-7 * 0 | *-*-1,2,3,4,5,6,7 03:00:00 Europe/Berlin Sun *-*-* 03:00:00 Europe/Berlin | -",
		"0 3 */2 * 0":        "0 3 */2 * * date +\\%w | grep -q '[0]' | Sun *-*-1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31 03:00:00 Europe/Berlin | FREQ=MONTHLY;BYMONTHDAY=1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31;BYDAY=SU;BYHOUR=3;BYMINUTE=0",
		"hourly":             "0 * * * * | *-*-* *:00:00 Europe/Berlin | FREQ=HOURLY;BYMINUTE=0",
	} {
		s := parse(t, text, "Europe/Berlin")
		parts := []string{"-", "-", "-"}
		if fields, guard, ok := s.Crontab(); ok {
			parts[0] = strings.TrimSpace(fields + " " + guard)
		}
		if timers := s.OnCalendar(); timers != nil {
			parts[1] = strings.Join(timers, " ")
		}
		if rule, ok := s.Rule(); ok {
			parts[2] = rule
		}
		if got := strings.Join(parts, " | "); got != want {
			t.Errorf("%s: got %s\nwant %s", text, got, want)
		}
	}
}

// systemd reads the timers as they are meant: the next time is the same.
func TestSystemdReadsTheTimers(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not here")
	}
	for _, text := range []string{"02:00", "Sunday 03:30", "first Sunday 03:00", "fourth Friday 03:00", "last Sunday 04:00", "last day 03:00", "quarterly", "every 6h", "every 30m",
		"every 5m", "0 3 1-7 * 0", "*/15 9-17 * * 1-5", "hourly", "day 28 03:00"} {
		s, now := parse(t, text, "Asia/Shanghai"), time.Now().Truncate(time.Second)
		var first time.Time
		for _, value := range s.OnCalendar() {
			next := elapses(t, value)
			if first.IsZero() || next.Before(first) {
				first = next
			}
		}
		if want := s.Next(now); !first.Equal(want) && !first.Equal(s.Next(want)) {
			t.Errorf("%s: systemd says %s, next is %s", text, first, want)
		}
	}
}

func elapses(t *testing.T, value string) time.Time {
	t.Helper()
	cmd := exec.Command("systemd-analyze", "calendar", value)
	cmd.Env = append(cmd.Environ(), "TZ=UTC", "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", value, err, out)
	}
	for line := range strings.Lines(string(out)) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if name != "Next elapse" && name != "(in UTC)" {
			continue
		}
		if at, err := time.Parse("Mon 2006-01-02 15:04:05 MST", strings.TrimSpace(rest)); err == nil && strings.HasSuffix(rest, "UTC") {
			return at
		}
	}
	t.Fatalf("%s: %s", value, out)
	return time.Time{}
}

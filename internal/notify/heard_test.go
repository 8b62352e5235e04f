package notify_test

import (
	"strings"
	"testing"
	"time"

	"upkeep/internal/notify"
)

// daily is due at 02:00 every day.
func daily(after time.Time) time.Time {
	at := time.Date(after.Year(), after.Month(), after.Day(), 2, 0, 0, 0, after.Location())
	if !at.After(after) {
		at = at.AddDate(0, 0, 1)
	}
	return at
}

func TestWhereAPingStands(t *testing.T) {
	at := func(text string) time.Time {
		parsed, err := time.Parse("2 15:04", text)
		must(t, err)
		return parsed.AddDate(2026, 10, 0)
	}
	cases := []struct {
		name, heard, now string
		want             notify.State
		took             time.Duration
	}{
		{"never heard of", "", "10 01:00", notify.New, 0},
		{"never heard of, and due", "", "10 02:30", notify.Late, 0},
		{"never heard of, and its grace is over", "", "10 03:01", notify.Missed, 0},
		{"ended well", "10 02:05", "10 12:00", notify.Up, 0},
		{"ended well, measured", "10 02:00 start,10 02:05", "10 12:00", notify.Up, 5 * time.Minute},
		{"its own start counts", "10 02:00 start,10 02:05,10 09:00", "10 12:00", notify.Up, 0},
		{"due again", "10 02:05", "11 02:30", notify.Late, 0},
		{"missed", "10 02:05", "11 03:01", notify.Missed, 0},
		{"runs", "10 02:05,11 02:00 start", "11 02:30", notify.Started, 0},
		{"runs for too long", "10 02:05,11 02:00 start", "11 03:01", notify.Hangs, 0},
		{"failed", "10 02:05,11 02:00 fail", "11 02:30", notify.Failed, 0},
		{"failed by its code", "11 02:00 137", "11 02:30", notify.Failed, 0},
		{"ended well by its code", "11 02:00 0", "11 02:30", notify.Up, 0},
		{"failed and tries again", "11 02:00 fail,11 02:10 start", "11 02:30", notify.Failed, 0},
		{"failed, then well", "11 02:00 fail,11 02:10 start,11 02:40", "11 02:50", notify.Up, 30 * time.Minute},
		{"a log says nothing", "10 02:05,10 02:06 log", "10 12:00", notify.Up, 0},
	}
	for _, c := range cases {
		var heard []notify.Heard
		for _, one := range strings.FieldsFunc(c.heard, func(r rune) bool { return r == ',' }) {
			signal := ""
			if len(one) > 8 {
				one, signal = one[:8], one[9:]
			}
			heard = append(heard, notify.Heard{At: at(one), Signal: notify.Signal(signal)})
		}
		got := notify.Judge(heard, daily, time.Hour, at("9 12:00"), at(c.now))
		if got.State != c.want || got.Took != c.took {
			t.Errorf("%s: %s after %s, want %s after %s", c.name, got.State, got.Took, c.want, c.took)
		}
	}
}

func TestSignals(t *testing.T) {
	for text, known := range map[string]bool{"": true, "start": true, "fail": true, "log": true, "0": true, "255": true,
		"256": false, "-1": false, "stop": false, "1e2": false} {
		if _, ok := notify.ParseSignal(text); ok != known {
			t.Errorf("%q: %v", text, ok)
		}
	}
}

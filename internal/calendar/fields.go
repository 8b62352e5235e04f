package calendar

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
)

const day = 24 * time.Hour

// Crontab is the five fields of a cron line, and a command that must succeed before the
// job's where the fields say too much: cron knows no first Sunday. ok is false where cron
// cannot say it at all. The times are those of the machine's zone.
func (s Spec) Crontab() (fields, guard string, ok bool) {
	if s.every > 0 {
		fields, ok = s.spanFields()
		return fields, "", ok
	}
	f := cronFields{field(s.minutes, 0, 59), field(uint64(s.hours), 0, 23), field(uint64(s.days&^lastDay), 1, 31),
		field(uint64(s.months), 1, 12), field(uint64(s.weekdays), 0, 6)}
	switch {
	case s.week > 0:
		f[2], f[4] = fmt.Sprintf("%d-%d", 7*s.week-6, 7*s.week), "*"
		guard = s.onWeekday()
	case s.week < 0:
		guard = `[ "$(date -d '+7 days' +\%m)" != "$(date +\%m)" ]`
	case s.days == lastDay:
		f[2], guard = "28-31", `[ "$(date -d tomorrow +\%d)" = 01 ]`
	case !s.either && f[2] != "*" && f[4] != "*":
		f[4], guard = "*", s.onWeekday()
	}
	return strings.Join(f[:], " "), guard, true
}

type cronFields [5]string

// onWeekday succeeds on the weekdays; a per cent sign ends a cron line unless escaped.
func (s Spec) onWeekday() string {
	return fmt.Sprintf(`date +\%%w | grep -q '[%s]'`, strings.ReplaceAll(list(uint64(s.weekdays)), ",", ""))
}

func (s Spec) spanFields() (string, bool) {
	switch {
	case s.every == 7*day:
		return "0 0 * * 1", true
	case s.every == day:
		return "0 0 * * *", true
	case s.every%time.Hour == 0 && day%s.every == 0:
		return fmt.Sprintf("0 */%d * * *", s.every/time.Hour), true
	case s.every%time.Minute == 0 && time.Hour%s.every == 0:
		return fmt.Sprintf("*/%d * * * *", s.every/time.Minute), true
	}
	return "", false
}

// field writes a set as a cron field.
func field(set uint64, low, high int) string {
	for step := 1; step <= (high-low+1)/2; step++ {
		if set != every(low, high, step) {
			continue
		}
		if step == 1 {
			return "*"
		}
		return fmt.Sprintf("*/%d", step)
	}
	first := bits.TrailingZeros64(set)
	if n := bits.OnesCount64(set); n > 2 && set>>first == 1<<n-1 {
		return fmt.Sprintf("%d-%d", first, first+n-1)
	}
	return list(set)
}

func every(low, high, step int) (set uint64) {
	for i := low; i <= high; i += step {
		set |= 1 << i
	}
	return set
}

func list(set uint64) string {
	var all []string
	for i := range 64 {
		if set>>i&1 == 1 {
			all = append(all, fmt.Sprint(i))
		}
	}
	return strings.Join(all, ",")
}

package calendar

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// Describe says in "zh" or "en" when it is due, without its zone.
func (s Spec) Describe(language string) string {
	t := tongues["en"]
	if language == "zh" {
		t = tongues["zh"]
	}
	switch {
	case s.IsZero():
		return t.never
	case s.every > 0:
		return fmt.Sprintf(t.every, t.span(s.Every().String()))
	case s.hours == allHours && s.days == allDays && s.weekdays == allWeekdays && s.months == allMonths:
		return s.inHours(t)
	}
	return t.join(s.when(t), s.times(t))
}

// tongue is how a language puts it.
type tongue struct {
	never, every                            string
	everyHour, everyMinute, everyMinutes    string
	atMinutes                               string
	daily, ofMonth, last, nth, inMonths, or string
	quarter, glue, comma                    string
	weeks                                   map[int8]string
	units                                   *strings.Replacer
	weekdays                                [7]string
	months                                  [13]string
}

var tongues = map[string]tongue{
	"en": {never: "only when asked for", every: "every %s", everyHour: "every hour", everyMinute: "every minute", everyMinutes: "every %d minutes", atMinutes: "every hour at minute %s",
		daily: "every day", ofMonth: "day %s of the month", last: "the last day of the month", nth: "the %s %s of the month",
		inMonths: "in %s", or: "%s or %s", quarter: "the first day of the quarter", glue: " ", comma: ", ",
		weeks: map[int8]string{1: "first", 2: "second", 3: "third", 4: "fourth", -1: "last"}, units: strings.NewReplacer(),
		weekdays: [7]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"},
		months:   [13]string{"", "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}},
	"zh": {never: "仅在要求时", every: "每 %s", everyHour: "每小时", everyMinute: "每分钟", everyMinutes: "每 %d 分钟", atMinutes: "每小时的第 %s 分",
		daily: "每天", ofMonth: "每月 %s 日", last: "每月最后一天", nth: "每月%s个%s",
		inMonths: "%s", or: "%s或%s", quarter: "每季度第一天", glue: " ", comma: "、",
		weeks:    map[int8]string{1: "第一", 2: "第二", 3: "第三", 4: "第四", -1: "最后一"},
		units:    strings.NewReplacer("y", " 年 ", "w", " 周 ", "d", " 天 ", "h", " 小时 ", "m", " 分钟 ", "s", " 秒 "),
		weekdays: [7]string{"周日", "周一", "周二", "周三", "周四", "周五", "周六"},
		months:   [13]string{"", "1 月", "2 月", "3 月", "4 月", "5 月", "6 月", "7 月", "8 月", "9 月", "10 月", "11 月", "12 月"}},
}

func (t tongue) span(text string) string { return strings.TrimSpace(t.units.Replace(text)) }

func (t tongue) join(when, times string) string { return when + t.glue + times }

// inHours is what is due in every hour of every day.
func (s Spec) inHours(t tongue) string {
	all := s.minutes
	if all == steps(1) {
		return t.everyMinute
	}
	for _, step := range []int{2, 3, 4, 5, 6, 10, 12, 15, 20, 30} {
		if all == steps(step) {
			return fmt.Sprintf(t.everyMinutes, step)
		}
	}
	if all == 1 {
		return t.everyHour
	}
	return fmt.Sprintf(t.atMinutes, numbers(all, t.comma))
}

func steps(by int) (set uint64) {
	for i := 0; i < 60; i += by {
		set |= 1 << i
	}
	return set
}

// when says the days.
func (s Spec) when(t tongue) string {
	day := s.dayWords(t)
	switch {
	case s.months == quarters && s.days == 1<<1 && s.weekdays == allWeekdays:
		return t.quarter
	case s.months == allMonths:
		return day
	case t.weekdays[0] == "周日":
		return strings.Replace(t.monthWords(s.months)+day, "每月", "", 1)
	}
	return day + " " + fmt.Sprintf(t.inMonths, t.monthWords(s.months))
}

func (t tongue) monthWords(set uint16) string {
	var all []string
	for month := range time.Month(13) {
		if set>>month&1 == 1 {
			all = append(all, t.months[month])
		}
	}
	return strings.Join(all, t.comma)
}

func (s Spec) dayWords(t tongue) string {
	ofMonth, ofWeek := s.ofMonth(t), s.ofWeek(t)
	switch {
	case s.either:
		return fmt.Sprintf(t.or, ofMonth, ofWeek)
	case ofMonth == "" && ofWeek == "":
		return t.daily
	case ofMonth != "" && ofWeek != "":
		return ofMonth + t.comma + ofWeek
	}
	return ofMonth + ofWeek
}

func (s Spec) ofMonth(t tongue) string {
	switch s.days {
	case allDays:
		return ""
	case lastDay:
		return t.last
	}
	return fmt.Sprintf(t.ofMonth, numbers(uint64(s.days), t.comma))
}

func (s Spec) ofWeek(t tongue) string {
	var all []string
	for day := range time.Weekday(7) {
		if s.weekdays>>day&1 == 1 {
			all = append(all, t.weekdays[day])
		}
	}
	switch {
	case len(all) == 7 && s.week == 0:
		return ""
	case s.week != 0:
		return fmt.Sprintf(t.nth, t.weeks[s.week], strings.Join(all, t.comma))
	}
	return strings.Join(all, t.comma)
}

// mostTimes is how many times of day are listed.
const mostTimes = 6

func (s Spec) times(t tongue) string {
	if s.hours == allHours {
		return s.inHours(t)
	}
	var all []string
	for at := range s.clocks() {
		all = append(all, fmt.Sprintf("%02d:%02d", at.hour, at.minute))
	}
	if len(all) > mostTimes {
		all = append(append(all[:mostTimes-2], "…"), all[len(all)-1])
	}
	return strings.Join(all, t.comma)
}

// numbers lists the members of a set, three or more in a row as 1–7.
func numbers(set uint64, comma string) string {
	var all []string
	for set != 0 {
		first := bits.TrailingZeros64(set)
		run := bits.TrailingZeros64(^(set >> first))
		set &^= (1<<run - 1) << first
		if run > 2 {
			all = append(all, fmt.Sprintf("%d–%d", first, first+run-1))
			continue
		}
		for i := range run {
			all = append(all, fmt.Sprint(first+i))
		}
	}
	return strings.Join(all, comma)
}

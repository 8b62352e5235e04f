package record

import "time"

// stamp reads the time stamp at the start of b and says how long it is, 0 when
// there is none.
func stamp(b []byte) (p parts, n int) {
	if len(b) < 8 {
		return p, 0
	}
	if !isDigit(b[0]) {
		return named(b)
	}
	for _, form := range [...]func([]byte) (parts, int){iso, shortDate, packed, dayFirst, monthDay, clockOnly} {
		if p, n = form(b); n > 0 && p.valid() {
			return p, n
		}
	}
	return parts{}, 0
}

// fits compares b with a layout in which 0 stands for a digit, _ for a digit or a
// blank, and any other character for itself.
func fits(b []byte, layout string) bool {
	if len(b) < len(layout) {
		return false
	}
	for i := range len(layout) {
		switch l, c := layout[i], b[i]; l {
		case '0':
			if !isDigit(c) {
				return false
			}
		case '_':
			if !isDigit(c) && c != ' ' {
				return false
			}
		default:
			if c != l {
				return false
			}
		}
	}
	return true
}

func isDigit(c byte) bool { return c-'0' < 10 }

func number(b []byte) int {
	n := 0
	for _, c := range b {
		if c != ' ' {
			n = n*10 + int(c-'0')
		}
	}
	return n
}

// iso reads 2026-11-25 18:44:38, also with slashes, a T, a fraction and a zone.
func iso(b []byte) (parts, int) {
	if !fits(b, "0000-00-00") && !fits(b, "0000/00/00") {
		return parts{}, 0
	}
	p := parts{year: number(b[:4]), month: number(b[5:7]), day: number(b[8:10])}
	if len(b) < 19 || b[10] != ' ' && b[10] != 'T' {
		return p, 0
	}
	return withClock(b, 11, p)
}

// shortDate reads 17/06/09 20:10:40, year first.
func shortDate(b []byte) (parts, int) {
	if !fits(b, "00/00/00 ") {
		return parts{}, 0
	}
	return withClock(b, 9, parts{year: 2000 + number(b[:2]), month: number(b[3:5]), day: number(b[6:8])})
}

// packed reads 081109 203615, year first.
func packed(b []byte) (parts, int) {
	if !fits(b, "000000 000000 ") {
		return parts{}, 0
	}
	return parts{year: 2000 + number(b[:2]), month: number(b[2:4]), day: number(b[4:6]),
		hour: number(b[7:9]), minute: number(b[9:11]), second: number(b[11:13])}, 13
}

// dayFirst reads 25 Nov 2026 18:44:38.123 and 25/Nov/2026:18:44:38 +0000.
func dayFirst(b []byte) (parts, int) {
	if !fits(b, "00") || len(b) < 20 || b[2] != b[6] && b[2] != ' ' || !fits(b[7:], "0000") {
		return parts{}, 0
	}
	p := parts{year: number(b[7:11]), month: month(b[3:6]), day: number(b[:2])}
	if p.month == 0 || b[11] != ' ' && b[11] != ':' {
		return p, 0
	}
	return withClock(b, 12, p)
}

// monthDay reads 03-17 16:13:38.811, which has no year.
func monthDay(b []byte) (parts, int) {
	if !fits(b, "00-00 ") {
		return parts{}, 0
	}
	return withClock(b, 6, parts{month: number(b[:2]), day: number(b[3:5])})
}

func clockOnly(b []byte) (parts, int) { return withClock(b, 0, parts{}) }

// named reads Nov 25 18:44:38, also with the day of the week in front and the
// year behind.
func named(b []byte) (parts, int) {
	at := 0
	if len(b) > 4 && b[3] == ' ' && month(b[:3]) == 0 && isWeekday(b[:3]) {
		at = 4
	}
	if len(b) < at+15 || b[at+3] != ' ' || !fits(b[at+4:], "_0 ") {
		return parts{}, 0
	}
	p := parts{month: month(b[at : at+3]), day: number(b[at+4 : at+6])}
	if p.month == 0 {
		return p, 0
	}
	p, n := withClock(b, at+7, p)
	if at > 0 && n > 0 && fits(b[n:], " 0000") {
		p.year = number(b[n+1 : n+5])
		n += 5
	}
	return p, n
}

// withClock reads the time of the day at b[at:], its fraction and its zone.
func withClock(b []byte, at int, p parts) (parts, int) {
	if !fits(b[at:], "00:00:00") {
		return p, 0
	}
	p.hour, p.minute, p.second = number(b[at:at+2]), number(b[at+3:at+5]), number(b[at+6:at+8])
	at += 8
	if at+1 < len(b) && (b[at] == '.' || b[at] == ',') && isDigit(b[at+1]) {
		scale := 100_000_000
		for at++; at < len(b) && isDigit(b[at]); at++ {
			p.nanosecond += scale * int(b[at]-'0')
			scale /= 10
		}
	}
	zone, n := zoneAt(b[at:])
	p.zone = zone
	return p, at + n
}

// zoneAt reads Z, UTC, +08:00 and +0800, also behind a blank.
func zoneAt(b []byte) (*time.Location, int) {
	blank := 0
	if len(b) > 0 && b[0] == ' ' {
		blank = 1
	}
	z := b[blank:]
	switch {
	case len(z) > 0 && z[0] == 'Z' && blank == 0:
		return time.UTC, 1
	case len(z) >= 3 && (string(z[:3]) == "UTC" || string(z[:3]) == "GMT"):
		return time.UTC, blank + 3
	case fits(z, "+00:00"), fits(z, "-00:00"):
		return offset(z[0], z[1:3], z[4:6]), blank + 6
	case fits(z, "+0000"), fits(z, "-0000"):
		return offset(z[0], z[1:3], z[3:5]), blank + 5
	}
	return nil, 0
}

func offset(sign byte, hours, minutes []byte) *time.Location {
	seconds := number(hours)*3600 + number(minutes)*60
	if seconds == 0 {
		return time.UTC
	}
	if sign == '-' {
		seconds = -seconds
	}
	return time.FixedZone("", seconds)
}

func month(b []byte) int {
	const names = "JanFebMarAprMayJunJulAugSepOctNovDec"
	for i := 0; i < len(names); i += 3 {
		if string(b) == names[i:i+3] {
			return i/3 + 1
		}
	}
	return 0
}

func isWeekday(b []byte) bool {
	switch string(b) {
	case "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun":
		return true
	}
	return false
}

package write

import (
	"math"
	"strconv"
	"time"
)

// stamp is how a time is written: RFC 3339 in UTC, so that nobody must know a zone.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// number writes a float so that it is read back as the same one, and as one: 3 is 3.0.
func number(dst []byte, v float64) []byte {
	form := byte('f')
	if size := math.Abs(v); size != 0 && (size < 1e-6 || size >= 1e21) {
		form = 'e'
	}
	dst = strconv.AppendFloat(dst, v, form, -1, 64)
	if form == 'f' && v == math.Trunc(v) {
		dst = append(dst, ".0"...)
	}
	return dst
}

// odd names the floats that are no numbers; "" is a number.
func odd(v float64) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	}
	return ""
}

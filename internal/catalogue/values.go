package catalogue

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// fraction is a number with decimals that shows at most two of them.
type fraction float64

func (f fraction) String() string {
	text := strconv.FormatFloat(float64(f), 'f', 2, 64)
	return strings.TrimRight(strings.TrimRight(text, "0"), ".")
}

// plain prepares arguments for printing, whether they come from a kind or back
// from JSON, where every number is a float64: 1e+06 must still read 1000000. A
// name with control characters must not drive the reader's terminal.
func plain(args map[string]any) map[string]any {
	out := make(map[string]any, len(args))
	for name, value := range args {
		out[name] = plainValue(value)
	}
	return out
}

func plainValue(value any) any {
	switch v := value.(type) {
	case nil:
		return nil
	case time.Time, time.Duration:
		return v
	case string:
		return printable(v)
	case json.Number:
		f, _ := v.Float64()
		return plainValue(f)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plainValue(v[i])
		}
		return out
	case []string:
		out := make([]any, len(v))
		for i := range v {
			out[i] = printable(v[i])
		}
		return out
	}
	return plainKind(value)
}

// plainKind covers named types: a Severity is a string, a Bytes an integer.
func plainKind(value any) any {
	v := reflect.ValueOf(value)
	switch {
	case v.Kind() == reflect.String:
		return printable(v.String())
	case v.CanInt():
		return v.Int()
	case v.CanUint():
		return v.Uint()
	case v.CanFloat():
		if f := v.Float(); f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			return int64(f)
		}
		return fraction(v.Float())
	}
	return value
}

// printable escapes what is not text: control characters, broken UTF-8 and the
// marks that reverse the writing direction.
func printable(s string) string {
	clean := true
	for _, r := range s {
		clean = clean && (unicode.IsPrint(r) || unicode.Is(unicode.Zs, r)) && r != unicode.ReplacementChar
	}
	if clean {
		return s
	}
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// asNumber reads any numeric argument.
func asNumber(value any) (float64, bool) {
	v := reflect.ValueOf(value)
	switch {
	case !v.IsValid():
		return 0, false
	case v.CanInt():
		return float64(v.Int()), true
	case v.CanUint():
		return float64(v.Uint()), true
	case v.CanFloat():
		return v.Float(), true
	}
	return 0, false
}

// number lifts a format of numbers to one of arguments: what is missing shows as
// "?", what is no number as it is.
func number(format func(float64) string) func(any) string {
	return func(value any) string {
		if n, ok := asNumber(value); ok {
			return format(n)
		}
		return orUnknown(value)
	}
}

func orUnknown(value any) string {
	if value == nil {
		return "?"
	}
	return fmt.Sprint(value)
}

// anyDuration takes a time.Duration or a number of seconds.
func (w Words) anyDuration(value any) string {
	if d, ok := value.(time.Duration); ok {
		return w.Duration(d)
	}
	return number(func(s float64) string { return w.Duration(time.Duration(s * float64(time.Second))) })(value)
}

// anyTime takes a time.Time, its RFC 3339 text or seconds since 1970.
func (w Words) anyTime(value any) string {
	if t, ok := value.(time.Time); ok {
		return w.Time(t)
	}
	if t, err := time.Parse(time.RFC3339, fmt.Sprint(value)); err == nil {
		return w.Time(t)
	}
	return number(func(s float64) string { return w.Time(time.Unix(int64(s), 0).UTC()) })(value)
}

func (w Words) list(value any) string {
	items, ok := value.([]any)
	if !ok {
		return orUnknown(value)
	}
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = orUnknown(item)
	}
	if w.lang == "zh" {
		return strings.Join(texts, "、")
	}
	return strings.Join(texts, ", ")
}

func (w Words) quote(value any) string {
	if w.lang == "zh" {
		return "“" + orUnknown(value) + "”"
	}
	return `"` + orUnknown(value) + `"`
}

// plural chooses an English word by number.
func plural(value any, one, many string) string {
	if n, ok := asNumber(value); ok && n == 1 {
		return one
	}
	return many
}

// equalsAny reports whether the first is equal to one of the others.
func equalsAny(a any, of ...any) bool {
	return slices.ContainsFunc(of, func(b any) bool { return equal(a, b) })
}

func equal(a, b any) bool {
	x, numeric := asNumber(a)
	y, also := asNumber(b)
	if numeric && also {
		return x == y
	}
	return fmt.Sprint(a) == fmt.Sprint(b)
}

// less is false where there is no order.
func less(a, b any) bool {
	x, numeric := asNumber(a)
	y, also := asNumber(b)
	return numeric && also && x < y
}

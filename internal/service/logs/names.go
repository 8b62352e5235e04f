package logs

import (
	"encoding"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// stampForm is how our own rotations mark a file: UTC, to the second. A second
// rotation in the same second gets a number behind it.
const stampForm = "20060102T150405"

// rotatedName recognises the marks of our own rotations (app.log-20261125T020000), of
// logrotate (app.log.1, app.log-20261125) and of Python's handlers
// (app.log.2026-11-25_02), each maybe compressed.
var rotatedName = regexp.MustCompile(`(?s)^(.+?)(?:-(\d{8}T\d{6}(?:\.\d{1,4})?)|-(\d{8}(?:-\d{2}|-\d{10})?)|\.(\d{1,4})|\.(\d{4}-\d{2}-\d{2}(?:_\d{2}(?:-\d{2}){0,2})?))(\.gz)?$`)

// mark is what a rotated name says.
type mark struct {
	base   string // the name before the rotation
	own    bool   // the mark of our own rotations
	number int    // of a numbered one: the higher the older; else 0
	zipped bool
}

func parseName(name string) (mark, bool) {
	m := rotatedName.FindStringSubmatch(name)
	if m == nil {
		return mark{}, false
	}
	number := 0
	if m[4] != "" {
		number, _ = strconv.Atoi(m[4]) // four digits at most
	}
	return mark{base: m[1], own: m[2] != "", number: number, zipped: m[6] != ""}, true
}

// rotatedTo is the n-th name to try for a file that is rotated at t.
func rotatedTo(name string, t time.Time, n int) string {
	if n == 0 {
		return name + "-" + t.UTC().Format(stampForm)
	}
	return fmt.Sprintf("%s-%s.%d", name, t.UTC().Format(stampForm), n)
}

// half is the name of a file while it is written by us. Such names are nobody's log.
func half(name string) string { return "." + name + ".upkeep-half" }

func isHalf(name string) bool {
	return strings.HasPrefix(name, ".") && strings.HasSuffix(name, ".upkeep-half")
}

// packed reports whether a name says that its content is no plain text.
func packed(name string) bool {
	for _, ending := range []string{".gz", ".xz", ".bz2", ".zst", ".zip", ".tar", ".tgz"} {
		if strings.HasSuffix(name, ending) {
			return true
		}
	}
	return false
}

// raw is a file name of any bytes that survives JSON.
type raw string

var (
	_ encoding.TextMarshaler   = raw("")
	_ encoding.TextUnmarshaler = (*raw)(nil)
)

// MarshalText writes the name as a Go string without its quotes.
func (r raw) MarshalText() ([]byte, error) {
	quoted := strconv.Quote(string(r))
	return []byte(quoted[1 : len(quoted)-1]), nil
}

// UnmarshalText reads what MarshalText wrote.
func (r *raw) UnmarshalText(text []byte) error {
	plain, err := strconv.Unquote(`"` + string(text) + `"`)
	*r = raw(plain)
	return err
}

// shown is a path as it stands on a page and as the name of a stream: itself, or
// quoted where it holds what cannot be shown.
func shown(path string) string {
	quoted := strconv.Quote(path)
	if utf8.ValidString(path) && quoted == `"`+path+`"` {
		return path
	}
	return quoted
}

// unshown is the path behind shown.
func unshown(text string) string {
	if path, err := strconv.Unquote(text); err == nil {
		return path
	}
	return text
}

package quantity

import (
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"
)

// Frequency is how often something happens, per second: 10/s, 30/m, 500/h, 1/w.
type Frequency float64

const aFrequency = "a frequency such as 10/s, 30/m or 500/h"

// per are the seconds of each unit.
func per(unit string) float64 {
	return map[string]float64{"s": 1, "m": 60, "h": 60 * 60, "d": 24 * 60 * 60, "w": 7 * 24 * 60 * 60}[unit]
}

// ParseFrequency reads the text form. Errors are *Mistake.
func ParseFrequency(text string) (Frequency, error) {
	number, unit, _ := strings.Cut(strings.ReplaceAll(text, " ", ""), "/")
	times, err := strconv.ParseFloat(number, 64)
	if err != nil || per(unit) == 0 || !(times >= 0 && times < 1e12) { // NaN fails both
		return 0, mistakef("must be a frequency such as 10/s, 30/m or 500/h, is %q", text)
	}
	return Frequency(times / per(unit)), nil
}

// String returns a text that ParseFrequency reads: "0.5/s".
func (f Frequency) String() string { return strconv.FormatFloat(float64(f), 'g', -1, 64) + "/s" }

// MarshalText writes what UnmarshalYAML reads.
func (f Frequency) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalYAML reads the text form.
func (f *Frequency) UnmarshalYAML(decode func(any) error) error {
	text, err := scalar(decode)
	if err != nil {
		return err
	}
	*f, err = ParseFrequency(text)
	return err
}

// JSONSchema describes the text form to editors.
func (Frequency) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: `^[0-9.]+ */ *[smhdw]$`, Description: aFrequency, Examples: []any{"10/s", "30/m"}}
}

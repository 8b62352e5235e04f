package quantity

import (
	"time"

	"github.com/invopop/jsonschema"
	"github.com/prometheus/common/model"
)

// Duration is a span of time that is never negative: 90s, 5m, 2h, 1h30m, 30d,
// 4w. A day is 24 hours. A bare number has no unit and is refused, except 0.
type Duration time.Duration

const aDuration = "a duration such as 90s, 5m, 2h or 30d"

// ParseDuration reads the text form. Errors are *Mistake.
func ParseDuration(text string) (Duration, error) {
	d, err := model.ParseDuration(text)
	if err != nil {
		return 0, mistakef("must be a duration such as 90s, 5m, 2h or 30d, is %q", text)
	}
	return Duration(d), nil
}

// Std returns the span in the form that the standard library takes.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String returns the shortest text that ParseDuration reads: "1h30m", "30d".
func (d Duration) String() string { return model.Duration(d).String() }

// MarshalText writes what UnmarshalYAML reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalYAML reads the text form.
func (d *Duration) UnmarshalYAML(decode func(any) error) error {
	text, err := scalar(decode)
	if err != nil {
		return err
	}
	*d, err = ParseDuration(text)
	return err
}

// JSONSchema describes the text form to editors.
func (Duration) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{
		Type:        "string",
		Pattern:     `^(0|([0-9]+(y|w|d|h|ms|m|s))+)$`,
		Description: aDuration,
		Examples:    []any{"90s", "5m", "2h", "30d"},
	}
}

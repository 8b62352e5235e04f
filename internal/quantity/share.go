package quantity

import (
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"
)

// Share is a part of a whole from 0 to 1: 80% or 0.8.
type Share float64

const aShare = "a share such as 80% or 0.8"

// ParseShare reads the text form. A bare 80 is refused: it is neither 80 % nor a
// number from 0 to 1. Errors are *Mistake.
func ParseShare(text string) (Share, error) {
	number, percent := strings.CutSuffix(text, "%")
	value, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		value /= 100
	}
	if err != nil || !(value >= 0 && value <= 1) { // NaN fails both
		return 0, mistakef("must be a share such as 80%% or 0.8, is %q", text)
	}
	return Share(value), nil
}

// String returns a text that ParseShare reads: "80%".
func (s Share) String() string {
	// Ten digits hide that 0.57 × 100 is not 57 in binary.
	return strconv.FormatFloat(float64(s)*100, 'g', 10, 64) + "%"
}

// MarshalText writes what UnmarshalYAML reads.
func (s Share) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalYAML reads a number from 0 to 1 or the text form.
func (s *Share) UnmarshalYAML(decode func(any) error) error {
	text, err := scalar(decode)
	if err != nil {
		return err
	}
	*s, err = ParseShare(text)
	return err
}

// JSONSchema describes both forms to editors.
func (Share) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{
		Description: aShare,
		Examples:    []any{"80%", 0.8},
		OneOf: []*jsonschema.Schema{
			{Type: "number", Minimum: "0", Maximum: "1"},
			{Type: "string", Pattern: `^[0-9.]+ *%$`},
		},
	}
}

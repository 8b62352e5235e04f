package quantity

import (
	"fmt"
	"math"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/invopop/jsonschema"
)

// Bytes is a size: 4096, 500 MB (decimal), 10 MiB (binary).
type Bytes int64

// Rate is bytes per second: 10 MiB/s. The "/s" may be left out.
type Rate int64

const (
	aSize = "a size such as 500 MB or 10 MiB"
	aRate = "a rate such as 10 MiB/s"
)

// ParseBytes reads the text form. Errors are *Mistake.
func ParseBytes(text string) (Bytes, error) {
	n, err := humanize.ParseBytes(text)
	if err != nil || n > math.MaxInt64 {
		return 0, mistakef("must be a size such as 500 MB or 10 MiB, is %q", text)
	}
	return Bytes(n), nil
}

// ParseRate reads the text form. Errors are *Mistake.
func ParseRate(text string) (Rate, error) {
	size, err := ParseBytes(strings.TrimSpace(strings.TrimSuffix(text, "/s")))
	if err != nil {
		return 0, mistakef("must be a rate such as 10 MiB/s, is %q", text)
	}
	return Rate(size), nil
}

// units from large to small; the first that divides a size without remainder
// names it.
var units = [...]struct {
	name string
	size Bytes
}{
	{"TiB", 1 << 40}, {"TB", 1e12}, {"GiB", 1 << 30}, {"GB", 1e9},
	{"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"kB", 1e3},
}

// String returns an exact text that ParseBytes reads: "10 MiB", "4097 B".
func (b Bytes) String() string {
	for _, unit := range units {
		if b != 0 && b%unit.size == 0 {
			return fmt.Sprintf("%d %s", b/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%d B", int64(b))
}

// String returns an exact text that ParseRate reads: "10 MiB/s".
func (r Rate) String() string { return Bytes(r).String() + "/s" }

// MarshalText writes what UnmarshalYAML reads.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// MarshalText writes what UnmarshalYAML reads.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalYAML reads a number of bytes or the text form.
func (b *Bytes) UnmarshalYAML(decode func(any) error) error {
	text, err := scalar(decode)
	if err != nil {
		return err
	}
	*b, err = ParseBytes(text)
	return err
}

// UnmarshalYAML reads a number of bytes per second or the text form.
func (r *Rate) UnmarshalYAML(decode func(any) error) error {
	text, err := scalar(decode)
	if err != nil {
		return err
	}
	*r, err = ParseRate(text)
	return err
}

// JSONSchema describes both forms to editors.
func (Bytes) JSONSchema() *jsonschema.Schema {
	return numberOrText(aSize, `^[0-9][0-9.,]* *([kKMGTPE]i?)?B?$`, "500 MB", "10 MiB")
}

// JSONSchema describes both forms to editors.
func (Rate) JSONSchema() *jsonschema.Schema {
	return numberOrText(aRate, `^[0-9][0-9.,]* *([kKMGTPE]i?)?B? *(/s)?$`, "10 MiB/s")
}

func numberOrText(what, pattern string, examples ...any) *jsonschema.Schema {
	return &jsonschema.Schema{
		Description: what,
		Examples:    examples,
		OneOf: []*jsonschema.Schema{
			{Type: "number", Minimum: "0"},
			{Type: "string", Pattern: pattern},
		},
	}
}

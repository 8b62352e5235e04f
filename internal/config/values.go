package config

import (
	"time"

	"github.com/invopop/jsonschema"

	"upkeep/internal/quantity"
)

func mistakef(format string, args ...any) error {
	return &quantity.Mistake{Format: format, Args: args}
}

// Date is a day that still counts: Time is the moment at which it ends, in local
// time.
type Date struct{ time.Time }

// UnmarshalYAML reads 2027-01-31.
func (d *Date) UnmarshalYAML(decode func(any) error) error {
	var written string
	if err := decode(&written); err != nil {
		return mistakef("must be a day such as 2027-01-31")
	}
	day, err := time.ParseInLocation(time.DateOnly, written, time.Local)
	if err != nil {
		return mistakef("must be a day such as 2027-01-31, is %q", written)
	}
	d.Time = day.AddDate(0, 0, 1)
	return nil
}

// String returns the day itself.
func (d Date) String() string { return d.AddDate(0, 0, -1).Format(time.DateOnly) }

// JSONSchema describes the text form to editors.
func (Date) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Format: "date"}
}

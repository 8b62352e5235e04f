package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"
)

// Expect is what the answer to an assertion's query must be: "> 0", ">= 5",
// "= 3", "!= 0", "= done", "true", "false" or "empty".
type Expect struct {
	op   string // > >= < <= = != true false empty
	want string // of a comparison
}

// UnmarshalYAML reads the text form; true, false and a bare number need no
// quotes.
func (e *Expect) UnmarshalYAML(decode func(any) error) (err error) {
	var written any
	if err := decode(&written); err != nil {
		return mistakef("must be a comparison such as \"> 0\"")
	}
	*e, err = ParseExpect(fmt.Sprint(written))
	return err
}

// ParseExpect reads the text form. A bare number means equality.
func ParseExpect(written string) (Expect, error) {
	written = strings.TrimSpace(written)
	switch written {
	case "true", "false", "empty":
		return Expect{op: written}, nil
	}
	parts := regexp.MustCompile(`^(>=|<=|!=|==|=|>|<)?\s*([^<>=!].*)$`).FindStringSubmatch(written)
	if parts == nil {
		return Expect{}, mistakef("must be a comparison such as \"> 0\", \"= 3\", true or empty, is %q", written)
	}
	op, want := strings.Replace(parts[1], "==", "=", 1), parts[2]
	_, err := strconv.ParseFloat(want, 64)
	if err != nil && op != "=" && op != "!=" { // texts have no order, and a bare word is a slip
		return Expect{}, mistakef("must be a comparison such as \"> 0\", \"= 3\", true or empty, is %q", written)
	}
	if op == "" {
		op = "="
	}
	return Expect{op: op, want: want}, nil
}

// IsZero reports whether nothing is declared.
func (e Expect) IsZero() bool { return e.op == "" }

// String returns the text form.
func (e Expect) String() string { return strings.TrimSpace(e.op + " " + e.want) }

// Holds judges the first value of the answer; nil is NULL or no row. A value that
// cannot be compared does not hold.
func (e Expect) Holds(got any) bool {
	switch e.op {
	case "empty":
		return got == nil || got == ""
	case "true", "false":
		return got == (e.op == "true")
	}
	if got == nil {
		return false
	}
	have, err := strconv.ParseFloat(fmt.Sprint(got), 64)
	want, err2 := strconv.ParseFloat(e.want, 64)
	if err != nil || err2 != nil {
		return (fmt.Sprint(got) == e.want) == (e.op == "=") && (e.op == "=" || e.op == "!=")
	}
	switch e.op {
	case ">":
		return have > want
	case ">=":
		return have >= want
	case "<":
		return have < want
	case "<=":
		return have <= want
	case "!=":
		return have != want
	}
	return have == want
}

// JSONSchema describes the text form to editors.
func (Expect) JSONSchema() *jsonschema.Schema {
	examples := []any{"> 0", "= 3", "!= 0", true, "empty"}
	return &jsonschema.Schema{Examples: examples, OneOf: []*jsonschema.Schema{{Type: "string"}, {Type: "boolean"}, {Type: "number"}}}
}

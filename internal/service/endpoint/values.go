package endpoint

import (
	"fmt"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/invopop/jsonschema"

	"upkeep/internal/quantity"
)

// Status is a set of HTTP status codes: 200, [200, 204], 200-299 or 2xx.
type Status []codes

type codes struct{ from, to int }

// covers reports whether the code is in the set. The empty set is 200-299.
func (s Status) covers(code int) bool {
	if len(s) == 0 {
		return code >= 200 && code <= 299
	}
	return slices.ContainsFunc(s, func(c codes) bool { return code >= c.from && code <= c.to })
}

// String returns the set as people write it.
func (s Status) String() string {
	if len(s) == 0 {
		return "200-299"
	}
	var parts []string
	for _, c := range s {
		part := strconv.Itoa(c.from)
		if c.to != c.from {
			part += "-" + strconv.Itoa(c.to)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

const aStatus = "must be status codes such as 200, [200, 204], 200-299 or 2xx, is %q"

func mistake(format string, value any) error {
	return &quantity.Mistake{Format: format, Args: []any{fmt.Sprint(value)}}
}

// UnmarshalYAML reads one code or range, or a list of them.
func (s *Status) UnmarshalYAML(decode func(any) error) error {
	var value any
	if err := decode(&value); err != nil {
		return err
	}
	items, isList := value.([]any)
	if !isList {
		items = []any{value}
	}
	*s = nil
	for _, item := range items {
		c, ok := parseCodes(fmt.Sprint(item))
		if !ok {
			return mistake(aStatus, value)
		}
		*s = append(*s, c)
	}
	return nil
}

func parseCodes(text string) (c codes, ok bool) {
	if len(text) == 3 && strings.HasSuffix(strings.ToLower(text), "xx") {
		text = text[:1] + "00-" + text[:1] + "99"
	}
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		to = from
	}
	var err1, err2 error
	c.from, err1 = strconv.Atoi(strings.TrimSpace(from))
	c.to, err2 = strconv.Atoi(strings.TrimSpace(to))
	return c, err1 == nil && err2 == nil && c.from >= 100 && c.to <= 999 && c.from <= c.to
}

// JSONSchema describes all forms to editors.
func (Status) JSONSchema() *jsonschema.Schema {
	one := []*jsonschema.Schema{
		{Type: "integer", Minimum: "100", Maximum: "999"},
		{Type: "string", Pattern: `^([1-9]xx|[1-9][0-9]{2}( *- *[1-9][0-9]{2})?)$`},
	}
	return &jsonschema.Schema{
		Description: "status codes such as 200, [200, 204], 200-299 or 2xx",
		OneOf:       append(one, &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{OneOf: one}}),
	}
}

// Budget is a number of requests per second, minute, hour or day: 30/m. Requests
// are spread evenly: 30/m keeps two seconds between two of them.
type Budget struct {
	Requests int
	Per      time.Duration
}

// interval is the least time between two requests, 0 without a budget.
func (b Budget) interval() time.Duration {
	if b.Requests == 0 {
		return 0
	}
	return b.Per / time.Duration(b.Requests)
}

// UnmarshalYAML reads the text form.
func (b *Budget) UnmarshalYAML(decode func(any) error) error {
	var value any
	if err := decode(&value); err != nil {
		return err
	}
	number, unit, _ := strings.Cut(strings.ReplaceAll(fmt.Sprint(value), " ", ""), "/")
	n, err := strconv.Atoi(number)
	per := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[unit]
	if err != nil || n < 1 || per == 0 {
		return mistake("must be a number of requests such as 30/m or 500/h, is %q", value)
	}
	*b = Budget{Requests: n, Per: per}
	return nil
}

// JSONSchema describes the text form to editors.
func (Budget) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{
		Type: "string", Pattern: `^[1-9][0-9]* */ *[smhd]$`,
		Description: "a number of requests such as 30/m or 500/h", Examples: []any{"30/m", "500/h"},
	}
}

// isSecret names headers that carry secrets by their nature.
func isSecret(header string) bool {
	switch textproto.CanonicalMIMEHeaderKey(header) {
	case "Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key", "X-Auth-Token":
		return true
	}
	return false
}

// Package document reads JSON documents of any size as rows. A document is one nested
// value: results by model, by prompt, by difficulty. A pattern says where its rows lie;
// everything is read once, in order, in memory that grows with the depth alone. Single
// values are replaced in the same way, and what is broken is read as far as it goes.
package document

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Pattern names objects of a document by their way from the top: keys divided by
// slashes, {name} for any key, which becomes a value of the row:
// "models/{model}/by_prompt_type/{prompt}". "" is the document itself. Elements of an
// array count as keys: 0, 1, 2.
type Pattern struct {
	text     string
	steps    []string // "" takes any key
	captures []capture
	only     map[string]bool // fields of its rows; nil = all
}

type capture struct {
	name string
	at   int // index of the step
}

// ParsePattern refuses empty keys and names that stand twice.
func ParsePattern(text string) (Pattern, error) {
	p := Pattern{text: text}
	if text == "" {
		return p, nil
	}
	for i, step := range strings.Split(text, "/") {
		if step == "" {
			return p, errors.New("holds an empty key")
		}
		name, any := strings.CutPrefix(step, "{")
		if !any {
			p.steps = append(p.steps, step)
			continue
		}
		name, closed := strings.CutSuffix(name, "}")
		if !closed || name == "" || slices.Contains(p.Captures(), name) {
			return p, fmt.Errorf("%q must be {name} with a name of its own", step)
		}
		p.steps = append(p.steps, "")
		p.captures = append(p.captures, capture{name, i})
	}
	return p, nil
}

// Only is the same pattern, which asks for these fields alone. One that no pattern of an
// object asks for is looked at as JSON and not kept.
func (p Pattern) Only(fields ...string) Pattern {
	p.only = map[string]bool{}
	for _, name := range fields {
		p.only[name] = true
	}
	return p
}

func (p Pattern) wants(field string) bool { return p.only == nil || p.only[field] }

// Captures are the names in braces, in order.
func (p Pattern) Captures() []string {
	names := make([]string, len(p.captures))
	for i, c := range p.captures {
		names[i] = c.name
	}
	return names
}

func (p Pattern) String() string { return p.text }

// keys picks the captured ones from a way.
func (p Pattern) keys(way []string) []string {
	keys := make([]string, len(p.captures))
	for i, c := range p.captures {
		keys[i] = way[c.at]
	}
	return keys
}

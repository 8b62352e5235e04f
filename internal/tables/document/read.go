package document

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Row is one object that a pattern names.
type Row struct {
	Pattern int            // index among those that were asked for
	Keys    []string       // what its captures matched
	Fields  map[string]any // its own values: nil, bool, int64, float64 or string; what lies deeper is left out. Valid until emit returns
	Depth   int            // keys on the way to it
}

// Read calls emit for every object that a pattern names; an object comes after those
// within it. It reads the document to its end: what is no JSON, holds a key twice in one object or
// is no UTF-8 ends it with a *Fault, after the rows before that.
func Read(from io.Reader, patterns []Pattern, emit func(Row) error) error {
	r := &reader{dec: jsontext.NewDecoder(from), patterns: patterns, emit: emit}
	r.lenient, _ = from.(*Lenient)
	if err := r.document(); err != nil {
		return r.fault(err)
	}
	return nil
}

type reader struct {
	dec      *jsontext.Decoder
	patterns []Pattern
	emit     func(Row) error
	way      []string
	names    map[string]string // keys by their texts
	spare    []map[string]any  // of rows that are done
	failed   error             // of emit: it is no fault of the document
	lenient  *Lenient          // what is read through, if it is
}

// match is a pattern whose first steps are the way so far.
type match struct{ pattern, steps int }

func (r *reader) document() error {
	open := make([]match, len(r.patterns))
	for i := range r.patterns {
		open[i] = match{pattern: i}
	}
	if _, err := r.value(open, false); err != nil {
		return err
	}
	return r.ended()
}

// ended reports what follows after the end.
func (r *reader) ended() error {
	_, err := r.dec.ReadToken()
	switch {
	case err == nil:
		return errMore
	case errors.Is(err, io.EOF):
		return nil
	}
	return err
}

// value reads one value and returns it when it is wanted and none with values of its own.
func (r *reader) value(open []match, wanted bool) (any, error) {
	switch kind := r.dec.PeekKind(); {
	case kind == '{' || kind == '[':
		if len(open) == 0 {
			return nested{}, r.dec.SkipValue()
		}
		return nested{}, r.within(open, kind == '{')
	case kind == '0' && wanted:
		text, err := r.dec.ReadValue()
		if err != nil {
			return nil, err
		}
		return number(text), nil
	}
	token, err := r.dec.ReadToken()
	if err != nil || !wanted {
		return nil, err
	}
	return scalar(token), nil
}

// nested stands for a value that has values of its own.
type nested struct{}

func (r *reader) within(open []match, object bool) error {
	var fields map[string]any
	if object && r.complete(open) {
		fields = r.fields()
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	for i := 0; ; i++ {
		if kind := r.dec.PeekKind(); kind == '}' || kind == ']' {
			break
		}
		key, err := r.key(i, object)
		if err != nil {
			return err
		}
		if err := r.entry(open, key, fields); err != nil {
			return err
		}
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	return r.rows(open, fields)
}

func (r *reader) key(i int, object bool) (string, error) {
	if !object {
		return strconv.Itoa(i), nil
	}
	text, err := r.dec.ReadValue()
	if err != nil {
		return "", err
	}
	return r.name(text), nil
}

// mostNames bounds the keys that are kept to be recognised: fields come again in every
// row, what an object names may not.
const mostNames = 4096

// name is the key that a text in quotes stands for.
func (r *reader) name(text jsontext.Value) string {
	if name, known := r.names[string(text)]; known {
		return name
	}
	unquoted, _ := jsontext.AppendUnquote(nil, text) // it was read as a string
	name := string(unquoted)
	if r.names == nil {
		r.names = map[string]string{}
	}
	if len(r.names) < mostNames {
		r.names[string(text)] = name
	}
	return name
}

func (r *reader) entry(open []match, key string, fields map[string]any) error {
	r.way = append(r.way, key)
	wanted := fields != nil && r.wants(open, key)
	v, err := r.value(r.further(open, key), wanted)
	if err != nil {
		return err
	}
	if r.lenient != nil {
		r.lenient.passed(r.dec.InputOffset(), r.way)
	}
	r.way = r.way[:len(r.way)-1]
	if _, deeper := v.(nested); !deeper && wanted {
		fields[key] = v
	}
	return nil
}

// wants reports whether the rows of an object carry a field of it.
func (r *reader) wants(open []match, field string) bool {
	for _, m := range open {
		if p := r.patterns[m.pattern]; m.steps == len(p.steps) && p.wants(field) {
			return true
		}
	}
	return false
}

// further lists the patterns that go on with a key.
func (r *reader) further(open []match, key string) (next []match) {
	for _, m := range open {
		steps := r.patterns[m.pattern].steps
		if m.steps < len(steps) && (steps[m.steps] == "" || steps[m.steps] == key) {
			next = append(next, match{m.pattern, m.steps + 1})
		}
	}
	return next
}

func (r *reader) complete(open []match) bool {
	for _, m := range open {
		if m.steps == len(r.patterns[m.pattern].steps) {
			return true
		}
	}
	return false
}

func (r *reader) fields() map[string]any {
	if len(r.spare) == 0 {
		return map[string]any{}
	}
	last := len(r.spare) - 1
	fields := r.spare[last]
	r.spare = r.spare[:last]
	return fields
}

func (r *reader) rows(open []match, fields map[string]any) error {
	if fields == nil {
		return nil
	}
	defer func() {
		clear(fields)
		r.spare = append(r.spare, fields)
	}()
	for _, m := range open {
		p := r.patterns[m.pattern]
		if m.steps < len(p.steps) {
			continue
		}
		row := Row{Pattern: m.pattern, Keys: p.keys(r.way), Fields: fields, Depth: len(r.way)}
		if r.failed = r.emit(row); r.failed != nil {
			return r.failed
		}
	}
	return nil
}

// scalar is any value but a number.
func scalar(t jsontext.Token) any {
	switch t.Kind() {
	case 't', 'f':
		return t.Bool()
	case '"':
		return t.String()
	}
	return nil
}

// number keeps whole numbers whole where they fit.
func number(text jsontext.Value) any {
	if !bytes.ContainsAny(text, ".eE") {
		if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			return n
		}
	}
	x, err := strconv.ParseFloat(string(text), 64)
	if err != nil { // it is larger than the largest there is
		return math.Copysign(math.MaxFloat64, x)
	}
	return x
}

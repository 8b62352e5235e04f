package document

import (
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// Head reads fields at the top of a document, such as its version, and stops when it has
// them all. One that is not there is missing in the answer.
func Head(from io.Reader, names ...string) (map[string]any, error) {
	r := &reader{dec: jsontext.NewDecoder(from)}
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[name] = true
	}
	fields, err := r.head(wanted)
	if err != nil {
		return nil, r.fault(err)
	}
	return fields, nil
}

func (r *reader) head(wanted map[string]bool) (map[string]any, error) {
	fields := map[string]any{}
	token, err := r.dec.ReadToken()
	if err != nil || token.Kind() != '{' {
		return fields, err
	}
	for len(fields) < len(wanted) && r.dec.PeekKind() != '}' {
		key, err := r.key(0, true)
		if err != nil {
			return nil, err
		}
		value, err := r.value(nil, wanted[key])
		if err != nil {
			return nil, err
		}
		if wanted[key] {
			fields[key] = value
		}
	}
	return fields, nil
}

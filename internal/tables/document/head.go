package document

import (
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// Head reads what a document says of itself before its first nested value: a version,
// when it was made.
func Head(from io.Reader) (map[string]any, error) {
	r := &reader{dec: jsontext.NewDecoder(from)}
	fields, err := r.head()
	if err != nil {
		return nil, r.fault(err)
	}
	return fields, nil
}

func (r *reader) head() (map[string]any, error) {
	fields := map[string]any{}
	token, err := r.dec.ReadToken()
	if err != nil || token.Kind() != '{' {
		return fields, err
	}
	for r.dec.PeekKind() == '"' {
		key, err := r.key(0, true)
		if err != nil {
			return nil, err
		}
		if kind := r.dec.PeekKind(); kind == '{' || kind == '[' {
			return fields, nil
		}
		if fields[key], err = r.value(nil); err != nil {
			return nil, err
		}
	}
	return fields, nil
}

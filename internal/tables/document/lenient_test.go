package document_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"
	"testing/iotest"

	"upkeep/internal/tables/document"
)

// What Python writes for numbers that are none is no value; the rest of the document is
// read, and the place of the first is known.
func TestNumbersThatAreNone(t *testing.T) {
	const text = `{"note": "NaN \"Infinity", "models": {"a": {"total": 1, "rate": NaN}, "b": {"total": 2, "rate": -Infinity, "x": Infinity}, "c": NaN, "d": {"total": 4, "deep": {"y": [NaN, 1]}}}}`
	for name, from := range map[string]io.Reader{
		"at once": strings.NewReader(text), "byte by byte": iotest.OneByteReader(strings.NewReader(text)), "in halves": iotest.HalfReader(strings.NewReader(text)),
	} {
		l := document.NewLenient(from)
		var got []string
		err := document.Read(iotest.OneByteReader(l), parse(t, "models/{m}"), func(r document.Row) error {
			got = append(got, fmt.Sprint(r.Keys, r.Fields))
			return nil
		})
		if want := "[a] map[total:1] [b] map[total:2] [d] map[total:4]"; err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
		if l.N != 5 || l.Offset != int64(strings.Index(text, "NaN}")) || l.Text != "NaN" {
			t.Errorf("%s: %d, the first %s at %d", name, l.N, l.Text, l.Offset)
		}
	}
	l := document.NewLenient(strings.NewReader(text))
	if err := document.Read(l, parse(t, "models/{m}"), func(document.Row) error { return nil }); err != nil || l.Way != "models/a/rate" {
		t.Errorf("the way is %q, %v", l.Way, err)
	}
}

// What is no JSON besides stays a fault, at the same byte.
func TestALenientReaderIsNoLenientParser(t *testing.T) {
	for _, text := range []string{`{"a": NaN, "b"}`, `{"a": NaNs}`, `{NaN: 1}`, `{"a": nan}`, `{"a": 1NaN}`, `{"a": Inf}`, `{"a": -Infini`, `{"a": NaN`} {
		err := document.Read(document.NewLenient(strings.NewReader(text)), nil, nil)
		var f *document.Fault
		if !errors.As(err, &f) {
			t.Errorf("%s gives %v", text, err)
		}
	}
}

func TestWhatMentionsThem(t *testing.T) {
	long := strings.Repeat("x", 256<<10-2)
	for text, want := range map[string]bool{"": false, `{"a": 1}`: false, `{"a": NaN}`: true, long + "Infinity": true, long + "NaN" + long: true, long + long: false} {
		got, err := document.Mentions(iotest.HalfReader(strings.NewReader(text)))
		if got != want || err != nil {
			t.Errorf("%d bytes: %v, %v", len(text), got, err)
		}
	}
}

// Other values are replaced beside them, and they stay as they are.
func TestRewriteBesideNumbersThatAreNone(t *testing.T) {
	const text = `{"rows": [{"a": NaN, "b": 1}, {"a": 2, "b": -Infinity}]}`
	edits := func(yield func(document.Edit, error) bool) {
		_ = yield(document.Edit{Nth: 0, Fields: map[string]any{"b": int64(5)}}, nil) && yield(document.Edit{Nth: 1, Fields: map[string]any{"a": int64(7)}}, nil)
	}
	var out bytes.Buffer
	err := document.Rewrite(strings.NewReader(text), int64(len(text)), &out, parse(t, "rows/{n}"), []iter.Seq2[document.Edit, error]{edits})
	if want := `{"rows": [{"a": NaN, "b": 5}, {"a": 7, "b": -Infinity}]}`; err != nil || out.String() != want {
		t.Errorf("got %s, %v", out.String(), err)
	}
}

package write

import (
	"bufio"
	"context"
	"io"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// object writes every row as a JSON object on a line of its own, its keys in the order of
// the columns. Numbers keep their digits; NaN and the infinities, which JSON lacks, are texts.
type object struct {
	place
	out                   *bufio.Writer
	begin, between, after string // of all rows
	keys                  [][]byte
	line                  []byte
}

func newJSON(out io.Writer, begin, between, after string) *object {
	return &object{out: bufio.NewWriterSize(out, 1<<16), begin: begin, between: between, after: after}
}

func (w *object) Head(_ context.Context, columns []string) error {
	w.columns = columns
	for i, name := range columns {
		if err := w.text(i, name); err != nil {
			return err
		}
		key, err := jsontext.AppendQuote(nil, name)
		if err != nil {
			return err
		}
		w.keys = append(w.keys, append(key, ':'))
	}
	return apart(columns)
}

func (w *object) Row(values []any) error {
	w.row++
	w.line = append(w.line[:0], w.lead()...)
	w.line = append(w.line, '{')
	for i, v := range values {
		if i > 0 {
			w.line = append(w.line, ',')
		}
		w.line = append(w.line, w.keys[i]...)
		if s, is := v.(string); is {
			if err := w.text(i, s); err != nil {
				return err
			}
		}
		w.line = value(w.line, v)
	}
	_, err := w.out.Write(append(w.line, '}'))
	return err
}

// lead is what stands before a row.
func (w *object) lead() string {
	if w.row == 1 {
		return w.begin
	}
	return w.between
}

func value(dst []byte, v any) []byte {
	switch v := v.(type) {
	case bool:
		return strconv.AppendBool(dst, v)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case float64:
		if name := odd(v); name != "" {
			return append(append(append(dst, '"'), name...), '"')
		}
		return number(dst, v)
	case time.Time:
		return append(append(append(dst, '"'), stamp(v)...), '"')
	case string:
		dst, _ = jsontext.AppendQuote(dst, v) // UTF-8: Row has looked
		return dst
	}
	return append(dst, "null"...)
}

func (w *object) Finish(context.Context) (Done, error) {
	end := w.after
	switch {
	case w.row == 0 && w.begin == "":
		end = "" // no lines
	case w.row == 0:
		end = "[]\n"
	}
	_, _ = w.out.WriteString(end) // the buffer keeps its error
	return Done{}, w.out.Flush()
}

func (w *object) Close() error { return nil }

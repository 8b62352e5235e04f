package write

import (
	"bufio"
	"context"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const bom = "\ufeff"

// csv is RFC 4180: commas, CRLF, quotes doubled. Null is an empty field, an empty text "".
type csv struct {
	place
	out  *bufio.Writer
	o    Options
	line []byte
}

func newCSV(out io.Writer, o Options) *csv {
	return &csv{out: bufio.NewWriterSize(out, 1<<16), o: o}
}

func (w *csv) Head(_ context.Context, columns []string) error {
	if err := apart(columns); err != nil {
		return err
	}
	if w.o.BOM {
		_, _ = w.out.WriteString(bom) // the buffer keeps its error
	}
	w.columns = columns
	names := make([]any, len(columns))
	for i, name := range columns {
		names[i] = name
	}
	return w.write(names)
}

func (w *csv) Row(values []any) error {
	w.row++
	return w.write(values)
}

func (w *csv) write(values []any) error {
	w.line = w.line[:0]
	for i, v := range values {
		if i > 0 {
			w.line = append(w.line, ',')
		}
		if s, is := v.(string); is {
			if err := w.text(i, s); err != nil {
				return err
			}
		}
		w.line = w.field(w.line, v)
	}
	if len(w.line) == 0 {
		w.line = append(w.line, `""`...) // an empty line would be no row
	}
	_, err := w.out.Write(append(w.line, "\r\n"...))
	return err
}

func (w *csv) field(dst []byte, v any) []byte {
	switch v := v.(type) {
	case bool:
		return strconv.AppendBool(dst, v)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case float64:
		if name := odd(v); name != "" {
			return append(dst, name...)
		}
		return number(dst, v)
	case time.Time:
		return append(dst, stamp(v)...)
	case string:
		if !w.o.Raw {
			v = harmless(v)
		}
		return quoted(dst, v)
	}
	return dst
}

// begins are the characters by which spreadsheets know a formula, or which they skip
// before one. The wide forms count where texts are Chinese or Japanese.
const begins = "=+-@\t\r\n\x00＝＋－＠"

// harmless puts an apostrophe before a text that a spreadsheet would calculate, and before
// one that looks as if that had been done to it, so that taking one away gives every text back.
func harmless(s string) string {
	inner := strings.TrimLeft(s, "'")
	if first, size := utf8.DecodeRuneInString(inner); size > 0 && strings.ContainsRune(begins, first) {
		return "'" + s
	}
	return s
}

func quoted(dst []byte, s string) []byte {
	if s != "" && !strings.ContainsAny(s, "\",\r\n") && s[0] != ' ' && s[len(s)-1] != ' ' {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	dst = append(dst, strings.ReplaceAll(s, `"`, `""`)...)
	return append(dst, '"')
}

func (w *csv) Finish(context.Context) (Done, error) { return Done{}, w.out.Flush() }

func (w *csv) Close() error { return nil }

package document

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
)

// Lenient reads a document in which Python's json has written NaN, Infinity or -Infinity in
// the place of a number. That is no JSON, and Python reads it. Whoever reads on sees an empty
// array of the same length, which is no value of a row.
type Lenient struct {
	N      int64  // of them, so far
	Offset int64  // bytes before the first
	Text   string // of the first
	Way    string // keys that lead to the first, as far as they were looked at

	from            *bufio.Reader
	at              int64  // bytes given
	rest            []byte // of what takes the place of one, where there was no more room
	quoted, escaped bool
}

// literals are what Python writes, the longest first.
func literals() []string { return []string{"-Infinity", "Infinity", "NaN"} }

// Mentions reports whether one of them stands somewhere, maybe in a text: most documents
// need no lenient reader.
func Mentions(from io.Reader) (bool, error) {
	const chunk, longest = 256 << 10, len("Infinity") - 1
	buf := make([]byte, longest+chunk)
	kept := 0
	for {
		n, err := io.ReadFull(from, buf[kept:kept+chunk])
		part := buf[:kept+n]
		if bytes.Contains(part, []byte("NaN")) || bytes.Contains(part, []byte("Infinity")) {
			return true, nil
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		kept = copy(buf, part[max(0, len(part)-longest):])
	}
}

// NewLenient reads a document from its beginning.
func NewLenient(from io.Reader) *Lenient { return &Lenient{from: bufio.NewReaderSize(from, 64<<10)} }

func (l *Lenient) Read(p []byte) (n int, err error) {
	if len(l.rest) > 0 {
		n = copy(p, l.rest)
		l.rest = l.rest[n:]
	} else {
		n, err = l.from.Read(p)
		l.replace(p[:n])
	}
	l.at += int64(n)
	return n, err
}

// replace looks at every byte outside texts.
func (l *Lenient) replace(p []byte) {
	for i := 0; i < len(p); i++ {
		c := p[i]
		switch {
		case l.escaped:
			l.escaped = false
		case l.quoted && c == '\\':
			l.escaped = true
		case c == '"':
			l.quoted = !l.quoted
		case !l.quoted && (c == 'N' || c == 'I' || c == '-'):
			i += max(0, l.instead(p, i)-1)
		}
	}
}

// instead writes an empty array over one that begins there, and returns how long it is. The
// end of it may still lie in the reader below.
func (l *Lenient) instead(p []byte, i int) int {
	for _, text := range literals() {
		here := min(len(text), len(p)-i)
		if string(p[i:i+here]) != text[:here] {
			continue
		}
		more, _ := l.from.Peek(len(text) - here) // where less is there, it is another text
		if string(more) != text[here:] {
			continue
		}
		if l.N == 0 {
			l.Offset, l.Text = l.at+int64(i), text
		}
		l.N++
		array := []byte("[]" + strings.Repeat(" ", len(text)-2))
		copy(p[i:], array)
		l.rest = array[here:]
		_, _ = l.from.Discard(len(more)) // they were just looked at
		return here
	}
	return 0
}

// passed notes the way to the first one, when the parser has come behind it.
func (l *Lenient) passed(offset int64, way []string) {
	if l.N > 0 && l.Way == "" && offset > l.Offset {
		l.Way = strings.Join(way, "/")
	}
}

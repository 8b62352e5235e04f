package record

import (
	"bytes"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// plain returns a line as UTF-8 that a terminal can show.
func (r *Reader) plain(line []byte) []byte {
	if bytes.IndexByte(line, esc) >= 0 {
		line = stripColours(r.colours[:0], line)
		r.colours = line
	}
	if !hasControl(line) {
		if utf8.Valid(line) {
			return line
		}
		if decoded, ok := fromGBK(line); ok {
			r.stats.Decoded++
			return decoded
		}
	}
	r.stats.Escaped++
	r.escaped = appendEscaped(r.escaped[:0], line)
	return r.escaped
}

func hasControl(line []byte) bool {
	for _, c := range line {
		if c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}

// fromGBK decodes a line that is GBK from its first byte to its last.
func fromGBK(line []byte) ([]byte, bool) {
	decoded, err := simplifiedchinese.GBK.NewDecoder().Bytes(line)
	return decoded, err == nil && !bytes.ContainsRune(decoded, utf8.RuneError)
}

// appendEscaped writes what is no text as \xNN.
func appendEscaped(b, line []byte) []byte {
	const digits = "0123456789abcdef"
	for len(line) > 0 {
		r, n := utf8.DecodeRune(line)
		if r == utf8.RuneError && n == 1 || r < ' ' && r != '\t' || r == 0x7f {
			b = append(b, '\\', 'x', digits[line[0]>>4], digits[line[0]&15])
		} else {
			b = append(b, line[:n]...)
		}
		line = line[n:]
	}
	return b
}

const esc = 0x1b

// stripColours leaves out what moves a cursor, paints or names a window.
func stripColours(b, line []byte) []byte {
	for {
		at := bytes.IndexByte(line, esc)
		if at < 0 {
			return append(b, line...)
		}
		b = append(b, line[:at]...)
		line = line[at+sequence(line[at:]):]
	}
}

// sequence is the length of the escape sequence that starts b. One that does not
// end is the escape character alone.
func sequence(b []byte) int {
	if len(b) < 2 {
		return 1
	}
	switch b[1] {
	case '[':
		for i := 2; i < len(b); i++ {
			if b[i] >= 0x40 && b[i] <= 0x7e {
				return i + 1
			}
		}
		return 1
	case ']':
		if n := bytes.IndexByte(b, 7); n > 0 {
			return n + 1
		}
		if n := bytes.Index(b, []byte("\x1b\\")); n > 0 {
			return n + 2
		}
		return 1
	}
	return 2
}

package template

// class sorts bytes for the scanner.
type class uint8

const (
	atom  class = iota // letters, digits and what may stand inside a name or number
	digit              // an atom too
	space
	punct // separates atoms
	high  // part of a character beyond ASCII
)

// classes is a table because the scanner asks once per byte.
var classes = func() (t [256]class) { // constant, as far as Go allows
	for c := range t {
		switch {
		case c >= 0x80:
			t[c] = high
		case c >= '0' && c <= '9':
			t[c] = digit
		case c <= ' ' || c == 0x7f:
			t[c] = space
		}
	}
	for _, c := range "=:,;()[]{}\"'|<>`" {
		t[c] = punct
	}
	return t
}()

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isAlnum(c byte) bool { return isLetter(c) || classes[c] == digit }

// soft says whether variables on both sides of c are parts of one: a list, an
// address with its port, a date with its time.
func soft(c byte) bool {
	switch c {
	case ' ', ',', ':', ';', '|', '/', '-', 'x':
		return true
	}
	return false
}

// widePunct says whether the character that starts b is one of the full-width
// punctuation marks, which separate as their narrow forms do. All take 3 bytes.
func widePunct(b []byte) bool {
	if len(b) < 3 {
		return false
	}
	switch b[0] {
	case 0xe3: // 、。〈〉《》「」『』【】 and the wide space
		return b[1] == 0x80 && b[2] < 0xa0
	case 0xef: // ！（），：；＝？ and the like
		return (b[1] == 0xbc && (b[2] < 0x90 || b[2] > 0x99) && (b[2] < 0xa1 || b[2] > 0xba)) || (b[1] == 0xbd && b[2] > 0x9a)
	case 0xe2: // “”‘’…—
		return b[1] == 0x80 && b[2] >= 0x90 && b[2] <= 0xa6
	}
	return false
}

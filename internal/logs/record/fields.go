package record

import "bytes"

// fields looks for the level behind a stamp. Only what heads are made of may stand
// before it: numbers, brackets, a logger between dashes. Anything else is the
// message, in which no level is looked for.
type fields struct {
	rest    []byte
	level   Level
	name    []byte
	follows bool
	numbers int // fields of digits so far: process and thread
}

// maxFields is how many fields may stand before the level.
const maxFields = 5

func (f *fields) find() bool {
	for range maxFields {
		field, rest := f.cut()
		if f.isLevel(field, rest) {
			return true
		}
		if !f.skip(field, rest) {
			return false
		}
	}
	return false
}

// cut takes a field off: a bracket with all inside, or up to the next blank.
func (f *fields) cut() (field, rest []byte) {
	end := bytes.IndexByte(f.rest, ' ')
	if len(f.rest) > 0 && f.rest[0] == '[' {
		if n := bytes.IndexByte(f.rest, ']'); n > 0 && n <= maxBracket && !bytes.HasPrefix(f.rest[n+1:], []byte("@")) {
			end = n + 1
		}
	}
	if end < 0 {
		end = len(f.rest)
	}
	return f.rest[:end], f.rest[end:]
}

func (f *fields) isLevel(field, rest []byte) bool {
	bracketed := len(field) > 2 && field[0] == '['
	word, process, _ := bytes.Cut(bytes.Trim(field, "[]:,| "), []byte("/"))
	level := levelOf(bytes.TrimRight(word, " "))
	if bracketed && level == None {
		level = anyCase(bytes.TrimRight(word, " "))
	}
	signed := level == None && len(field) == 1 && f.numbers > 0 && isCapital(field[0])
	if signed {
		level = bySign(field[0])
	}
	colon := bytes.HasSuffix(field, []byte(":"))
	f.follows = level == None && colon && followsUp(word)
	if level == None && !f.follows || f.numbers > 0 && !bracketed && !colon && !signed && !startsWithName(rest) {
		return false
	}
	if len(process) > 0 {
		f.name = process
	}
	f.level = level
	f.rest = bytes.TrimLeft(rest, " ")
	f.afterLevel(colon, signed)
	return true
}

// startsWithName tells "148 INFO dfs.DataNode: text" from "12 ERROR lines found".
func startsWithName(rest []byte) bool {
	first, _, _ := bytes.Cut(bytes.TrimLeft(rest, " "), []byte(" "))
	return bytes.ContainsAny(first, ".$:[")
}

func isCapital(c byte) bool { return c >= 'A' && c <= 'Z' }

// afterLevel takes what may stand between the level and the message: a dash, or
// the logger as in "INFO dfs.DataNode: text". One word before a colon may be the
// start of the message: a logger has a dot, or stands behind Android's letter.
func (f *fields) afterLevel(colon, signed bool) {
	for _, mark := range [...]string{"- ", "| ", ": "} {
		f.rest = bytes.TrimPrefix(f.rest, []byte(mark))
	}
	if colon || len(f.name) > 0 {
		return
	}
	n := bytes.Index(f.rest[:min(len(f.rest), 2*maxBracket)], []byte(": "))
	if n > 0 && isName(f.rest[:n]) && (signed || bytes.ContainsAny(f.rest[:n], ".$")) {
		f.name, f.rest = f.rest[:n], f.rest[n+2:]
	}
}

// skip takes a field that may stand before the level.
func (f *fields) skip(field, rest []byte) bool {
	next := bytes.TrimLeft(rest, " ")
	switch {
	case len(field) == 0 || len(next) == 0:
		return false
	case isNumber(field):
		f.numbers++
	case len(field) == 1 && (field[0] == '-' || field[0] == '|'), field[0] == '[' && field[len(field)-1] == ']':
	case isAccount(field):
	case isName(field) && (bytes.HasPrefix(next, []byte("- ")) || bytes.HasPrefix(next, []byte("| "))):
		f.name = field
	default:
		return false
	}
	f.rest = next
	return true
}

// isAccount says whether b is PostgreSQL's user@database: "@" of its own processes,
// "[unknown]@[unknown]" before login.
func isAccount(b []byte) bool {
	user, database, found := bytes.Cut(b, []byte("@"))
	for _, name := range [...][]byte{user, database} {
		if name = bytes.Trim(name, "[]"); len(name) > 0 && !isName(name) {
			return false
		}
	}
	return found
}

func isNumber(b []byte) bool {
	for _, c := range b {
		if !isDigit(c) {
			return false
		}
	}
	return true
}

// isName says whether b can be the name of a logger.
func isName(b []byte) bool {
	for _, c := range b {
		switch {
		case isDigit(c), c|0x20 >= 'a' && c|0x20 <= 'z', c >= 0x80:
		case bytes.IndexByte([]byte("._-$@/"), c) >= 0:
		default:
			return false
		}
	}
	return len(b) > 0
}

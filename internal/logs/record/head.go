package record

import (
	"bytes"
	"time"
)

// head is what stands before the message on a line.
type head struct {
	found   bool // the line has a head
	stamped bool
	follows bool // the line belongs to the record before it
	time    time.Time
	level   Level
	name    []byte
	message []byte
	more    []byte // lines that are written as one
}

// parse finds the head of a line. A line without one is all message.
func (r *Reader) parse(text []byte) head {
	switch c := text[0]; {
	case c == '{':
		if h, ok := r.parseJSON(text); ok {
			return h
		}
	case c >= 'A' && c <= 'Z':
		if h, ok := levelFirst(text); ok {
			return h
		}
		if h, ok := r.letterFirst(text); ok {
			return h
		}
	case isDigit(c):
		if h, ok := r.pidFirst(text); ok {
			return h
		}
	case c == '[':
		return r.bracketFirst(text)
	}
	return r.stampFirst(text, text)
}

// bracketFirst takes [stamp] and [stamp: LEVEL/Process]. Another bracket is kept as
// text, also [ERROR]: scripts print it in front of lines that are none. When a head
// with a stamp stands behind the bracket, that one counts.
func (r *Reader) bracketFirst(text []byte) head {
	if h := r.stampFirst(text[1:], text); h.stamped {
		return r.inner(h)
	}
	end := bytes.IndexByte(text, ']')
	if end < 0 || end > maxBracket {
		return head{message: text}
	}
	rest := bytes.TrimLeft(text[end+1:], " ")
	if len(rest) > 0 && isDigit(rest[0]) {
		if h := r.stampFirst(rest, text); h.stamped {
			return h
		}
	}
	return head{message: text}
}

// maxBracket is how long a bracket in a head may be.
const maxBracket = 64

// inner looks for a second head in the message of a script that stamps the lines
// of another program.
func (r *Reader) inner(h head) head {
	if h.level != None || len(h.message) == 0 || !isDigit(h.message[0]) {
		return h
	}
	if inner := r.stampFirst(h.message, h.message); inner.stamped {
		return inner
	}
	return h
}

// stampFirst reads a head that starts with a stamp. all is the whole line, which
// is the message when there is none.
func (r *Reader) stampFirst(text, all []byte) head {
	p, n := stamp(text)
	if n == 0 {
		return r.accessLine(all)
	}
	h := head{found: true, stamped: true, time: r.clock.time(p)}
	rest := bytes.TrimLeft(text[n:], "]:| ")
	f := fields{rest: rest}
	if !f.find() {
		h.message = rest
		h.program(p)
		return h
	}
	h.level, h.name, h.message, h.follows = f.level, f.name, f.rest, f.follows
	return h
}

// accessLine finds the stamp of a web server's line: address, user, [stamp].
func (r *Reader) accessLine(text []byte) head {
	h := head{message: text}
	at := bytes.Index(text[:min(len(text), 2*maxBracket)], []byte(" ["))
	if at < 0 || len(text) < at+22 || text[at+4] != '/' {
		return h
	}
	if p, n := dayFirst(text[at+2:]); n > 0 && p.valid() {
		h.found, h.stamped, h.time = true, true, r.clock.time(p)
	}
	return h
}

// program takes "host program[pid]: " of a syslog line, which has a month's name
// and no level.
func (h *head) program(p parts) {
	if p.year != 0 || p.month == 0 {
		return
	}
	end := bytes.Index(h.message[:min(len(h.message), 2*maxBracket)], []byte(": "))
	blank := bytes.IndexByte(h.message, ' ')
	if end < 0 || blank < 0 || blank > end || bytes.IndexByte(h.message[blank+1:end], ' ') >= 0 {
		return
	}
	name, _, _ := bytes.Cut(h.message[blank+1:end], []byte("["))
	h.name, h.message = name, h.message[end+2:]
}

// levelFirst reads "LEVEL:logger:text" and "INFO:     text".
func levelFirst(text []byte) (head, bool) {
	n := bytes.IndexByte(text[:min(len(text), 10)], ':')
	if n < 0 {
		return head{}, false
	}
	level := levelOf(text[:n])
	if level == None {
		return head{}, false
	}
	rest := text[n+1:]
	if end := bytes.IndexByte(rest[:min(len(rest), maxBracket)], ':'); end > 0 && isName(rest[:end]) {
		return head{found: true, level: level, name: rest[:end], message: rest[end+1:]}, true
	}
	return head{found: true, level: level, message: bytes.TrimLeft(rest, " ")}, true
}

// letterFirst reads the head of Kubernetes: I1125 18:44:38.123456 1 file.go:1] text.
func (r *Reader) letterFirst(text []byte) (head, bool) {
	if !fits(text[1:], "0000 00:00:00.000000 ") {
		return head{}, false
	}
	p, n := withClock(text, 6, parts{month: number(text[1:3]), day: number(text[3:5])})
	end := bytes.Index(text, []byte("] "))
	level := bySign(text[0])
	if level == None || !p.valid() || end < n {
		return head{}, false
	}
	at := bytes.LastIndexByte(text[:end], ' ')
	return head{found: true, stamped: true, time: r.clock.time(p), level: level, name: text[at+1 : end], message: text[end+2:]}, true
}

// pidFirst reads the head of Redis: 1234:M 25 Nov 2026 18:44:38.123 * text.
func (r *Reader) pidFirst(text []byte) (head, bool) {
	at := bytes.IndexByte(text[:min(len(text), 12)], ':')
	if at < 0 || len(text) < at+28 || text[at+2] != ' ' {
		return head{}, false
	}
	p, n := dayFirst(text[at+3:])
	rest := text[at+3+n:]
	if n == 0 || !p.valid() || len(rest) < 3 || rest[0] != ' ' || rest[2] != ' ' || bySign(rest[1]) == None {
		return head{}, false
	}
	return head{found: true, stamped: true, time: r.clock.time(p), level: bySign(rest[1]), message: rest[3:]}, true
}

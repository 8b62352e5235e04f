package record

import (
	"bytes"
	"io"
	"time"
)

// Reader reads records. It holds one of them and the start of the next.
type Reader struct {
	options Options
	lines   *lines
	clock   clock
	stats   Stats

	colours, escaped []byte // reused
	now, next        held
	full             bool // next holds a record
	end              error
	inTrace          bool // within a traceback of the record that is being read
	last             time.Time
}

// held is a record with the bytes that it points into.
type held struct {
	Record
	headed bool // the line has a head
	raw    []byte
	text   []byte
	more   []byte
}

// NewReader returns a Reader of from.
func NewReader(from io.Reader, o Options) *Reader {
	r := &Reader{options: o, clock: newClock(o)}
	r.lines = newLines(from, &r.stats)
	return r
}

// Reset begins another stream in the memory of the last one: a buffer per file would
// cost more than a small file does.
func (r *Reader) Reset(from io.Reader) {
	r.lines.from, r.lines.start, r.lines.end, r.lines.err = from, 0, 0, nil
	r.clock, r.stats = newClock(r.options), Stats{}
	r.now, r.next = r.now.cleared(), r.next.cleared()
	r.full, r.end, r.inTrace, r.last = false, nil, false, time.Time{}
}

func (h held) cleared() held { return held{raw: h.raw[:0], text: h.text[:0], more: h.more[:0]} }

// Stats says what was read so far.
func (r *Reader) Stats() Stats { return r.stats }

// Next returns the next record, and io.EOF behind the last one.
func (r *Reader) Next() (*Record, error) {
	if !r.full && r.end == nil {
		r.advance()
	}
	if !r.full {
		return nil, r.end
	}
	r.now, r.next, r.full, r.inTrace = r.next, r.now, false, false
	r.advance()
	r.now.More = r.now.more
	r.stats.Records++
	return &r.now.Record, nil
}

// advance reads up to the line that starts the next record; lines before it
// belong to the present one.
func (r *Reader) advance() {
	for r.end == nil {
		line, err := r.lines.next()
		if err != nil {
			r.end = err
			return
		}
		text := r.plain(line)
		if blank(text) {
			continue
		}
		head := r.parse(text)
		if !head.found && r.stats.Lines <= fileHeader {
			r.clock.learn(text)
		}
		if !r.belongs(text, head) {
			r.hold(line, head)
			return
		}
		r.append(text)
	}
}

// fileHeader is how many lines at the start of a file may tell the day of stamps
// that have none.
const fileHeader = 50

func blank(text []byte) bool { return len(bytes.TrimSpace(text)) == 0 }

// hold keeps a line as the next record.
func (r *Reader) hold(line []byte, head head) {
	h := &r.next
	h.raw = append(h.raw[:0], line...)
	h.text = append(append(h.text[:0], head.name...), head.message...)
	h.more = append(h.more[:0], head.more...)
	h.headed = head.found
	if head.stamped {
		r.last = head.time
	}
	n := len(head.name)
	h.Record = Record{Time: r.last, Stamped: head.stamped, Level: head.level, Name: h.text[:n], Message: h.text[n:], Raw: h.raw, Line: r.stats.Lines}
	r.full = true
}

// append adds a line to the record that is being read.
func (r *Reader) append(text []byte) {
	h := &r.now
	room := MaxMore - len(h.more)
	if len(h.more) > 0 && room > 0 {
		h.more = append(h.more, '\n')
		room--
	}
	kept := min(room, len(text))
	h.more = append(h.more, text[:kept]...)
	r.stats.Dropped += int64(len(text) - kept)
}

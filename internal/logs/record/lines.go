package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// lines cuts a stream at line ends. A line longer than MaxLine keeps its start.
type lines struct {
	from       io.Reader
	buf        []byte
	start, end int // unread bytes in buf
	err        error
	stats      *Stats
}

func newLines(from io.Reader, stats *Stats) *lines {
	return &lines{from: from, buf: make([]byte, 4*MaxLine), stats: stats}
}

// next returns a line without its end, valid until the next call.
func (l *lines) next() ([]byte, error) {
	for seen := 0; ; {
		if n := bytes.IndexByte(l.buf[l.start+seen:l.end], '\n'); n >= 0 {
			return l.take(seen+n, 1), nil
		}
		seen = l.end - l.start
		switch {
		case seen > MaxLine:
			return l.long()
		case l.err == nil:
			l.fill()
		case !errors.Is(l.err, io.EOF):
			return nil, fmt.Errorf("read the log: %w", l.err)
		case seen > 0:
			return l.take(seen, 0), nil
		default:
			return nil, io.EOF
		}
	}
}

func (l *lines) fill() {
	if l.start > 0 && l.end == len(l.buf) {
		l.end = copy(l.buf, l.buf[l.start:l.end])
		l.start = 0
	}
	n, err := l.from.Read(l.buf[l.end:])
	l.end += n
	l.err = err
	l.stats.Bytes += int64(n)
}

// take returns n bytes and skips the end of the line behind them.
func (l *lines) take(n, newline int) []byte {
	line := l.buf[l.start : l.start+n]
	l.start += n + newline
	l.stats.Lines++
	if n > MaxLine {
		l.stats.Cut++
		l.stats.Dropped += int64(n - MaxLine)
		line = line[:MaxLine]
	}
	return bytes.TrimSuffix(line, []byte{'\r'})
}

// long returns the start of a line that does not fit and reads over the rest. The
// start is moved to the front of the buffer, where reading on leaves it alone.
func (l *lines) long() ([]byte, error) {
	copy(l.buf, l.buf[l.start:l.start+MaxLine])
	l.stats.Lines++
	l.stats.Cut++
	for skipped := l.end - l.start - MaxLine; ; {
		l.start, l.end = MaxLine, MaxLine
		l.stats.Dropped += int64(skipped)
		if l.err != nil {
			return l.buf[:MaxLine], nil
		}
		l.fill()
		skipped = l.end - l.start
		if n := bytes.IndexByte(l.buf[l.start:l.end], '\n'); n >= 0 {
			l.stats.Dropped += int64(n)
			l.start += n + 1
			return l.buf[:MaxLine], nil
		}
	}
}

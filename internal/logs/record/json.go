package record

import (
	"bytes"
	"time"

	"github.com/tidwall/gjson"
)

// parseJSON reads a line that is one JSON object, by the names that structlog,
// logrus, zap, slog and containers give to their fields.
func (r *Reader) parseJSON(text []byte) (head, bool) {
	if !gjson.ValidBytes(text) {
		return head{}, false
	}
	h := head{found: true}
	inContainer := false
	gjson.ParseBytes(text).ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "event", "message", "msg":
			h.message = []byte(value.String())
		case "log":
			inContainer, h.message = value.Type == gjson.String, []byte(value.String())
		case "level", "severity", "lvl", "levelname":
			h.level = anyCase([]byte(value.String()))
		case "logger", "name", "logger_name":
			h.name = []byte(value.String())
		case "exception", "exc_info", "stack", "stacktrace", "stack_trace":
			h.more = []byte(value.String())
		case "timestamp", "time", "ts", "@timestamp":
			h.stamped, h.time = r.jsonTime(value)
		}
		return true
	})
	if h.message == nil {
		return head{}, false
	}
	if inContainer {
		return r.contained(h), true
	}
	first, rest, _ := bytes.Cut(trimNewline(h.message), []byte{'\n'})
	h.message = bytes.Clone(r.plain(first))
	h.more = joinLines(rest, h.more)
	return h, true
}

func joinLines(a, b []byte) []byte {
	if len(a) > 0 && len(b) > 0 {
		a = append(a, '\n')
	}
	return append(a, b...)
}

// jsonTime reads a stamp, or seconds or milliseconds since 1970.
func (r *Reader) jsonTime(v gjson.Result) (bool, time.Time) {
	if v.Type == gjson.Number {
		const milliseconds = 1e11 // as seconds this would be in the year 5138
		if v.Num > milliseconds {
			return true, time.UnixMilli(int64(v.Num)).UTC()
		}
		return true, time.UnixMicro(int64(v.Num * 1e6)).UTC()
	}
	p, n := stamp([]byte(v.Str))
	if n == 0 {
		return false, time.Time{}
	}
	return true, r.clock.time(p)
}

// contained reads the line that a container printed; the time at which it was
// received stands in for a missing one.
func (r *Reader) contained(outer head) head {
	text := bytes.Clone(r.plain(trimNewline(outer.message)))
	if len(text) == 0 {
		return outer
	}
	h := r.parse(text)
	if h.time.IsZero() {
		h.time, h.stamped = outer.time, outer.stamped
	}
	return h
}

func trimNewline(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return b
}

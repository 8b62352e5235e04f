package record

import "bytes"

// belongs says whether a line is part of the record before it. Before the first
// record nothing is.
func (r *Reader) belongs(text []byte, head head) bool {
	if r.now.Line == 0 {
		return false
	}
	if head.found {
		return head.follows && r.now.headed
	}
	switch {
	case text[0] == ' ' || text[0] == '\t':
		return true
	case opensTrace(text):
		was := r.inTrace
		r.inTrace = true
		return was || r.now.headed
	case r.inTrace:
		// The line that names the exception ends the traceback.
		r.inTrace = linksTraces(text)
		return true
	}
	return r.now.headed && isException(text) || len(r.now.more) > 0 && isClosing(text) || linksTraces(text)
}

func opensTrace(text []byte) bool {
	return bytes.HasPrefix(text, []byte("Traceback (most recent call"))
}

// linksTraces says whether a line stands between two tracebacks of one error.
func linksTraces(text []byte) bool {
	return bytes.HasPrefix(text, []byte("During handling of the above exception")) ||
		bytes.HasPrefix(text, []byte("The above exception was the direct cause")) ||
		bytes.HasPrefix(text, []byte("Caused by: "))
}

// isException says whether a line starts with the full name of an exception.
func isException(text []byte) bool {
	n := bytes.IndexAny(text, ": ")
	if n < 0 {
		n = len(text)
	}
	name := text[:n]
	return bytes.IndexByte(name, '.') > 0 && !bytes.ContainsAny(name, "/[(") &&
		(bytes.HasSuffix(name, []byte("Exception")) || bytes.HasSuffix(name, []byte("Error")))
}

func isClosing(text []byte) bool {
	return len(text) <= 3 && bytes.IndexByte([]byte("}])"), text[0]) >= 0
}

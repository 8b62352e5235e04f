package record

// levelOf reads the name of a level as programs print it: in capitals. It takes no
// other word, and no part of one.
func levelOf(b []byte) Level {
	if len(b) < 3 || len(b) > 8 {
		return None
	}
	switch string(b) {
	case "TRACE", "DEBUG", "DEBUG1", "DEBUG2", "DEBUG3", "DEBUG4", "DEBUG5", "FINE":
		return Debug
	case "INFO", "LOG", "NOTICE":
		return Info
	case "WARN", "WARNING":
		return Warning
	case "ERR", "ERROR", "SEVERE":
		return Error
	case "CRITICAL", "CRIT", "FATAL", "PANIC", "ALERT", "EMERG":
		return Critical
	}
	return None
}

// anyCase reads a level where nothing but a level can stand: in brackets behind a
// stamp and in a field of that name.
func anyCase(b []byte) Level {
	if len(b) > 8 {
		return None
	}
	var upper [8]byte
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		upper[i] = c
	}
	return levelOf(upper[:len(b)])
}

// bySign reads the marks of Redis and the letters of Android and Kubernetes.
func bySign(c byte) Level {
	switch c {
	case '.', 'V', 'D':
		return Debug
	case '-', '*', 'I':
		return Info
	case '#', 'W':
		return Warning
	case 'E':
		return Error
	case 'F':
		return Critical
	}
	return None
}

// followsUp says whether a word in the place of PostgreSQL's level tells that the
// line belongs to the message before it.
func followsUp(b []byte) bool {
	switch string(b) {
	case "DETAIL", "HINT", "STATEMENT", "CONTEXT", "QUERY", "LOCATION":
		return true
	}
	return false
}

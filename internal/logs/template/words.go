package template

import (
	"bytes"
	"slices"
	"strings"
)

// isLiteral says whether a word is a value in every language: a truth, nothing,
// a day, a month.
func isLiteral(w []byte) bool {
	switch len(w) {
	case 3:
		return classes[w[0]] != high && w[0] < 'a' && strings.Contains("Mon Tue Wed Thu Fri Sat Sun Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec", string(w))
	case 4:
		return bytes.EqualFold(w, []byte("true")) || bytes.EqualFold(w, []byte("null")) || string(w) == "None"
	case 5:
		return bytes.EqualFold(w, []byte("false"))
	}
	return false
}

// unitEnd returns the end of the unit at from, or the end of what stands before
// the blank when it is none.
func unitEnd(line []byte, from int) int {
	end := from
	for end < len(line) && end-from < 8 && isLetter(line[end]) {
		end++
	}
	if end < len(line) && (isAlnum(line[end]) || line[end] == '/' || line[end] == '_') || !isUnit(line[from:end]) {
		return from - 1
	}
	return end
}

func isUnit(w []byte) bool {
	switch string(w) {
	case "B", "KB", "MB", "GB", "TB", "kB", "KiB", "MiB", "GiB", "TiB", "byte", "bytes", "ns", "us", "ms", "s", "m", "h",
		"sec", "secs", "second", "seconds", "min", "mins", "minute", "minutes", "hour", "hours", "day", "days", "millis":
		return true
	}
	return false
}

func isMethod(quoted []byte) bool {
	n := bytes.IndexByte(quoted, ' ')
	if n < 3 || n > 7 {
		return false
	}
	switch string(quoted[:n]) {
	case "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT":
		return true
	}
	return false
}

// How many different words make a place a variable, by what is known of them.
const (
	manyWords  = 6  // nothing
	someWords  = 3  // they look like names of machines, files or modules
	manyStates = 40 // they look like states or actions, which name the event
)

// vary judges whether the words seen at one place are values of a variable
// rather than the names of different events. before is the word in front.
func vary(words []string, before string, numbers bool) bool {
	n := len(words)
	states, names, codes := 0, 0, 0
	for _, w := range words {
		if isCode(w) {
			codes++
		}
		if isState(w) {
			states++
		} else if isName(w) {
			names++
		}
	}
	switch {
	case n >= 2 && codes == n && (isCue(before) || isLink(before)):
		return true
	case states*2 >= n && states > 0:
		return n >= manyStates
	case numbers || n >= manyWords:
		return true
	case names*2 > n:
		return n >= someWords || isCue(before)
	}
	return n >= 2 && isCue(before)
}

// isName says whether a word is built like the name of a machine, file, package
// or table.
func isName(w string) bool {
	return strings.ContainsAny(w, "._-$@~") && len(w) > 2
}

// isCode says whether a word is written as programs write the values of an
// enumeration: RUNNING, NO_SPACE.
func isCode(w string) bool {
	for i := range len(w) {
		if (w[i] < 'A' || w[i] > 'Z') && w[i] != '_' {
			return false
		}
	}
	return len(w) > 1
}

// isLink says whether a value of an enumeration may follow, as in "changed from NEW
// to RUNNING". Other words behind it may be verbs: "failed to start".
func isLink(before string) bool {
	switch before {
	case "to", "is", "in", "state", "status", "code", "level", "mode", "type":
		return true
	}
	return false
}

// isCue says whether a word announces a name.
func isCue(before string) bool {
	_, found := slices.BinarySearch(cues, strings.ToLower(strings.TrimRight(before, "#")))
	return found
}

var cues = []string{ // sorted; constant, as far as Go allows
	"account", "application", "bucket", "by", "client", "container", "database", "db", "deployment", "device", "driver",
	"file", "for", "from", "function", "group", "host", "hostname", "image", "interface", "key", "module", "name", "named",
	"namespace", "node", "package", "partition", "pod", "process", "queue", "relation", "role", "schema", "server", "service", "table", "task", "topic",
	"unit", "user", "username", "using", "volume", "worker", "zone", "用户", "项目",
}

// isState says whether a word tells what happened rather than to whom.
func isState(w string) bool {
	l := strings.ToLower(w)
	if len(l) > 4 && (strings.HasSuffix(l, "ed") || strings.HasSuffix(l, "ing")) {
		return true
	}
	_, found := slices.BinarySearch(states, l)
	return found
}

var states = []string{ // sorted; constant, as far as Go allows
	"a", "accept", "access", "add", "all", "an", "and", "are", "as", "at", "be", "begin", "busy", "by", "cannot", "check", "close", "commit", "connect", "create",
	"delete", "disable", "disconnect", "done", "down", "enable", "end", "enter", "error", "exit", "fail", "failure", "fatal", "file", "finish", "for", "found", "free",
	"from", "full", "get", "has", "hit", "idle", "in", "input", "invalid", "is", "it", "join", "leave", "left", "load", "lock", "login", "logout",
	"lost", "miss", "new", "no", "not", "of", "off", "offline", "ok", "old", "on", "online", "open", "or", "out", "output", "pause", "post", "put", "read", "ready",
	"receive", "release", "remove", "reset", "restart", "resume", "retry", "run", "save", "send", "sent", "set", "shutdown", "start", "stop", "succeeded", "success",
	"suspend", "the", "timeout", "to", "unable", "unknown", "unlock", "up", "update", "upload", "wait", "warning", "was", "with", "without", "write",
}

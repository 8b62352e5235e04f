package postgres

import (
	"regexp"
	"strings"
)

// statements splits an SQL script as pg_dumpall and pg_restore write it: a ";"
// ends a statement unless it stands in quotes, dollar quotes or a comment. Comments
// and psql's own commands (\connect, \restrict) are left out.
func statements(script string) (found []string) {
	var current strings.Builder
	for len(script) > 0 {
		atStart := strings.TrimSpace(current.String()) == ""
		token := nextToken(script, atStart)
		text := script[:token.length]
		script = script[token.length:]
		switch {
		case token.skipped:
		case text == ";":
			if !atStart {
				found = append(found, strings.TrimSpace(current.String()))
			}
			current.Reset()
		default:
			current.WriteString(text)
		}
	}
	return found
}

// token is a piece of a script that holds no end of a statement, or is one.
type token struct {
	length  int
	skipped bool
}

var dollarQuote = regexp.MustCompile(`^\$([A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)?\$`)

func nextToken(script string, atStart bool) token {
	switch {
	case strings.HasPrefix(script, "--"), atStart && script[0] == '\\':
		return token{length: through(script, 0, "\n"), skipped: true}
	case strings.HasPrefix(script, "/*"):
		return token{length: through(script, 2, "*/"), skipped: true}
	case script[0] == '"', script[0] == '\'':
		return token{length: through(script, 1, script[:1])}
	case len(script) > 1 && script[1] == '\'' && (script[0] == 'E' || script[0] == 'e'):
		return token{length: throughEscaped(script)}
	case script[0] == '$':
		if mark := dollarQuote.FindString(script); mark != "" {
			return token{length: through(script, len(mark), mark)}
		}
	case isWord(script[0]): // whole: E'…' begins only at a word's start, and $ may stand in one
		n := 1
		for n < len(script) && (isWord(script[n]) || script[n] == '$') {
			n++
		}
		return token{length: n}
	}
	return token{length: 1}
}

func isWord(c byte) bool {
	return c == '_' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// through is the length up to and with the end mark that follows after from; a
// doubled quote is two tokens side by side, which comes to the same.
func through(script string, from int, end string) int {
	i := strings.Index(script[from:], end)
	if i < 0 {
		return len(script)
	}
	return from + i + len(end)
}

func throughEscaped(script string) int {
	for i := 2; i < len(script); i++ {
		switch script[i] {
		case '\\':
			i++
		case '\'':
			return i + 1
		}
	}
	return len(script)
}

// identifierAfter reads the quoted or plain identifier that follows a prefix.
func identifierAfter(statement, prefix string) (string, bool) {
	rest, found := strings.CutPrefix(statement, prefix)
	if !found {
		return "", false
	}
	if !strings.HasPrefix(rest, `"`) {
		word, _, _ := strings.Cut(rest, " ")
		return word, true
	}
	var name strings.Builder
	for rest = rest[1:]; rest != ""; {
		piece, after, _ := strings.Cut(rest, `"`)
		name.WriteString(piece)
		if !strings.HasPrefix(after, `"`) {
			break
		}
		name.WriteByte('"')
		rest = after[1:]
	}
	return name.String(), true
}

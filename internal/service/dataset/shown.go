package dataset

import (
	"regexp"
	"strings"
	"unicode"
)

// mostShown bounds what is shown of a command line, in characters.
const mostShown = 200

// Parts of command lines that may be secrets: what follows a word such as key or token, and
// what looks like one.
var (
	secretValue = regexp.MustCompile(`(?i)([\w-]*(?:pass|pwd|secret|token|key|credential|auth)[\w-]*\s*[=:]\s*)(?:(?:bearer|basic|token)\s+)?("[^"]*"|'[^']*'|\S+)`)
	secretFlag  = regexp.MustCompile(`(?i)((?:^|\s)-[\w-]*(?:pass|pwd|secret|token|key|credential|auth)[\w-]*\s+)("[^"]*"|'[^']*'|\S+)`)
	secretURL   = regexp.MustCompile(`(://[^\s/:@]*:)[^\s/@]+@`)
	secretForm  = regexp.MustCompile(`\b(?:sk|pk|ghp|gho|glpat|xoxb|xoxp)[-_][\w-]{8,}`)
)

// shownCommand is a command line for people: without what may be a secret, without
// characters that would move a cursor, and not long.
func shownCommand(argv []string) string {
	text := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.Join(argv, " "))
	text = secretValue.ReplaceAllString(text, "$1…")
	text = secretFlag.ReplaceAllString(text, "$1…")
	text = secretURL.ReplaceAllString(text, "$1…@")
	text = secretForm.ReplaceAllString(text, "…")
	if all := []rune(text); len(all) > mostShown {
		return string(all[:mostShown]) + "…"
	}
	return text
}

package process

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// mostTyped bounds a command line that is shown, in characters.
const mostTyped = 300

// secretly matches words that name a secret, up to the sign before its value.
var secretly = regexp.MustCompile(`(?i)^[-\w]*(key|token|secret|passw)[-\w]*(=|$)`)

// typed is a command line as a shell would take it. Values that look like secrets are left
// out: it is kept and shown.
func typed(argv []string) string {
	words := make([]string, 0, len(argv))
	hide := false
	for _, word := range argv {
		named := secretly.FindString(word)
		switch {
		case hide:
			word = "…"
		case strings.HasSuffix(named, "="):
			word = named + "…"
		}
		hide = !hide && named != "" && named == word && strings.HasPrefix(word, "-")
		words = append(words, quoted(word))
	}
	text := strings.Join(words, " ")
	if utf8.RuneCountInString(text) <= mostTyped {
		return text
	}
	return string([]rune(text)[:mostTyped]) + "…"
}

// plainWord needs no quotes in a shell.
var plainWord = regexp.MustCompile(`^[\w@%+=:,./…-]+$`)

func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

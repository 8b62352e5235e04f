package report

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// pictured is the width of text in columns: Chinese characters take two, marks
// that sit on another character and terminal colours none.
func pictured(text string) int {
	n := 0
	for i := 0; i < len(text); {
		if end := escape(text[i:]); end > 0 {
			i += end
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		n += columnsOf(r)
		i += size
	}
	return n
}

// escape is the length of the colour sequence that text begins with, or 0.
func escape(text string) int {
	if !strings.HasPrefix(text, "\x1b[") {
		return 0
	}
	return strings.IndexByte(text, 'm') + 1
}

func columnsOf(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	if wide(r) {
		return 2
	}
	return 1
}

func wide(r rune) bool {
	kind := width.LookupRune(r).Kind()
	return kind == width.EastAsianWide || kind == width.EastAsianFullwidth
}

// pad fills text up to a number of columns, and leaves at least one blank.
func pad(text string, columns int) string {
	return text + strings.Repeat(" ", max(1, columns-pictured(text)))
}

// wrap breaks text into lines of at most so many columns. The first line may be
// narrower than the others: something stands to its right.
func wrap(text string, first, rest int) []string {
	var lines []string
	for _, paragraph := range strings.Split(text, "\n") {
		limit := rest
		if len(lines) == 0 {
			limit = first
		}
		lines = append(lines, wrapOne(paragraph, limit, rest)...)
	}
	return lines
}

func wrapOne(text string, first, rest int) []string {
	lines, line, limit := []string{}, "", first
	for _, piece := range pieces(text) {
		if line != "" && pictured(line)+pictured(strings.TrimRight(piece, " ")) > limit {
			lines = append(lines, strings.TrimRight(line, " "))
			line, limit = "", rest
			piece = strings.TrimLeft(piece, " ")
		}
		line += piece
	}
	return append(lines, strings.TrimRight(line, " "))
}

// pieces cuts text where a line may end: after a blank, and around every wide
// character, but never before punctuation that closes. A path or command that is
// longer than a line stays whole: it is there to be copied.
func pieces(text string) []string {
	var all []string
	current, previous := strings.Builder{}, rune(0)
	cut := func() {
		if current.Len() > 0 {
			all = append(all, current.String())
		}
		current.Reset()
	}
	for _, r := range text {
		blank := previous == ' ' && r != ' '
		beside := (wide(r) || wide(previous)) && !closing(r) && !opening(previous)
		if blank || beside && previous != 0 && r != ' ' {
			cut()
		}
		current.WriteRune(r)
		previous = r
	}
	cut()
	return all
}

func closing(r rune) bool {
	return strings.ContainsRune("，。；：、！？）】》”’％%,.;:!?)]}", r)
}

func opening(r rune) bool { return strings.ContainsRune("（【《“‘([{", r) }

// Package diag holds problems that a person must mend: what is wrong, where it
// stands in the file, and in words that can still be translated. It reports and
// never decides what follows from a problem.
package diag

import (
	"fmt"
	"strings"
)

// Problem is one mistake at one place. Format and Args stay apart so that a
// surface can show the same problem in the reader's language; Format is the key
// of the translation and reads as English by itself.
type Problem struct {
	File         string // as the user named it; empty until the loader fills it in
	Line, Column int    // from 1; 0 when there is no position
	Path         string // of the key: "services.db.url"; lists as "paths[2]"
	Format       string
	Args         []any
}

// Text returns the message in English, without the position.
func (p Problem) Text() string { return fmt.Sprintf(p.Format, p.Args...) }

// String returns "FILE:LINE:COLUMN: PATH: message" with what is known of it.
func (p Problem) String() string { return p.Prefix() + p.Text() }

// Prefix returns what stands before the message: "FILE:LINE:COLUMN: PATH: ".
func (p Problem) Prefix() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File + ":")
	}
	if p.Line > 0 {
		fmt.Fprintf(&b, "%d:%d:", p.Line, p.Column)
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	return b.String()
}

// List is every problem found in one go. As an error it is never empty: return
// Err(), not the list itself.
type List []Problem

// Addf appends a problem of the key at path. The format is a constant.
func (l *List) Addf(path, format string, args ...any) {
	*l = append(*l, Problem{Path: path, Format: format, Args: args})
}

// Under returns the list with every path put below prefix.
func (l List) Under(prefix string) List {
	moved := make(List, len(l))
	for i, p := range l {
		moved[i] = p
		moved[i].Path = join(prefix, p.Path)
	}
	return moved
}

func join(prefix, path string) string {
	if path == "" || prefix == "" || strings.HasPrefix(path, "[") {
		return prefix + path
	}
	return prefix + "." + path
}

// Err returns the list as an error, or nil when it is empty.
func (l List) Err() error {
	if len(l) == 0 {
		return nil
	}
	return l
}

// Error returns one problem per line.
func (l List) Error() string {
	lines := make([]string, len(l))
	for i, p := range l {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

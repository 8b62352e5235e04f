package crontab

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// command is what a line runs, as far as the shell's grammar tells.
type command struct {
	text     string
	calls    [][]string // programs with their arguments, in order
	dir      string     // of cd DIR
	locked   bool       // flock or the like keeps it from running twice
	mailed   bool       // its output goes to mail
	captured bool       // its output goes to a file
}

// parse reads a command. cron takes what follows a per cent sign for input.
func (r *reader) parse(n int, text string) command {
	c := command{text: text}
	if before, _, cut := cutPercent(text); cut {
		r.note(n, "percent", "runs", before)
		c.text = before
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(c.text), "")
	if err != nil {
		r.note(n, "no-shell", "error", err.Error())
		c.call(strings.Fields(c.text))
		c.captured = strings.Contains(c.text, ">")
		return c
	}
	syntax.Walk(file, func(node syntax.Node) bool {
		switch node := node.(type) {
		case *syntax.CallExpr:
			c.call(words(node))
		case *syntax.Redirect:
			c.captured = c.captured || node.Op == syntax.RdrOut || node.Op == syntax.AppOut || node.Op == syntax.RdrAll
		}
		return true
	})
	return c
}

// cutPercent finds the first per cent sign that no backslash precedes.
func cutPercent(text string) (before, after string, found bool) {
	for i := range len(text) {
		if text[i] == '%' && (i == 0 || text[i-1] != '\\') {
			return text[:i], text[i+1:], true
		}
	}
	return text, "", false
}

// words are a call's words as the shell would pass them, as far as that is known without
// running anything.
func words(call *syntax.CallExpr) (all []string) {
	for _, w := range call.Args {
		var b strings.Builder
		for _, part := range w.Parts {
			switch part := part.(type) {
			case *syntax.Lit:
				b.WriteString(part.Value)
			case *syntax.SglQuoted:
				b.WriteString(part.Value)
			case *syntax.DblQuoted:
				for _, inner := range part.Parts {
					if lit, ok := inner.(*syntax.Lit); ok {
						b.WriteString(lit.Value)
					}
				}
			}
		}
		all = append(all, b.String())
	}
	return all
}

// call takes one program in, without what only wraps it.
func (c *command) call(argv []string) {
	argv = c.unwrap(argv)
	if len(argv) == 0 {
		return
	}
	switch base := filepath.Base(argv[0]); {
	case base == "cd" && len(argv) > 1:
		c.dir = argv[1]
	case slices.Contains([]string{"mail", "mailx", "sendmail", "mutt"}, base):
		c.mailed = true
		c.calls = append(c.calls, argv)
	case base == "true" || base == "echo" || base == ":" || base == "[" || base == "test" || base == "date" || base == "exit":
	default:
		c.calls = append(c.calls, argv)
	}
}

// wrappers run another program, each after so many arguments of its own.
var wrappers = map[string]int{"nice": 0, "ionice": 0, "nohup": 0, "sudo": 0, "env": 0, "time": 0, "timeout": 1, "flock": 1, "chronic": 0, "setlock": 1, "run-one": 0}

func (c *command) unwrap(argv []string) []string {
	for len(argv) > 0 {
		own, wraps := wrappers[filepath.Base(argv[0])]
		if !wraps {
			return argv
		}
		base := filepath.Base(argv[0])
		c.locked = c.locked || base == "flock" || base == "setlock" || base == "run-one"
		argv = argv[1:]
		for len(argv) > 0 && (strings.HasPrefix(argv[0], "-") || assignment.MatchString(argv[0])) {
			takes := regexp.MustCompile(`^-[nucwW]$`).MatchString(argv[0]) && len(argv) > 1 && base != "flock"
			argv = argv[1:]
			if takes {
				argv = argv[1:]
			}
		}
		argv = argv[min(own, len(argv)):]
	}
	return argv
}

// script is the file that a call runs, with the interpreter taken off.
func script(argv []string) string {
	base := filepath.Base(argv[0])
	interpreter := regexp.MustCompile(`^(ba|da|z|k)?sh$|^python[0-9.]*$|^perl$|^node$|^ruby$|^php$`).MatchString(base)
	if !interpreter {
		return argv[0]
	}
	for _, word := range argv[1:] {
		if word == "-c" || word == "-m" || word == "-e" {
			return ""
		}
		if !strings.HasPrefix(word, "-") {
			return word
		}
	}
	return ""
}

package files

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"upkeep/internal/glob"
)

// rules say which paths are declared. They are followed one name at a time, so
// that a walk reads only directories that can hold something declared, and a
// pattern over a million files needs no list of them.
type rules struct {
	list    []rule
	exclude []exclusion
}

// rule is one declared path, split into names. literal counts the leading names
// that hold no pattern: whoever declared them trusts them, symbolic links
// included.
type rule struct {
	declared string // as an absolute path
	names    []string
	literal  int
}

type exclusion struct {
	pattern string
	anyDir  bool // matches one name, else a whole path
}

func compile(base string, cfg Config) (rules, error) {
	var compiled rules
	for _, path := range cfg.Paths {
		if !filepath.IsAbs(path) && !filepath.IsAbs(base) {
			return rules{}, fmt.Errorf("path %s is relative and the declaration has no absolute directory", path)
		}
		compiled.list = append(compiled.list, newRule(base, path))
	}
	for _, pattern := range cfg.Exclude {
		anyDir := !strings.Contains(pattern, "/")
		if !anyDir {
			pattern = glob.Absolute(glob.Escape(base), pattern)[1:]
		}
		compiled.exclude = append(compiled.exclude, exclusion{pattern, anyDir})
	}
	return compiled, nil
}

func newRule(base, path string) rule {
	full := glob.Absolute(base, path)
	r := rule{declared: full, names: split(full)}
	written := len(r.names)
	if !filepath.IsAbs(path) {
		written = len(split(filepath.Clean(path)))
	}
	trusted := max(0, len(r.names)-written) // the base may look like a pattern and is none
	first := slices.IndexFunc(r.names[trusted:], wild)
	r.literal = len(r.names)
	if first >= 0 {
		r.literal = trusted + first
	}
	return r
}

// bases returns the literal beginning of each rule as a pattern.
func (r *rules) bases() []string {
	var all []string
	for _, rule := range r.list {
		all = append(all, glob.Escape(strings.Join(rule.names[:rule.literal], "/")))
	}
	return all
}

func wild(name string) bool { return strings.ContainsAny(name, `*?[{\`) }

func split(path string) []string {
	path = strings.Trim(path, "/")
	if path == "" || path == "." {
		return nil
	}
	return strings.Split(path, "/")
}

// excluded reports whether name in the directory dir ("etc/") is left alone.
func (r *rules) excluded(dir, name string) bool {
	for _, x := range r.exclude {
		subject := name
		if !x.anyDir {
			subject = dir + name
		}
		if subject == x.pattern || doublestar.MatchUnvalidated(x.pattern, subject) {
			return true
		}
	}
	return false
}

// position is a directory as the rules see it.
type position struct {
	states  []state
	whole   bool // everything below is declared
	literal bool // reached by literal names only
}

// state is a rule whose names up to at are matched.
type state struct{ rule, at int }

// start is the position of the top directory.
func (r *rules) start() position {
	p := position{literal: true}
	for i := range r.list {
		p.whole = r.add(&p.states, state{i, 0}, nil) || p.whole
	}
	return p
}

// add appends s, and what follows it where ** may stand for nothing. It reports
// whether the rule is matched to its end, and marks it in seen.
func (r *rules) add(states *[]state, s state, seen []bool) (complete bool) {
	names := r.list[s.rule].names
	if s.at == len(names) {
		if seen != nil {
			seen[s.rule] = true
		}
		return true
	}
	if !slices.Contains(*states, s) {
		*states = append(*states, s)
	}
	return names[s.at] == "**" && r.add(states, state{s.rule, s.at + 1}, seen)
}

// enter returns the position of the child of that name and whether the child
// itself is declared. Rules that end at it are marked in seen.
func (r *rules) enter(p position, name string, seen []bool) (child position, declared bool) {
	child.whole = p.whole
	for _, s := range p.states {
		rule := &r.list[s.rule]
		pattern := rule.names[s.at]
		switch {
		case pattern == "**":
			child.whole = r.add(&child.states, s, seen) || child.whole
		case pattern == name:
			child.literal = child.literal || p.literal && s.at < rule.literal
			child.whole = r.add(&child.states, state{s.rule, s.at + 1}, seen) || child.whole
		case s.at >= rule.literal && doublestar.MatchUnvalidated(pattern, name):
			child.whole = r.add(&child.states, state{s.rule, s.at + 1}, seen) || child.whole
		}
	}
	return child, child.whole
}

// only returns the names that can be declared in the directory, or nil where it
// must be listed to know them.
func (r *rules) only(p position) []string {
	if p.whole {
		return nil
	}
	names := make([]string, 0, len(p.states))
	for _, s := range p.states {
		if s.at >= r.list[s.rule].literal {
			return nil
		}
		names = append(names, r.list[s.rule].names[s.at])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// declares reports whether the path of those names is, and how many of its leading
// names are trusted: they may be symbolic links.
func (r *rules) declares(names []string) (declared bool, trusted int) {
	p := r.start()
	declared = p.whole
	for i, name := range names {
		p, declared = r.enter(p, name, nil)
		if p.literal {
			trusted = i + 1
		}
	}
	return declared, trusted
}

package catalogue

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/template/parse"
)

// Check returns every mistake in the texts: YAML that cannot be read, an ID that
// stands twice, a language or part that is missing, a template that does not
// parse, languages that use different arguments. The program's tests call it; the
// program does not.
func (c *Catalogue) Check() error {
	var problems []error
	seen := map[string]bool{}
	for _, s := range c.sources {
		read, err := s.read()
		problems = append(problems, err)
		problems = append(problems, c.checkEntries(read.findings, seen, "title", "fix")...)
		problems = append(problems, c.checkEntries(read.errors, seen, "title", "consequence", "fix")...)
		problems = append(problems, c.checkEntries(read.messages, seen, "title")...)
		for _, format := range slices.Sorted(maps.Keys(read.problems)) {
			problems = append(problems, checkFormat(format, read.problems[format]))
		}
	}
	return errors.Join(problems...)
}

func (c *Catalogue) checkEntries(of entries, seen map[string]bool, parts ...string) (problems []error) {
	for _, id := range slices.Sorted(maps.Keys(of)) {
		key := strings.Join(append(parts, id), " ") // a finding and an error may share an ID
		if seen[key] {
			problems = append(problems, fmt.Errorf("%s stands twice", id))
		}
		seen[key] = true
		for _, part := range parts {
			problems = append(problems, c.checkPart(id, part, of[id]))
		}
	}
	return problems
}

func (c *Catalogue) checkPart(id, part string, texts map[string]entry) error {
	for lang := range texts {
		if !slices.Contains(Languages(), lang) {
			return fmt.Errorf("%s: %q is not a language of this program", id, lang)
		}
	}
	used := map[string][]string{}
	for _, lang := range Languages() {
		text := texts[lang].part(part)
		if text == "" {
			return fmt.Errorf("%s: the %s is missing in %s", id, part, lang)
		}
		t, err := c.Words(lang).parse(text)
		if err != nil {
			return fmt.Errorf("%s: %s in %s: %w", id, part, lang, err)
		}
		used[lang] = fields(t.Root)
	}
	if !slices.Equal(used["en"], used["zh"]) {
		return fmt.Errorf("%s: the %s uses %v in English and %v in Chinese", id, part, used["en"], used["zh"])
	}
	return nil
}

func (e entry) part(name string) string {
	switch name {
	case "title":
		return e.Title
	case "consequence":
		return e.Consequence
	}
	return e.Fix
}

// fields returns the arguments that a template uses, in order, each once.
func fields(root parse.Node) []string {
	found := map[string]bool{}
	visit(root, found)
	return slices.Sorted(maps.Keys(found))
}

func visit(node parse.Node, found map[string]bool) {
	switch n := node.(type) {
	case *parse.ListNode:
		if n != nil { // the else of an if without one
			for _, child := range n.Nodes {
				visit(child, found)
			}
		}
	case *parse.ActionNode:
		visit(n.Pipe, found)
	case *parse.IfNode:
		visitBranch(&n.BranchNode, found)
	case *parse.RangeNode:
		visitBranch(&n.BranchNode, found)
	case *parse.WithNode:
		visitBranch(&n.BranchNode, found)
	case *parse.PipeNode:
		for _, command := range n.Cmds {
			visit(command, found)
		}
	case *parse.CommandNode:
		for _, arg := range n.Args {
			visit(arg, found)
		}
	case *parse.FieldNode:
		found[n.Ident[0]] = true
	}
}

func visitBranch(n *parse.BranchNode, found map[string]bool) {
	visit(n.Pipe, found)
	visit(n.List, found)
	visit(n.ElseList, found)
}

// checkFormat compares the verbs of a format and its translation. A translation
// may change their order with %[2]q.
func checkFormat(english, chinese string) error {
	verb := regexp.MustCompile(`%[-+# 0.0-9]*(?:\[\d+\])?([a-zA-Z%])`)
	kinds := func(format string) []string {
		var found []string
		for _, match := range verb.FindAllStringSubmatch(format, -1) {
			if match[1] != "%" {
				found = append(found, match[1])
			}
		}
		slices.Sort(found)
		return found
	}
	if chinese == "" || !slices.Equal(kinds(english), kinds(chinese)) {
		return fmt.Errorf("problem %q: its translation %q takes other arguments", english, chinese)
	}
	return nil
}

// Package docs_test makes the pages that follow from the code, and fails when one
// of them is out of date: every finding with its words, every kind with its keys.
// It also holds the words themselves and the runbooks to their promises.
//
//	go test ./docs -update
package docs_test

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"upkeep/internal/catalogue"
	"upkeep/internal/control"
	"upkeep/internal/service"
	"upkeep/internal/service/all"
)

var update = flag.Bool("update", false, "write the generated pages anew")

const made = "<!-- Made by go test ./docs -update; changes here are lost. -->\n"

func texts(t *testing.T, surface ...catalogue.Source) *catalogue.Catalogue {
	t.Helper()
	c, err := control.Texts(all.Kinds(), surface...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// page compares a generated page with the one that is kept, or writes it.
func page(t *testing.T, path, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(kept) != text {
		t.Errorf("%s is out of date: go test ./docs -update", path)
	}
}

func TestAllWordsAreWhole(t *testing.T) {
	if err := texts(t).Check(); err != nil {
		t.Error(err)
	}
}

func TestEveryFindingHasARunbook(t *testing.T) {
	ids := texts(t).IDs()
	for _, id := range ids {
		text, err := os.ReadFile(filepath.Join("runbooks", id+".md"))
		switch {
		case err != nil:
			t.Errorf("%s has no runbook", id)
		case !strings.Contains(string(text), "\n## 中文\n"):
			t.Errorf("the runbook of %s has no Chinese section", id)
		}
	}
	books, err := fs.Glob(os.DirFS("runbooks"), "*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, book := range books {
		if !slices.Contains(ids, strings.TrimSuffix(book, ".md")) && !alerts(book) {
			t.Errorf("runbooks/%s is about no finding and no alert", book)
		}
	}
}

// alerts reports whether a rule that ships names the runbook.
func alerts(book string) bool {
	named := "runbook: docs/runbooks/" + book + "\n"
	return strings.Contains(string(control.SelfRules()), named) ||
		slices.ContainsFunc(all.Kinds().Kinds(), func(k service.Kind) bool { return strings.Contains(string(k.Rules()), named) })
}

func TestFindingsPage(t *testing.T) {
	c := texts(t)
	var b strings.Builder
	b.WriteString("# Findings\n\n" + made + "\nEvery judgement that upkeep makes, by its stable ID. ‹names› stand for what was measured. " +
		"`accept:` in `upkeep.yaml` takes these IDs.\n")
	prefix := ""
	for _, id := range c.IDs() {
		if p, _, _ := strings.Cut(id, "."); p != prefix {
			prefix = p
			fmt.Fprintf(&b, "\n## %s\n\n| finding | it says | what to do | 含义 | 处理办法 |\n|---|---|---|---|---|\n", prefix)
		}
		fmt.Fprintf(&b, "| [%s](runbooks/%s.md) |", id, id)
		for _, lang := range catalogue.Languages() {
			title, fix := said(c.Words(lang), id)
			fmt.Fprintf(&b, " %s | %s |", cell(title), cell(fix))
		}
		b.WriteByte('\n')
	}
	page(t, "findings.md", b.String())
}

func TestKindPages(t *testing.T) {
	c := texts(t)
	for _, kind := range all.Kinds().Kinds() {
		page(t, filepath.Join("kinds", kind.Name()+".md"), kindPage(t, c, kind))
	}
	pages, err := fs.Glob(os.DirFS("kinds"), "*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		if _, ships := all.Kinds().Lookup(strings.TrimSuffix(p, ".md")); !ships {
			t.Errorf("kinds/%s is about no kind that ships", p)
		}
	}
}

func kindPage(t *testing.T, c *catalogue.Catalogue, kind service.Kind) string {
	t.Helper()
	var b strings.Builder
	purpose, example, _ := strings.Cut(string(kind.Example()), "\n")
	fmt.Fprintf(&b, "# %s\n\n%s\n%s\n\n```yaml\nservices:\n", kind.Name(), made, strings.TrimPrefix(purpose, "# "))
	for line := range strings.Lines(strings.TrimRight(example, "\n") + "\n") {
		b.WriteString("  " + line)
	}
	b.WriteString("```\n\n## What it can do\n\n|")
	for _, capability := range service.Capabilities() {
		b.WriteString(" " + capability.Name + " |")
	}
	b.WriteString("\n|" + strings.Repeat("---|", len(service.Capabilities())) + "\n|")
	for _, capability := range service.Capabilities() {
		b.WriteString(map[bool]string{true: " ● |", false: " – |"}[kind.Can(capability)])
	}
	b.WriteString("\n\n## Keys\n\nBeside these, every service takes `title`, `after`, `limit` and `runs_in` (the service of a compose target that its server runs in: `stack/postgres`).\n\n| key | form | default | meaning |\n|---|---|---|---|\n")
	for _, k := range keys(t, kind) {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.path, k.form, k.standard, cell(k.meaning))
	}
	b.WriteString("\n## Findings\n\n")
	for _, id := range c.IDs() {
		if strings.HasPrefix(id, kind.Name()+".") {
			title, _ := said(c.Words("en"), id)
			fmt.Fprintf(&b, "- [%s](../runbooks/%s.md): %s\n", id, id, title)
		}
	}
	return b.String()
}

var argument = regexp.MustCompile(`\.([a-z_]+)`)

// said fills a finding's words with the names of what will stand there.
func said(w catalogue.Words, id string) (title, fix string) {
	rawTitle, rawFix := w.Raw(id)
	args := map[string]any{}
	for _, m := range argument.FindAllStringSubmatch(rawTitle+rawFix, -1) {
		args[m[1]] = "‹" + m[1] + "›"
		if strings.Contains(rawTitle+rawFix, "index ."+m[1]) { // one of a list
			args[m[1]] = []any{args[m[1]]}
		}
	}
	return w.Finding(id, args)
}

// cell keeps text within its cell of a table.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", "<br>", "<", "&lt;", "*", `\*`, "_", `\_`).Replace(text)
}

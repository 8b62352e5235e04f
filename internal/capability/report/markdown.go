package report

import (
	"fmt"
	"io"
	"strings"
)

// markdown writes one page for a ticket or a wiki.
func (t Text) markdown(out io.Writer, p Page) error {
	s := t.sheet(p)
	var b strings.Builder
	fmt.Fprintf(&b, "# %s · %s · %s\n\n**%s**\n", cell(s.System), cell(s.Title), s.At, cell(s.Sentence))
	for _, block := range s.Blocks {
		fmt.Fprintf(&b, "\n## %s (%s)\n\n%s\n", block.Verb, block.Took, cell(block.Summary))
		if len(block.Rows) > 0 {
			b.WriteString("\n| | | | | |\n|---|---|---|---|---|\n")
		}
		for _, r := range block.Rows {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", marks[r.Severity], cell(r.Target), cell(r.Title), cell(r.Fix), r.Since)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// cell keeps text from becoming markup.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;", "`", "\\`", "*", `\*`, "_", `\_`).Replace(text)
}

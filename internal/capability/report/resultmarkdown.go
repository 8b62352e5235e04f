package report

import (
	"fmt"
	"strings"
)

// results are the tables of one summary, without its pictures.
func (m *markdown) results(v resultsView) {
	m.line("## %s", plain(v.Title))
	if v.Problem != nil {
		m.line("%s", strings.Join(kept(m.mark(v.Problem.Severity), plain(v.Problem.Title), plain(v.Problem.Consequence), plain(v.Problem.Fix)), "<br>"))
		return
	}
	m.line("**%s**", plain(v.Lead))
	var lines []string
	for _, n := range v.News {
		mark := ""
		if n.Severity != "" {
			mark = m.t.mark(n.Severity)
		}
		lines = append(lines, "- "+strings.Join(kept(mark, plain(n.Words)), " "))
	}
	if len(lines) > 0 {
		m.line("%s", strings.Join(lines, "\n"))
	}
	for _, g := range v.Grids {
		m.grid(g)
	}
	for _, note := range v.Notes {
		m.line("%s", plain(note))
	}
}

func (m *markdown) grid(g grid) {
	m.line("### %s", plain(g.Title))
	var b strings.Builder
	b.WriteByte('|')
	for _, c := range g.Head {
		fmt.Fprintf(&b, " %s |", plain(c.Words))
	}
	b.WriteString("\n|")
	for _, c := range g.Head {
		b.WriteString(map[bool]string{true: "---:|", false: "---|"}[c.Number])
	}
	for _, row := range g.Rows {
		b.WriteString("\n|")
		for _, v := range row {
			fmt.Fprintf(&b, " %s |", markdownCell(v))
		}
	}
	m.blocks = append(m.blocks, b.String())
	if g.Left != "" {
		m.line("%s", plain(g.Left))
	}
}

func markdownCell(v value) string {
	text := plain(v.Words)
	if v.Few {
		text = "*" + text + "*"
	}
	if v.Small != "" {
		text += " (" + plain(v.Small) + ")"
	}
	return text
}

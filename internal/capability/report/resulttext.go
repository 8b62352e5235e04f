package report

import (
	"fmt"
	"strings"
)

// rankShown is how many the text form lists: the page has the rest.
const rankShown = 15

// results are what a terminal shows of a summary: what is new, and who is best.
func (t Text) resultsText(b *strings.Builder, p Page) {
	for _, v := range t.results(p) {
		fmt.Fprintf(b, "\n%s\n", v.Title)
		if v.Problem != nil {
			t.hang(b, "  "+t.mark(v.Problem.Severity)+" ", v.Problem.Title, "")
			for _, more := range kept(v.Problem.Consequence, v.Problem.Fix) {
				t.hang(b, "    ", more, "")
			}
			continue
		}
		t.hang(b, "  ", v.Lead, "")
		for _, n := range v.News {
			head := "  "
			if n.Severity != "" {
				head = "  " + t.mark(n.Severity) + " "
			}
			t.hang(b, head, n.Words, "")
		}
		if len(v.Grids) > 0 {
			t.rankingText(b, v.Grids[0])
			t.hang(b, "  ", t.say("results-more-formats", nil), "")
		}
	}
}

// rankingText lines up place, name, tests, rate and interval.
func (t Text) rankingText(b *strings.Builder, g grid) {
	columns := []int{0, 1, 3, 2, 5}
	rows := [][]string{{}}
	for _, c := range columns {
		rows[0] = append(rows[0], g.Head[c].Words)
	}
	for _, row := range g.Rows[:min(len(g.Rows), rankShown)] {
		var cells []string
		for _, c := range columns {
			cells = append(cells, row[c].Words)
		}
		rows = append(rows, cells)
	}
	lineUp(b, rows, func(i int) bool { return g.Head[columns[i]].Number })
	if len(g.Rows) > rankShown {
		t.hang(b, "  ", t.say("results-ranked-left", args{"n": len(g.Rows) - rankShown}), "")
	}
}

// lineUp writes rows in columns; those of numbers stand at the right.
func lineUp(b *strings.Builder, rows [][]string, right func(column int) bool) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], pictured(cell))
		}
	}
	for _, row := range rows {
		line := "  "
		for i, cell := range row {
			gap := strings.Repeat(" ", widths[i]-pictured(cell))
			if right(i) {
				cell, gap = gap+cell, ""
			}
			line += cell + gap + "  "
		}
		fmt.Fprintln(b, strings.TrimRight(line, " "))
	}
}

package report

import (
	"fmt"
	"io"
	"strings"

	"upkeep/internal/service"
)

// markdown writes one page for a ticket or a wiki.
func (t Text) markdown(out io.Writer, p Page) error {
	s := t.folded(p)
	m := markdown{t: t}
	m.line("# %s · %s · %s", plain(s.System), plain(s.Title), s.At)
	m.line("**%s**", plain(strings.Join(kept(s.Need.Many, s.Need.Rest, s.Sentence), " ")))
	m.targets(s)
	m.copies(s.Copy)
	m.done(s)
	m.history(s)
	m.capacity(s.Capacity)
	for _, r := range s.Results {
		m.results(r)
	}
	_, err := io.WriteString(out, strings.Join(m.blocks, "\n\n")+"\n")
	return err
}

// markdown is a page in the making: blocks with an empty line between them.
type markdown struct {
	t      Text
	blocks []string
}

func (m *markdown) line(format string, a ...any) {
	m.blocks = append(m.blocks, fmt.Sprintf(format, a...))
}

func (m *markdown) head(id string) { m.line("## %s", m.t.say(id, nil)) }

// table adds a table; an empty ID gives a column without a name.
func (m *markdown) table(columns []string, rows [][]string) {
	var b strings.Builder
	b.WriteByte('|')
	for _, id := range columns {
		name := ""
		if id != "" {
			name = m.t.say(id, nil)
		}
		fmt.Fprintf(&b, " %s |", name)
	}
	b.WriteString("\n|" + strings.Repeat("---|", len(columns)))
	for _, row := range rows {
		b.WriteString("\n|")
		for _, text := range row {
			fmt.Fprintf(&b, " %s |", plain(text))
		}
	}
	m.blocks = append(m.blocks, b.String())
}

func (m *markdown) targets(s sheet) {
	if len(s.Bad)+len(s.Fine) == 0 {
		return
	}
	m.head("targets")
	var rows [][]string
	for _, c := range s.Bad {
		for _, e := range c.Entries {
			rows = append(rows, []string{m.mark(e.Severity), c.Target, c.Kind, e.Title, e.Fix, e.Since})
		}
	}
	for _, c := range s.Fine {
		rows = append(rows, []string{m.mark(c.Severity), c.Target, c.Kind, c.Facts, "", ""})
	}
	m.table([]string{"", "target", "kind-column", "what", "fix", "since-column"}, rows)
	if len(s.Accepted) == 0 {
		return
	}
	m.head("accepted-title")
	rows = nil
	for _, e := range s.Accepted {
		rows = append(rows, []string{e.Target, e.Title, e.Why})
	}
	m.table([]string{"target", "what", "why"}, rows)
}

func (m *markdown) mark(s service.Severity) string { return m.t.mark(s) + " " + string(s) }

func (m *markdown) copies(c *table) {
	if c == nil {
		return
	}
	m.head("copy")
	var rows [][]string
	for _, r := range c.Rows {
		rows = append(rows, []string{r.Target, r.Size, r.Added, r.Read.Words, r.Restored.Words, r.Compared, r.Back})
	}
	m.table([]string{"target", "size", "added", "read", "restored-column", "compared", "back"}, rows)
}

func (m *markdown) done(s sheet) {
	m.head("done")
	var rows [][]string
	for _, d := range s.Done {
		rows = append(rows, []string{d.Verb, d.Summary, d.Took, d.At})
	}
	m.table([]string{"verb", "result", "took", "when"}, rows)
}

func (m *markdown) history(s sheet) {
	if len(s.Activities) > 0 {
		m.line("## %s", s.Since)
		var rows [][]string
		for _, a := range s.Activities {
			rows = append(rows, []string{a.Verb, fmt.Sprint(a.Runs), fmt.Sprint(a.Failed)})
		}
		m.table([]string{"verb", "runs", "failed"}, rows)
	}
	if s.History == nil {
		return
	}
	m.head("history")
	var rows [][]string
	for _, d := range s.History.Rows {
		rows = append(rows, []string{d.At, d.Age, d.Back})
	}
	m.table([]string{"when", "age", "back"}, rows)
}

func (m *markdown) capacity(all []capacityRow) {
	if len(all) == 0 {
		return
	}
	m.head("capacity")
	var rows [][]string
	for _, r := range all {
		rows = append(rows, []string{r.Name, r.Used, r.Change, r.Daily})
	}
	m.table([]string{"store", "used-column", "change-column", "daily-column"}, rows)
}

// plain keeps text from becoming markup or from leaving its cell.
func plain(text string) string {
	return strings.NewReplacer(`\`, `\\`, "|", `\|`, "\n", "<br>", "<", "&lt;", "&", "&amp;", "`", "\\`", "*", `\*`, "_", `\_`,
		"[", `\[`, "]", `\]`, "#", `\#`, "~", `\~`).Replace(text)
}

package report

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/xuri/excelize/v2"
)

// xlsx writes a page as a book: one sheet of what it says, one of every table of results, with
// numbers as numbers. No cell is a formula, whatever it begins with.
func (t Text) xlsx(out io.Writer, p Page) (err error) {
	b := book{Text: t, file: excelize.NewFile(), names: map[string]bool{}}
	defer func() { err = errors.Join(err, b.file.Close()) }()
	if err := b.style(); err != nil {
		return err
	}
	s := t.sheet(p)
	if err := b.add(t.say("sheet-overview", nil), b.overview(s)); err != nil {
		return err
	}
	for _, r := range s.Results {
		for _, g := range r.Grids {
			if err := b.add(g.ID, b.rows(g)); err != nil {
				return err
			}
		}
	}
	if err := b.file.DeleteSheet("Sheet1"); err != nil {
		return err
	}
	return b.file.Write(out)
}

// book is one in the making.
type book struct {
	Text
	file  *excelize.File
	names map[string]bool // of sheets, in lower case
	bold  int
	forms map[form]int // styles
}

func (b *book) style() (err error) {
	b.forms = map[form]int{}
	if b.bold, err = b.file.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}}); err != nil {
		return err
	}
	for of, format := range map[form]string{asCount: "#,##0", asShare: "0.0%", asNumber: "0.00"} {
		if b.forms[of], err = b.file.NewStyle(&excelize.Style{CustomNumFmt: &format}); err != nil {
			return err
		}
	}
	return nil
}

// add streams rows into a sheet of their own. The first one is its head and stays in sight.
func (b *book) add(name string, rows [][]any) error {
	name = b.free(name)
	if _, err := b.file.NewSheet(name); err != nil {
		return fmt.Errorf("make the sheet %s: %w", name, err)
	}
	w, err := b.file.NewStreamWriter(name)
	if err != nil {
		return err
	}
	err = errors.Join(w.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}), w.SetColWidth(1, 2, 24))
	for i, row := range rows {
		err = errors.Join(err, w.SetRow(fmt.Sprintf("A%d", i+1), row))
	}
	return errors.Join(err, w.Flush())
}

// free is a name that a sheet may have and none has yet: some characters are none for it, and
// 31 are the most.
func (b *book) free(name string) string {
	const longest = 31
	name = strings.Trim(strings.NewReplacer(":", "_", `\`, "_", "/", "_", "?", "_", "*", "_", "[", "(", "]", ")").Replace(name), "' ")
	cut := func(room int) string {
		r := []rune(name)
		return string(r[:min(len(r), room)])
	}
	unique := cut(longest)
	for n := 2; unique == "" || b.names[strings.ToLower(unique)]; n++ {
		end := fmt.Sprintf(" %d", n)
		unique = cut(longest-len(end)) + end
	}
	b.names[strings.ToLower(unique)] = true
	return unique
}

// overview is what the page says beside its tables.
func (b *book) overview(s sheet) (rows [][]any) {
	rows = append(rows, []any{b.strong(s.System), s.Title, s.At}, texts(strings.Join(kept(s.Need.Many, s.Need.Rest, s.Sentence), " ")))
	for _, c := range s.Bad {
		for _, e := range c.Entries {
			rows = append(rows, texts(c.Target, b.say("word-"+string(e.Severity), nil), e.Title, e.Fix))
		}
	}
	for _, c := range s.Fine {
		rows = append(rows, texts(c.Target, b.say("word-ok", nil), c.Facts))
	}
	for _, r := range s.Results {
		rows = append(rows, texts(), []any{b.strong(r.Title)})
		rows = append(rows, said(r)...)
	}
	return rows
}

// said are the sentences about one summary.
func said(r resultsView) (rows [][]any) {
	if r.Problem != nil {
		return [][]any{texts(r.Problem.Title, r.Problem.Consequence, r.Problem.Fix)}
	}
	rows = append(rows, texts(r.Lead))
	for _, n := range r.News {
		rows = append(rows, texts(n.Words))
	}
	for _, note := range r.Notes {
		rows = append(rows, texts(note))
	}
	return rows
}

func texts(of ...string) (row []any) {
	for _, text := range of {
		row = append(row, text)
	}
	return row
}

func (b *book) strong(text string) any { return excelize.Cell{StyleID: b.bold, Value: text} }

// rows are those of one table. An interval is two columns.
func (b *book) rows(g grid) (rows [][]any) {
	var head []any
	name := func(text string) { head = append(head, b.strong(text)) }
	for _, c := range g.Head {
		if c.Interval {
			name(b.say("results-low", nil))
			name(b.say("results-high", nil))
			continue
		}
		name(c.Words)
	}
	rows = append(rows, head)
	for _, of := range g.Rows {
		var row []any
		for i, v := range of {
			row = append(row, b.cells(v, g.Head[i].Interval)...)
		}
		rows = append(rows, row)
	}
	if g.Left != "" {
		rows = append(rows, []any{g.Left})
	}
	return rows
}

func (b *book) cells(v value, interval bool) []any {
	share := func(x float64) any { return excelize.Cell{StyleID: b.forms[asShare], Value: x} }
	switch {
	case interval && v.Bar != nil:
		return []any{share(v.Bar.From), share(v.Bar.To)}
	case interval:
		return []any{nil, nil}
	case v.known():
		return []any{excelize.Cell{StyleID: b.forms[v.Form], Value: v.Number}}
	case v.Form != asText:
		return []any{nil} // unknown is no number
	}
	return []any{v.Words}
}

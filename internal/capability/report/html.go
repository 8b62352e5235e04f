package report

import (
	_ "embed"
	"html/template"
	"io"

	"upkeep/internal/service"
)

//go:embed page.html
var pageHTML string

// row is one line of a page, in words.
type row struct {
	Severity          service.Severity
	Target            string
	Title, Fix, Since string
}

// block is one verb's run, in words.
type block struct {
	Verb, Summary, Took string
	Rows                []row
}

type sheet struct {
	Lang, System, Title, At, Sentence string
	Blocks                            []block
}

func (t Text) sheet(p Page) sheet {
	s := sheet{Lang: t.Words.Lang(), System: p.System, Title: t.verb(p.Title), At: t.Words.Time(p.At), Sentence: t.Sentence(p)}
	for _, section := range p.Sections {
		b := block{Verb: section.Verb, Summary: t.Summary(p, section), Took: t.Words.Duration(section.Took)}
		for _, l := range section.Lines {
			title, fix, since := t.words(l)
			b.Rows = append(b.Rows, row{l.Severity, l.Target, title, fix, since})
		}
		s.Blocks = append(s.Blocks, b)
	}
	return s
}

// html writes one page that needs nothing but itself: no network, no script.
func (t Text) html(out io.Writer, p Page) error {
	page, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return err
	}
	return page.Execute(out, t.sheet(p))
}

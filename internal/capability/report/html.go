package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed page.html
var pageHTML string

// html writes one page that needs nothing but itself: no network, no script.
func (t Text) html(out io.Writer, p Page) error {
	page, err := template.New("page").Funcs(template.FuncMap{
		"say":   func(id string) string { return t.say(id, nil) },
		"parts": func(name string) []string { return strings.SplitAfter(name, "_") }, // where a name may be broken
	}).Parse(pageHTML)
	if err != nil {
		return fmt.Errorf("read the page's template: %w", err)
	}
	return page.Execute(out, t.folded(p))
}

// folded is a page with as much of its tables as one can look through.
func (t Text) folded(p Page) sheet {
	s := t.sheet(p)
	for i := range s.Results {
		for j, g := range s.Results[i].Grids {
			s.Results[i].Grids[j] = t.shown(g)
		}
	}
	return s
}

package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed page.html
var pageHTML string

// html writes one page that needs nothing but itself: no network, no script.
func (t Text) html(out io.Writer, p Page) error {
	page, err := template.New("page").Funcs(template.FuncMap{
		"say": func(id string) string { return t.say(id, nil) },
	}).Parse(pageHTML)
	if err != nil {
		return fmt.Errorf("read the page's template: %w", err)
	}
	return page.Execute(out, t.sheet(p))
}

package catalogue

import (
	"cmp"
	"fmt"
	"strings"
	"text/template"
)

// Words says things in one language.
type Words struct {
	lang string
	from *Catalogue
}

// Lang is "en" or "zh".
func (w Words) Lang() string { return w.lang }

// Finding returns the words of a finding.
func (w Words) Finding(id string, args map[string]any) (title, fix string) {
	found, ok := w.from.find(ofFindings, id, w.lang)
	if !ok {
		return "!" + id, ""
	}
	return w.fill(found.Title, args), w.fill(found.Fix, args)
}

// Error returns the words of an error: what happened, what that means for the
// reader's data, and what to do.
func (w Words) Error(id string, args map[string]any) (title, consequence, fix string) {
	found, ok := w.from.find(ofErrors, id, w.lang)
	if !ok {
		return "!" + id, "", ""
	}
	return w.fill(found.Title, args), w.fill(found.Consequence, args), w.fill(found.Fix, args)
}

// Message returns the words of any other ID.
func (w Words) Message(id string, args map[string]any) string {
	found, ok := w.from.find(ofMessages, id, w.lang)
	if !ok {
		return "!" + id
	}
	return w.fill(found.Title, args)
}

// Raw returns the unfilled templates of a finding, for documentation.
func (w Words) Raw(id string) (title, fix string) {
	found, _ := w.from.find(ofFindings, id, w.lang)
	return found.Title, found.Fix
}

// Sprintf formats in the reader's language what was written with an English
// format: the Format and Args of a diag.Problem. A format without a translation
// stays English.
func (w Words) Sprintf(format string, args ...any) string {
	if w.lang == "zh" {
		format = cmp.Or(w.from.translation(format), format)
	}
	if len(args) == 0 && !strings.Contains(format, "%%") {
		return format
	}
	return fmt.Sprintf(format, args...)
}

// fill executes one template. A template that does not parse or run shows as it
// is written: bad words are better than none at 2 a.m., and Check finds them.
func (w Words) fill(text string, args map[string]any) string {
	if !strings.Contains(text, "{{") {
		return text
	}
	t, err := w.parsed(text)
	if err != nil {
		return text
	}
	var b strings.Builder
	if err := t.Execute(&b, plain(args)); err != nil {
		return text
	}
	return strings.ReplaceAll(b.String(), "<no value>", "?")
}

// parsed keeps what was parsed: a page or a check says the same few dozen texts again and again.
func (w Words) parsed(text string) (*template.Template, error) {
	key := spoken{w.lang, text}
	if t, ok := w.from.templates.Load(key); ok {
		return t.(*template.Template), nil
	}
	t, err := w.parse(text)
	if err == nil {
		w.from.templates.Store(key, t)
	}
	return t, err
}

func (w Words) parse(text string) (*template.Template, error) {
	return template.New("").Funcs(w.funcs()).Parse(text)
}

func (w Words) funcs() template.FuncMap {
	return template.FuncMap{
		"bytes":    number(func(n float64) string { return w.Bytes(int64(n)) }),
		"count":    number(func(n float64) string { return w.Count(int64(n)) }),
		"percent":  number(w.Percent),
		"duration": w.anyDuration,
		"time":     w.anyTime,
		"list":     w.list,
		"quote":    w.quote,
		"plural":   plural,
		"eq":       equalsAny,
		"ne":       func(a, b any) bool { return !equal(a, b) },
		"lt":       func(a, b any) bool { return less(a, b) },
		"gt":       func(a, b any) bool { return less(b, a) },
		"le":       func(a, b any) bool { return less(a, b) || equal(a, b) },
		"ge":       func(a, b any) bool { return less(b, a) || equal(a, b) },
	}
}

package web

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"upkeep/internal/capability/report"
	"upkeep/internal/catalogue"
)

// page is what every template is given beside its view: the reader and the place.
type page struct {
	words   catalogue.Words
	report  report.Text
	now     time.Time
	request *http.Request
	system  string
	assets  assets

	path    string          // of the page, also when its JSON is asked for
	lang    string          // that the address names; empty = it names none
	title   string          // in front of the system's name
	part    string          // of the navigation that this page belongs to
	refresh int             // seconds until the page asks again; 0 = never
	alerts  int             // that somebody is told of
	below   templ.Component // what stands below and is not asked for again; nil = nothing
}

func (s *site) page(r *http.Request) *page {
	p := &page{request: r, now: s.Now(), system: s.System.Name(), assets: s.assets, path: strings.TrimPrefix(r.URL.Path, api)}
	if asked := r.URL.Query().Get("lang"); asked == "en" || asked == "zh" {
		p.lang = asked
	}
	p.words = s.Texts.Words(language(p.lang, r.Header.Get("Accept-Language"), s.System.Language()))
	p.report = report.Text{Words: p.words, Now: p.now}
	return p
}

// language chooses the reader's: what the address says, then the browser, then the
// declaration.
func language(asked, accepted, declared string) string {
	if asked != "" {
		return asked
	}
	best, weight := "", 0.0
	for _, one := range strings.Split(accepted, ",") {
		tag, quality, _ := strings.Cut(strings.TrimSpace(one), ";")
		base, _, _ := strings.Cut(strings.ToLower(tag), "-")
		q := 1.0
		if text, is := strings.CutPrefix(strings.TrimSpace(quality), "q="); is {
			q, _ = strconv.ParseFloat(text, 64) // 0 for what is no number: not wanted
		}
		if (base == "en" || base == "zh") && q > weight {
			best, weight = base, q
		}
	}
	if best != "" {
		return best
	}
	return declared
}

type args = map[string]any

// say returns a message of the page's own.
func (p *page) say(id string, values ...any) string {
	said := args{}
	for i := 0; i+1 < len(values); i += 2 {
		said[values[i].(string)] = values[i+1]
	}
	return p.words.Message("web."+id, said)
}

// link is an address on this site, which keeps the language that was asked for.
func (p *page) link(parts ...string) templ.SafeURL {
	var path strings.Builder
	for _, part := range parts {
		path.WriteString("/" + url.PathEscape(part))
	}
	if len(parts) == 0 {
		path.WriteString("/")
	}
	return templ.SafeURL(p.asked(path.String(), url.Values{}))
}

func (p *page) asked(path string, query url.Values) string {
	if p.lang != "" {
		query.Set("lang", p.lang)
	}
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// own is the address of this page, as it was asked for, in a language.
func (p *page) own(lang string) templ.SafeURL {
	query := url.Values{}
	for _, key := range []string{"span", "before"} {
		if value := p.request.URL.Query().Get(key); value != "" {
			query.Set(key, value)
		}
	}
	if lang != "" {
		query.Set("lang", lang)
	}
	path := (&url.URL{Path: p.path}).EscapedPath()
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return templ.SafeURL(path)
}

// same is the address of this page as it stands.
func (p *page) same() string { return string(p.own(p.lang)) }

// other is the language that this page is not in.
func (p *page) other() string {
	if p.words.Lang() == "zh" {
		return "en"
	}
	return "zh"
}

// htmlLang is the language as HTML names it.
func (p *page) htmlLang() string { return p.words.Message("report.html-lang", nil) }

// here is the value of aria-current of a link in the navigation.
func (p *page) here(part string) templ.Attributes {
	if p.part == part {
		return templ.Attributes{"aria-current": "page"}
	}
	return nil
}

// chosen is the value of aria-current of one of several ways to show the same.
func chosen(is bool) templ.Attributes {
	if is {
		return templ.Attributes{"aria-current": "true"}
	}
	return nil
}

func (s *site) alertCount(ctx context.Context, p *page) {
	all, err := s.System.Alerts(ctx)
	if err != nil {
		return // the page of alerts says why
	}
	for _, a := range all.Alerts {
		if !a.Quiet() {
			p.alerts++
		}
	}
}

// json is the address of what this page shows, for programs.
func (p *page) json() templ.SafeURL { return templ.SafeURL(api + p.same()) }

// span is the address of this page with charts that go back so far.
func (p *page) span(span string) templ.SafeURL {
	return templ.SafeURL(p.asked((&url.URL{Path: p.path}).EscapedPath(), url.Values{"span": {span}}) + "#charts")
}

// older is the address of the runs before one.
func (p *page) older(before string) templ.SafeURL {
	return templ.SafeURL(p.asked("/runs", url.Values{"before": {before}}))
}

// nothing is for addresses at which there is nothing.
func (s *site) nothing(_ context.Context, p *page) (any, templ.Component, error) {
	return nil, nil, absent{Sort: "page", Name: p.path}
}

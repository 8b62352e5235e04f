// Package web is the page: what serve knows, for a browser. A handler asks the System,
// fills a view and executes its template; the same view is the JSON at the same address
// under /api/v1. It reads, and changes nothing. What a check, a copy or a drill means is
// judged and said by capability/report, here as in every report.
package web

import (
	"context"
	_ "embed"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/a-h/templ"

	"upkeep/internal/catalogue"
)

//go:embed text.yaml
var text []byte

// Words are the page's own, for the catalogue.
func Words() catalogue.Source { return catalogue.Source{Prefix: "web", Text: text} }

// World is what the page gets from outside.
type World struct {
	System System
	Texts  *catalogue.Catalogue // with Words in it
	Now    func() time.Time
	Log    *slog.Logger
}

// site is the page of one process.
type site struct {
	World
	assets  assets
	packers sync.Pool // of *gzip.Writer
}

// view fills one page. What it returns is the JSON, and body shows the same.
type view func(ctx context.Context, p *page) (data any, body templ.Component, err error)

// New answers everything that begins with "/": pages, the same as JSON below /api/v1,
// and what pages are made of below /assets. The address is judged by whoever calls it.
func New(w World) http.Handler {
	s := &site{World: w, assets: newAssets()}
	mux := http.NewServeMux()
	for path, fill := range map[string]view{
		"/{$}":              s.home,
		"/targets/{target}": s.target,
		"/runs":             s.runs,
		"/runs/{run}":       s.run,
		"/points":           s.points,
		"/alerts":           s.alerts,
		"/calendar":         s.calendar,
		"/":                 s.nothing,
	} {
		mux.Handle(path, s.shown(fill))
		mux.Handle(api+path, s.told(fill))
	}
	mux.Handle("/assets/{file}", s.assets)
	return confined(s.readOnly(mux))
}

// api is where the JSON lies.
const api = "/api/v1"

// confined lets a page run and load nothing but what comes from here, and be shown in no
// other page.
func confined(next http.Handler) http.Handler {
	const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// readOnly refuses what would change something.
func (s *site) readOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Allow", "GET, HEAD")
		s.fail(w, r, s.page(r), refused{})
	})
}

// shown answers with a page.
func (s *site) shown(fill view) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := s.page(r)
		_, body, err := fill(r.Context(), p)
		if err != nil {
			s.fail(w, r, p, err)
			return
		}
		s.alertCount(r.Context(), p)
		s.sendPage(w, r, http.StatusOK, layout(p, body))
	})
}

// told answers with JSON.
func (s *site) told(fill view) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := s.page(r)
		data, _, err := fill(r.Context(), p)
		if err != nil {
			s.fail(w, r, p, err)
			return
		}
		s.sendJSON(w, r, http.StatusOK, data)
	})
}

func isAPI(r *http.Request) bool { return r.URL.Path == api || strings.HasPrefix(r.URL.Path, api+"/") }

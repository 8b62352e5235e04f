package web

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"strings"

	"github.com/a-h/templ"

	"upkeep/internal/capability/report"
	"upkeep/internal/engine"
	"upkeep/internal/service"
)

// sendPage writes a page whole: one that breaks in the middle is never sent.
func (s *site) sendPage(w http.ResponseWriter, r *http.Request, status int, body templ.Component) {
	var b bytes.Buffer
	if err := body.Render(r.Context(), &b); err != nil {
		s.Log.Error("page not made", "path", r.URL.Path, "error", err)
		http.Error(w, "500: this page could not be made; the reason is in the log of upkeep serve", http.StatusInternalServerError)
		return
	}
	s.send(w, r, status, "text/html; charset=utf-8", b.Bytes())
}

// sendJSON leaves <, > and & as they are, as the command line does.
func (s *site) sendJSON(w http.ResponseWriter, r *http.Request, status int, data any) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(data); err != nil {
		s.Log.Error("answer not made", "path", r.URL.Path, "error", err)
		http.Error(w, "500: this answer could not be made; the reason is in the log of upkeep serve", http.StatusInternalServerError)
		return
	}
	s.send(w, r, status, "application/json", b.Bytes())
}

// send answers with a body that is asked for anew each time, and sent only when it has
// changed.
func (s *site) send(w http.ResponseWriter, r *http.Request, status int, kind string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Vary", "Accept-Encoding, Accept-Language")
	if status == http.StatusOK {
		sum := fnv.New64a()
		sum.Write(body)
		tag := fmt.Sprintf(`"%x"`, sum.Sum64())
		h.Set("ETag", tag)
		if matches(r, tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	if !zips(r) {
		w.WriteHeader(status)
		_, _ = w.Write(body) // whoever asked has gone
		return
	}
	h.Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	s.zip(w, body)
}

// zip writes body packed. A packer is 1 MB, so it is used again.
func (s *site) zip(w io.Writer, body []byte) {
	z, ok := s.packers.Get().(*gzip.Writer)
	if !ok {
		z, _ = gzip.NewWriterLevel(io.Discard, gzip.BestSpeed) // of a level that is known
	}
	z.Reset(w)
	_, _ = z.Write(body) // whoever asked has gone
	_ = z.Close()
	s.packers.Put(z)
}

func matches(r *http.Request, tag string) bool {
	return strings.Contains(r.Header.Get("If-None-Match"), tag)
}

func zips(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") }

// refused is a request that would change something.
type refused struct{}

func (refused) Error() string { return "the page is read-only" }

// absent is an address at which there is nothing.
type absent struct {
	Sort, Name string // "target", "run" or "page"
	Others     []string
}

func (a absent) Error() string { return "there is no " + a.Sort + " " + a.Name }

// failure is the view of a page that could not be made.
type failure struct {
	Status int               `json:"status"`
	Error  *report.ErrorView `json:"error"`

	others []string // what may have been meant: targets
	sort   string
}

// fail answers with what went wrong.
func (s *site) fail(w http.ResponseWriter, r *http.Request, p *page, err error) {
	f := p.failure(err)
	if f.Status == http.StatusInternalServerError {
		s.Log.Error("page not made", "path", r.URL.Path, "error", err)
	}
	if p.title = f.Error.Title; f.Status == http.StatusNotFound {
		s.alertCount(r.Context(), p)
	}
	if isAPI(r) {
		s.sendJSON(w, r, f.Status, f)
		return
	}
	s.sendPage(w, r, f.Status, layout(p, failed(p, f)))
}

func (p *page) failure(err error) failure {
	var gone absent
	var change refused
	switch {
	case errors.As(err, &gone):
		return failure{Status: http.StatusNotFound, others: gone.Others, sort: gone.Sort, Error: &report.ErrorView{ID: "web.no-" + gone.Sort,
			Title: p.say("no-"+gone.Sort, "name", gone.Name), Fix: p.say("no-" + gone.Sort + "-fix"), Detail: gone.Error()}}
	case errors.As(err, &change):
		return failure{Status: http.StatusMethodNotAllowed, Error: &report.ErrorView{ID: "web.read-only",
			Title: p.say("read-only"), Fix: p.say("read-only-fix"), Detail: change.Error()}}
	}
	return failure{Status: http.StatusInternalServerError, Error: p.trouble(err)}
}

// problem is why something could not be told, in words.
type problem = report.ErrorView

// trouble is why something could not be told, in words; nil for no error, and for what
// this process does not do or is still reading.
func (p *page) trouble(err error) *report.ErrorView {
	if err == nil || errors.Is(err, service.ErrUnsupported) || errors.Is(err, ErrReading) {
		return nil
	}
	return report.ErrorOf(p.words, engine.Problem(err), "", "")
}

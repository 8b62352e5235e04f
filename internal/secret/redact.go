package secret

import (
	"cmp"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// shortest is the length in bytes below which a value is not looked for: every
// "root" and "1" of an output would go with it.
const shortest = 5

// Redactor replaces known secrets in what is about to be shown. It is the last
// net under everything that goes to people, not the reason why secrets stay out
// of it. The zero value knows none; it is safe for concurrent use.
type Redactor struct {
	mu       sync.RWMutex
	known    []string
	replacer *strings.Replacer
}

// Add makes a value known, as it is and in the spellings of URLs and JSON.
func (r *Redactor) Add(value string) {
	if len(value) < shortest {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Contains(r.known, value) {
		return
	}
	r.known = append(r.known, spellings(value)...)
	// Longest first, so that one secret inside another leaves no rest.
	slices.SortFunc(r.known, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	pairs := make([]string, 0, 2*len(r.known))
	for _, known := range r.known {
		pairs = append(pairs, known, "…")
	}
	r.replacer = strings.NewReplacer(pairs...)
}

func spellings(value string) []string {
	all := []string{value, url.QueryEscape(value), url.PathEscape(value),
		strings.TrimPrefix(url.UserPassword("", value).String(), ":")}
	if quoted, err := json.Marshal(value); err == nil {
		all = append(all, string(quoted[1:len(quoted)-1]))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Redact returns text with every known value replaced by "…".
func (r *Redactor) Redact(text string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.replacer == nil {
		return text
	}
	return r.replacer.Replace(text)
}

// Writer returns a writer that redacts each Write before it reaches w. A value
// that is cut in two by its writer passes: it is meant for loggers and printers,
// which write whole lines.
func (r *Redactor) Writer(w io.Writer) io.Writer { return redacting{r, w} }

type redacting struct {
	redactor *Redactor
	to       io.Writer
}

func (w redacting) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.to, w.redactor.Redact(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

package s3

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"upkeep/internal/service"
	"upkeep/lab"
)

// between stands between the kind and the server: it counts requests, can do something
// before one is passed on, and can hide that the server is MinIO.
type between struct {
	*httptest.Server
	mu     sync.Mutex
	seen   []string // "GET /bucket/key?query"
	before func(r *http.Request)
	hide   bool
	cut    func(r *http.Request) bool // the answer breaks off in the middle
}

func newBetween(t *testing.T, s *lab.Server) *between {
	t.Helper()
	to, err := url.Parse("http://" + s.Addr())
	must(t, err)
	b := &between{}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // it is part of the signature
		},
		ModifyResponse: func(answer *http.Response) error {
			if b.hide {
				answer.Header.Set("Server", "another store")
			}
			if b.cut != nil && b.cut(answer.Request) {
				answer.Body = half{io.LimitReader(answer.Body, answer.ContentLength/2), answer.Body}
			}
			return nil
		},
	}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.seen = append(b.seen, r.Method+" "+r.URL.RequestURI())
		before := b.before
		b.mu.Unlock()
		if before != nil {
			before(r)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(b.Close)
	return b
}

// half is a body that ends too early.
type half struct {
	io.Reader
	io.Closer
}

// through declares the bucket behind the proxy.
func (b *between) through(cfg *Config, _ *service.Env) { cfg.Endpoint = b.URL }

// count forgets what was seen before and counts requests of a method while do runs;
// with object it counts only those for an object.
func (b *between) count(method string, object bool, do func()) (n int) {
	b.mu.Lock()
	b.seen = nil
	b.mu.Unlock()
	do()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, one := range b.seen {
		rest, is := strings.CutPrefix(one, method+" /"+bucketName+"/")
		if method == "" || is && (!object || rest != "" && !strings.HasPrefix(rest, "?")) {
			n++
		}
	}
	return n
}

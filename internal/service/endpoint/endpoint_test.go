package endpoint

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"upkeep/internal/catalogue"
	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

// declare reads a declaration as the loader does: defaults first.
func declare(t *testing.T, text string) Config {
	t.Helper()
	cfg := Kind.NewConfig().(*Config)
	if err := yaml.UnmarshalWithOptions([]byte(text), cfg, yaml.DisallowUnknownField()); err != nil {
		t.Fatal(err)
	}
	if err := Kind.Validate(cfg).Err(); err != nil {
		t.Fatal(err)
	}
	return *cfg
}

// point makes an instance for a URL and further keys of its declaration.
func point(t *testing.T, env service.Env, url, keys string) *Instance {
	t.Helper()
	return pointWith(t, newPacer(), env, url, keys)
}

func pointWith(t *testing.T, shared *pacer, env service.Env, url, keys string) *Instance {
	t.Helper()
	in, err := opener(shared)(env, declare(t, "url: "+url+"\n"+keys))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// answering is a server that always gives the same answer.
func answering(t *testing.T, status int, body string) string {
	t.Helper()
	return serving(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
}

func serving(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// check returns slug and subject → finding, and fails when one lacks words.
func check(t *testing.T, in *Instance) (map[string]service.Finding, service.Facts) {
	t.Helper()
	v, err := in.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	words, err := catalogue.New(catalogue.Source{Prefix: "endpoint", Text: text})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]service.Finding{}
	for _, f := range v.Findings {
		got[strings.TrimSpace(f.ID+" "+f.Subject)] = f
		for _, lang := range catalogue.Languages() {
			title, fix := words.Words(lang).Finding("endpoint."+f.ID, f.Args)
			said := strings.ReplaceAll(title+fix, "?…", "")
			if strings.ContainsAny(said, "?!") || fix == "" || strings.Contains(said, "{{") {
				t.Errorf("%s in %s says %q and %q", f.ID, lang, title, fix)
			}
		}
	}
	return got, v.Facts
}

func slugs(got map[string]service.Finding) string {
	var all []string
	for id, f := range got {
		all = append(all, fmt.Sprintf("%s %s %v", f.Severity, id, f.Args))
	}
	return strings.Join(all, "; ")
}

func TestWordsAreComplete(t *testing.T) {
	words, err := catalogue.New(catalogue.Source{Prefix: "endpoint", Text: text})
	if err != nil {
		t.Fatal(err)
	}
	if err := words.Check(); err != nil {
		t.Error(err)
	}
}

func TestExampleWorks(t *testing.T) {
	var services map[string]struct {
		Kind   string `yaml:"kind"`
		Config `yaml:",inline"`
	}
	if err := yaml.Unmarshal(example, &services); err != nil {
		t.Fatal(err)
	}
	cfg := services["api"].Config
	cfg.Defaults()
	if services["api"].Kind != "endpoint" || cfg.Validate().Err() != nil || len(cfg.Expect.JSON) != 2 ||
		cfg.Budget.interval() != 2*time.Second {
		t.Errorf("example reads as %+v", services)
	}
}

func TestHealthIsWhatTheAnswerSays(t *testing.T) {
	const degraded = `{"status": "degraded", "components": {"database": "unhealthy", "celery": "healthy"},
		"workers": [{"id": 9007199254740993}, {"id": 2.0}], "a.b": null, "timestamp": "2024-01-01T00:00:00Z"}`
	cases := []struct {
		name, body, expect string
		status             int
		want               string // severity and slug with subject; empty: no finding
	}{
		{"healthy", `{"components": {"database": "healthy"}}`, "{json: {components.database: healthy}}", 200, ""},
		{"200 with degraded inside is not ok", degraded, "{json: {components.database: healthy}}", 200, "critical json-differs components.database"},
		{"another part of the same answer", degraded, "{json: {components.celery: healthy}}", 200, ""},
		{"numbers are exact", degraded, "{json: {workers.0.id: 9007199254740992}}", 200, "critical json-differs workers.0.id"},
		{"2 is 2.0", degraded, "{json: {workers.1.id: 2}}", 200, ""},
		{"a number is no text", degraded, `{json: {workers.1.id: "2"}}`, 200, "critical json-differs workers.1.id"},
		{"null under a key with a dot", degraded, `{json: {'a\.b': null}}`, 200, ""},
		{"whole parts", degraded, `{json: {components: {celery: healthy, database: unhealthy}}}`, 200, ""},
		{"the case of letters counts", degraded, "{json: {components.celery: Healthy}}", 200, "critical json-differs components.celery"},
		{"a part that is not there", degraded, "{json: {components.redis: healthy}}", 200, "critical json-missing components.redis"},
		{"beyond the end of a list", degraded, "{json: {workers.2.id: 1}}", 200, "critical json-missing workers.2.id"},
		{"the start page of a web server", "<html>Hello</html>", "{json: {status: ok}}", 200, "critical not-json"},
		{"two values are not JSON", `{"status": "ok"} {"status": "ok"}`, "{json: {status: ok}}", 200, "critical not-json"},
		{"nothing declared, it says degraded", degraded, "{}", 200, "warning says-unhealthy"},
		{"nothing declared, it says healthy", `{"status": "healthy"}`, "{}", 200, ""},
		{"nothing declared, a number", `{"status": 1}`, "{}", 200, ""},
		{"a server error", "", "{}", 500, "critical status"},
		{"a declared status", "", "{status: [401, 403]}", 401, ""},
		{"200 where 401 is declared", "", "{status: 401}", 200, "critical status"},
		{"within a range", "", "{status: 4xx}", 404, ""},
		{"a text that is there", "<div id=root></div>", "{body: {contains: id=root}}", 200, ""},
		{"a text that is not", "<div>", "{body: {contains: id=root}}", 200, "critical body-lacks"},
		{"an expression that fits", "version 1.2.3", `{body: {matches: 'version \d+\.'}}`, 200, ""},
		{"one that does not", "version x", `{body: {matches: 'version \d+\.'}}`, 200, "critical body-differs"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := point(t, servicetest.Env(t), answering(t, c.status, c.body), "expect: "+c.expect)
			got, facts := check(t, in)
			if facts["status"] != c.status || facts["took_s"].(float64) <= 0 {
				t.Errorf("facts are %v", facts)
			}
			if !strings.HasPrefix(slugs(got), c.want) || (c.want == "") != (len(got) == 0) || len(got) > 1 {
				t.Errorf("found %s, want %s", slugs(got), c.want)
			}
		})
	}
}

func TestBrokenStatusStillTellsWhichPart(t *testing.T) {
	url := answering(t, 503, `{"database": "down", "cache": "up"}`)
	got, _ := check(t, point(t, servicetest.Env(t), url, "expect: {json: {database: up, cache: up}}"))
	if len(got) != 2 || got["status"].ID == "" || got["json-differs database"].Args["got"] != `"down"` {
		t.Errorf("found %s", slugs(got))
	}
	url = answering(t, 503, "Service Unavailable")
	got, _ = check(t, point(t, servicetest.Env(t), url, "expect: {json: {database: up}}"))
	if len(got) != 1 || got["status"].ID == "" {
		t.Errorf("found %s", slugs(got))
	}
}

func TestWhatWasGotIsCut(t *testing.T) {
	url := answering(t, 200, `{"status": "`+strings.Repeat("坏", 100_000)+`"}`)
	got, _ := check(t, point(t, servicetest.Env(t), url, "expect: {json: {status: ok}}"))
	if said := got["json-differs status"].Args["got"].(string); len([]rune(said)) != 201 {
		t.Errorf("shows %d characters", len([]rune(said)))
	}
}

func TestEndlessBodyIsReadInBoundedMemory(t *testing.T) {
	url := serving(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "begin")
		block := strings.Repeat("x", 64<<10)
		for r.Context().Err() == nil {
			if _, err := fmt.Fprint(w, block); err != nil {
				return
			}
		}
	})
	cases := []struct{ expect, want string }{
		{"{}", ""},
		{"{body: {contains: begin}}", ""},
		{"{body: {contains: end of it}}", "unknown body-too-long"},
		{"{json: {status: ok}}", "unknown body-too-long"},
	}
	for _, c := range cases {
		got, facts := check(t, point(t, servicetest.Env(t), url, "expect: "+c.expect))
		if facts["body_bytes"] != mostBody || !strings.HasPrefix(slugs(got), c.want) || (c.want == "") != (len(got) == 0) {
			t.Errorf("%s: found %s with %v bytes", c.expect, slugs(got), facts["body_bytes"])
		}
	}
}

func TestNoAnswerIsAnError(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	stalls := serving(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"status":`)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	breaks := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "half")
	})
	garbage := rawServer(t, "SSH-2.0-OpenSSH_9.2p1\r\n")
	headers := rawServer(t, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 2*mostHeader)+"\r\n\r\n")
	for name, url := range map[string]string{
		"accepts and never answers": "http://" + silent.Addr().String(),
		"refuses":                   "http://" + closed.Addr().String(),
		"refuses tcp":               "tcp://" + closed.Addr().String(),
		"unknown name":              "http://no-such-host.invalid/",
		"stops in the body":         stalls,
		"breaks off":                breaks,
		"is no web server":          garbage,
		"sends endless headers":     headers,
	} {
		t.Run(name, func(t *testing.T) {
			v, err := point(t, servicetest.Env(t), url+query(url), "timeout: 500ms").Check(t.Context())
			if !errors.Is(err, service.ErrUnreachable) || len(v.Findings) > 0 {
				t.Errorf("found %v, error %v", v.Findings, err)
			}
			if strings.Contains(err.Error(), "t0ken") {
				t.Errorf("the error shows the query: %v", err)
			}
		})
	}
}

func query(url string) string {
	if strings.HasPrefix(url, "tcp") {
		return ""
	}
	return "/?key=t0ken"
}

// rawServer writes bytes to whoever connects.
func rawServer(t *testing.T, bytes string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.Read(make([]byte, 4096))
				c.Write([]byte(bytes))
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

func TestOpenPortIsEnoughForTCP(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	got, facts := check(t, point(t, servicetest.Env(t), "tcp://"+listener.Addr().String(), ""))
	if len(got) > 0 || facts["took_s"] == nil {
		t.Errorf("found %s, facts %v", slugs(got), facts)
	}
}

func TestSlowIsJudgedByTheWholeAnswer(t *testing.T) {
	url := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		time.Sleep(30 * time.Millisecond)
	})
	cases := []struct {
		latency  string
		severity service.Severity
	}{
		{"{warning: 10ms, critical: 20ms}", service.Critical},
		{"{warning: 10ms, critical: 1h}", service.Warning},
		{"{warning: 10ms}", service.Warning},
		{"{warning: 1h}", ""},
		{"{}", ""},
	}
	for _, c := range cases {
		got, _ := check(t, point(t, servicetest.Env(t), url, "latency: "+c.latency))
		if got["slow"].Severity != c.severity {
			t.Errorf("%s: found %s", c.latency, slugs(got))
		}
	}
}

func TestIdentityHoldsNoSecret(t *testing.T) {
	for url, want := range map[string]string{
		"http://127.0.0.1:8000/health":              "http://127.0.0.1:8000/health",
		"https://me:s3cret@example.org/x?key=t0k#f": "https://example.org/x?…",
		"tcp://127.0.0.1:6379":                      "tcp://127.0.0.1:6379",
	} {
		if got, err := point(t, servicetest.Env(t), "'"+url+"'", "").Identity(t.Context()); err != nil || got != want {
			t.Errorf("%s is %q, %v", url, got, err)
		}
	}
}

func TestProxyOfTheEnvironmentIsNotUsed(t *testing.T) {
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	proxied := ""
	proxy := serving(t, func(_ http.ResponseWriter, r *http.Request) { proxied = r.URL.String() })
	in := point(t, servicetest.Env(t), "http://service.invalid/health", "proxy: "+proxy)
	if got, _ := check(t, in); len(got) > 0 || proxied != "http://service.invalid/health" {
		t.Errorf("found %s through %q", slugs(got), proxied)
	}
	direct := point(t, servicetest.Env(t), "http://service.invalid/health", "")
	if _, err := direct.Check(t.Context()); err == nil || strings.Contains(err.Error(), "127.0.0.1:1:") {
		t.Errorf("error is %v", err)
	}
}

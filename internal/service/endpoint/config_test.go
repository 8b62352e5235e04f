package endpoint

import (
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"upkeep/internal/secret"
)

func TestValidateReportsEveryProblem(t *testing.T) {
	cases := []struct {
		name string
		cfg  Config
		want string // paths
	}{
		{"nothing declared", Config{}, "url timeout"},
		{"another scheme", Config{URL: "ftp://host/x", Timeout: 1}, "url"},
		{"no host", Config{URL: "http:///health", Timeout: 1}, "url"},
		{"tcp without a port", Config{URL: "tcp://host", Timeout: 1}, "url"},
		{"tcp has no body", Config{URL: "tcp://host:1", Timeout: 1, Expect: Expect{Body: Body{Contains: "x"}}}, "expect"},
		{"hostile headers", Config{URL: "http://host", Method: "GET /", Timeout: 1, Headers: map[string]string{
			"X-A": "a\r\nX-B: b", "X B": "c", "authorization": "Basic eA=="}}, "method headers.X B headers.X-A headers.authorization"},
		{"hostile names of secret headers", Config{URL: "http://host", Method: "GET", Timeout: 1,
			SecretHeaders: map[string]secret.Ref{"X\nY": {}}}, "secret_headers.X\nY"},
		{"limits the wrong way round", Config{URL: "https://host", Method: "GET", Timeout: 1, Latency: Latency{Warning: 2, Critical: 1},
			TLS: TLS{ExpiryWarning: 1, ExpiryCritical: 2}}, "tls.expiry_critical latency.warning"},
		{"an expression that is none", Config{URL: "http://host", Method: "GET", Timeout: 1,
			Expect: Expect{Body: Body{Matches: "("}}, Proxy: "ftp://x"}, "expect.body.matches proxy"},
		{"a login without a name", Config{URL: "http://host", Method: "GET", Timeout: 1, Password: secret.Parse("env:X")}, "user"},
		{"two logins", Config{URL: "http://host", Method: "GET", Timeout: 1, User: "me", Bearer: secret.Parse("env:X")}, "bearer"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var paths []string
			for _, p := range c.cfg.Validate() {
				paths = append(paths, p.Path)
			}
			if got := strings.Join(paths, " "); got != c.want {
				t.Errorf("problems at %q, want %q", got, c.want)
			}
		})
	}
}

func TestStatusForms(t *testing.T) {
	cases := []struct {
		text   string
		in     []int
		out    []int
		broken bool
	}{
		{"{}", []int{200, 204, 299}, []int{199, 301, 429}, false},
		{"status: 200", []int{200}, []int{201}, false},
		{"status: [200, 301-303]", []int{200, 302}, []int{201, 304}, false},
		{"status: 2xx", []int{200, 299}, []int{300}, false},
		{`status: "200"`, []int{200}, nil, false},
		{"status: fine", nil, nil, true},
		{"status: 20", nil, nil, true},
		{"status: 300-200", nil, nil, true},
		{"status: {ok: 200}", nil, nil, true},
	}
	for _, c := range cases {
		var e Expect
		err := yaml.Unmarshal([]byte(c.text), &e)
		if (err != nil) != c.broken {
			t.Errorf("%s: error is %v", c.text, err)
		}
		for _, code := range c.in {
			if !e.Status.covers(code) {
				t.Errorf("%s leaves %d out", c.text, code)
			}
		}
		for _, code := range c.out {
			if e.Status.covers(code) {
				t.Errorf("%s takes %d in", c.text, code)
			}
		}
	}
}

func TestBudgetForms(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30/m": 2 * time.Second, "1000 / h": 3600 * time.Millisecond, "1/s": time.Second, "24/d": time.Hour,
		"30": 0, "0/m": 0, "-1/m": 0, "many/m": 0, "30/w": 0,
	} {
		var c struct{ Budget Budget }
		err := yaml.Unmarshal([]byte("budget: "+text), &c)
		if c.Budget.interval() != want || (err != nil) != (want == 0) {
			t.Errorf("%s is %s, %v", text, c.Budget.interval(), err)
		}
	}
}

package endpoint

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"time"

	"golang.org/x/net/http/httpguts"

	"upkeep/internal/diag"
	"upkeep/internal/quantity"
	"upkeep/internal/secret"
)

// Config declares one address and what its answer must be.
type Config struct {
	URL    string `yaml:"url"`    // http://, https:// or tcp://host:port
	Method string `yaml:"method"` // GET
	// Headers are sent as they stand; those that hold a secret are references.
	Headers       map[string]string     `yaml:"headers"`
	SecretHeaders map[string]secret.Ref `yaml:"secret_headers"`
	Bearer        secret.Ref            `yaml:"bearer"` // token of the Authorization header
	User          string                `yaml:"user"`   // of basic authentication
	Password      secret.Ref            `yaml:"password"`
	Expect        Expect                `yaml:"expect"`
	Latency       Latency               `yaml:"latency"`
	Timeout       quantity.Duration     `yaml:"timeout"` // for the whole answer
	TLS           TLS                   `yaml:"tls"`
	// FollowRedirects goes where the server points, at most ten times. Secrets are
	// sent to the declared host only.
	FollowRedirects bool `yaml:"follow_redirects"`
	// Proxy to go through. Proxies of the environment are not used: a check must
	// give the same answer from cron as from a shell.
	Proxy string `yaml:"proxy"`
	// Budget is how often upkeep may ask this host and port, all its endpoints
	// together. Empty does not limit.
	Budget Budget `yaml:"budget"`
}

// Expect is what the answer must be.
type Expect struct {
	Status Status `yaml:"status"` // empty: 200-299
	// JSON maps paths (components.database, workers.0.name; a dot inside a key is
	// written \.) to the exact value that must stand there.
	JSON map[string]any `yaml:"json"`
	Body Body           `yaml:"body"`
}

// Body is what the first MiB of the answer must hold.
type Body struct {
	Contains string `yaml:"contains"`
	Matches  string `yaml:"matches"` // regular expression (RE2)
}

// Latency limits the time to the whole answer. 0 switches a limit off.
type Latency struct {
	Warning  quantity.Duration `yaml:"warning"`
	Critical quantity.Duration `yaml:"critical"`
}

// TLS says how certificates are judged. There is no way to accept an invalid one.
type TLS struct {
	ExpiryWarning  quantity.Duration `yaml:"expiry_warning"`
	ExpiryCritical quantity.Duration `yaml:"expiry_critical"`
	CA             string            `yaml:"ca"`          // PEM file of the authorities to trust instead of the system's
	ServerName     string            `yaml:"server_name"` // in the certificate, where it is not the host of the URL
}

// Defaults give renewals that run 30 days ahead a week before anybody is called.
func (c *Config) Defaults() {
	c.Method = "GET"
	c.Timeout = quantity.Duration(5 * time.Second)
	c.TLS.ExpiryWarning = quantity.Duration(21 * 24 * time.Hour)
	c.TLS.ExpiryCritical = quantity.Duration(7 * 24 * time.Hour)
}

// Validate reports every problem at once, by path.
func (c *Config) Validate() (p diag.List) {
	at, err := url.Parse(c.URL)
	switch {
	case c.URL == "":
		p.Addf("url", "is missing")
	case err != nil || at.Hostname() == "" || !slices.Contains([]string{"http", "https", "tcp"}, at.Scheme):
		p.Addf("url", "must be http://…, https://… or tcp://host:port")
	case at.Scheme == "tcp":
		c.validateTCP(at, &p)
	default:
		c.validateHTTP(&p)
	}
	if c.Timeout == 0 {
		p.Addf("timeout", "must be above 0")
	}
	order(&p, "latency.warning", c.Latency.Warning, c.Latency.Critical)
	return p
}

func (c *Config) validateTCP(at *url.URL, p *diag.List) {
	if at.Port() == "" || at.Path != "" || at.RawQuery != "" {
		p.Addf("url", "must be http://…, https://… or tcp://host:port")
	}
	e := c.Expect
	if len(e.Status) > 0 || len(e.JSON) > 0 || e.Body != (Body{}) {
		p.Addf("expect", "needs http:// or https://: a tcp:// address is only connected to")
	}
}

func (c *Config) validateHTTP(p *diag.List) {
	if !httpguts.ValidHeaderFieldName(c.Method) { // both are tokens
		p.Addf("method", "must be a method such as GET, is %q", c.Method)
	}
	c.validateHeaders(p)
	if _, err := regexp.Compile(c.Expect.Body.Matches); err != nil {
		p.Addf("expect.body.matches", "must be a regular expression: %v", err)
	}
	for _, path := range slices.Sorted(maps.Keys(c.Expect.JSON)) {
		if path == "" {
			p.Addf("expect.json", "must not have an empty path")
		}
	}
	if proxy, err := url.Parse(c.Proxy); c.Proxy != "" && (err != nil || proxy.Host == "" ||
		!slices.Contains([]string{"http", "socks5"}, proxy.Scheme)) {
		p.Addf("proxy", "must be http://host:port or socks5://host:port")
	}
	if c.User == "" && !c.Password.IsZero() {
		p.Addf("user", "is missing beside password")
	}
	if c.User != "" && !c.Bearer.IsZero() {
		p.Addf("bearer", "cannot stand beside user")
	}
	order(p, "tls.expiry_critical", c.TLS.ExpiryCritical, c.TLS.ExpiryWarning)
}

func (c *Config) validateHeaders(p *diag.List) {
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		path := "headers." + name
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			p.Addf(path, "is no name of a header")
		case !httpguts.ValidHeaderFieldValue(c.Headers[name]):
			p.Addf(path, "must be one line of text")
		case isSecret(name):
			p.Addf(path, "belongs under secret_headers, as a reference such as env:NAME or file:PATH")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.SecretHeaders)) {
		if !httpguts.ValidHeaderFieldName(name) {
			p.Addf("secret_headers."+name, "is no name of a header")
		}
	}
}

// order reports limits that stand the wrong way round.
func order(p *diag.List, path string, low, high quantity.Duration) {
	if high > 0 && low > high {
		p.Addf(path, "%s must not be above %s", low, high)
	}
}

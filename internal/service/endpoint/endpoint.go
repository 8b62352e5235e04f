// Package endpoint asks an address from outside, as its users do: whether it
// answers in time, with what was declared, under a certificate that holds. It
// sends one request per look and never logs in, retries or follows pages; what
// lies behind the address has kinds of its own.
package endpoint

import (
	"context"
	"embed"
	"fmt"
	"net/url"
	"regexp"

	"upkeep/internal/service"
)

var (
	_ service.Checker    = (*Instance)(nil)
	_ service.Collector  = (*Instance)(nil)
	_ service.Identifier = (*Instance)(nil)
)

//go:embed text.yaml
var text []byte

//go:embed example.yaml
var example []byte

//go:embed metrics.tsv panels.yaml rules.yaml
var monitoring embed.FS

// Kind is listed in service/all. All its instances share one pacer.
var Kind = service.Define("endpoint", opener(newPacer()), text, example).Monitored(monitoring)

// Instance is one address. It keeps no connection: every look makes its own, as
// a new user would.
type Instance struct {
	env     service.Env
	cfg     Config
	url     *url.URL
	matches *regexp.Regexp // of the body; nil without
	pacer   *pacer
}

func opener(shared *pacer) func(service.Env, Config) (*Instance, error) {
	return func(env service.Env, cfg Config) (*Instance, error) {
		at, err := url.Parse(cfg.URL)
		if err != nil {
			return nil, fmt.Errorf("read the URL: %w", err)
		}
		in := &Instance{env: env, cfg: cfg, url: at, pacer: shared}
		if cfg.Expect.Body.Matches != "" {
			if in.matches, err = regexp.Compile(cfg.Expect.Body.Matches); err != nil {
				return nil, fmt.Errorf("read the expression for the body: %w", err)
			}
		}
		return in, nil
	}
}

// Close has nothing to do.
func (in *Instance) Close() error { return nil }

// Identity is the address without what may be secret in it.
func (in *Instance) Identity(context.Context) (string, error) { return shown(in.url), nil }

// shown leaves out the login and the values of the query: tokens travel in both.
func shown(u *url.URL) string {
	plain := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	text := plain.String()
	if u.RawQuery != "" {
		text += "?…"
	}
	return text
}

// hostPort names the server that answers, for its budget.
func hostPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	return u.Host + ":" + map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

package endpoint

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"

	"golang.org/x/net/http/httpguts"

	"upkeep/internal/secret"
	"upkeep/internal/service"
)

// answer is what one request gave.
type answer struct {
	status    int // 0 for tcp
	header    http.Header
	body      []byte // at most mostBody bytes, decompressed
	cut       bool   // there was more
	length    int64  // as the server announced it; -1 unknown
	version   float64
	redirects int
	took      time.Duration // to the end of the body
	phases    phases
	tls       *tls.ConnectionState // of the declared host; nil without
}

const (
	mostBody      = 1 << 20
	mostHeader    = 256 << 10
	mostRedirects = 10
)

var errRedirects = errors.New("redirected too often")

// probe sends one request. Errors wrap ErrUnreachable, or are what TLS and
// redirects said.
func (in *Instance) probe(ctx context.Context) (answer, error) {
	limit := in.cfg.Timeout.Std()
	timed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var a answer
	var err error
	start := in.env.Now()
	if in.url.Scheme == "tcp" {
		err = in.connect(timed, &a)
	} else {
		err = in.request(timed, &a)
	}
	a.took = in.env.Now().Sub(start)
	switch {
	case err == nil:
		return a, nil
	case ctx.Err() != nil: // we were stopped; that says nothing about the server
		return a, fmt.Errorf("ask %s: %w", shown(in.url), ctx.Err())
	case timed.Err() != nil:
		return a, fmt.Errorf("ask %s: no complete answer within %s: %w", shown(in.url), limit, service.ErrUnreachable)
	}
	return a, fmt.Errorf("ask %s: %w", shown(in.url), err)
}

func (in *Instance) connect(ctx context.Context, a *answer) error {
	t := newTrace(in.env.Now)
	defer t.fill(a)
	dialer := net.Dialer{}
	c, err := dialer.DialContext(httptrace.WithClientTrace(ctx, t.hooks()), "tcp", in.url.Host)
	if err != nil {
		return unreachable(err)
	}
	return c.Close()
}

func (in *Instance) request(ctx context.Context, a *answer) error {
	t := newTrace(in.env.Now)
	defer t.fill(a)
	client, err := in.client(a)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	request, err := in.newRequest(httptrace.WithClientTrace(ctx, t.hooks()))
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return unreachable(err)
	}
	defer response.Body.Close()
	a.status, a.header, a.length = response.StatusCode, response.Header, response.ContentLength
	a.version = float64(response.ProtoMajor) + float64(response.ProtoMinor)/10
	return a.read(response.Body)
}

// read stops after mostBody: a server may send without end.
func (a *answer) read(body io.Reader) error {
	content, err := io.ReadAll(io.LimitReader(body, mostBody+1))
	if err != nil {
		return fmt.Errorf("the answer broke off: %w", unreachable(err))
	}
	a.cut = len(content) > mostBody
	a.body = content[:min(len(content), mostBody)]
	return nil
}

// client makes one for a single request. a gets what it sees on the way.
func (in *Instance) client(a *answer) (*http.Client, error) {
	secured, err := in.tlsConfig()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		TLSClientConfig:        secured,
		DisableKeepAlives:      true,
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: mostHeader,
	}
	if in.cfg.Proxy != "" {
		proxy, err := url.Parse(in.cfg.Proxy)
		if err != nil {
			return nil, fmt.Errorf("read the proxy: %w", err)
		}
		transport.Proxy = http.ProxyURL(proxy)
	}
	return &http.Client{Transport: transport, CheckRedirect: in.redirect(a)}, nil
}

// redirect follows when that was declared, and takes secrets along to the
// declared host only.
func (in *Instance) redirect(a *answer) func(*http.Request, []*http.Request) error {
	return func(next *http.Request, before []*http.Request) error {
		if !in.cfg.FollowRedirects {
			return http.ErrUseLastResponse
		}
		if len(before) > mostRedirects {
			return errRedirects
		}
		a.redirects = len(before)
		next.Header.Del("Referer") // the query may hold a token
		if next.URL.Scheme != in.url.Scheme || next.URL.Host != in.url.Host {
			next.Header.Del("Authorization")
			for name := range in.cfg.SecretHeaders {
				next.Header.Del(name)
			}
		}
		return nil
	}
}

func (in *Instance) newRequest(ctx context.Context) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, in.cfg.Method, in.url.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", plain(err))
	}
	request.Header.Set("User-Agent", "upkeep")
	for name, value := range in.cfg.Headers {
		set(request, name, value)
	}
	for name, ref := range in.cfg.SecretHeaders {
		value, err := in.secret(ctx, ref)
		if err != nil {
			return nil, fmt.Errorf("read the secret of header %s: %w", name, err)
		}
		set(request, name, value)
	}
	return request, in.logIn(ctx, request)
}

func (in *Instance) logIn(ctx context.Context, request *http.Request) error {
	if !in.cfg.Bearer.IsZero() {
		token, err := in.secret(ctx, in.cfg.Bearer)
		if err != nil {
			return fmt.Errorf("read the bearer token: %w", err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if in.cfg.User != "" {
		password, err := in.env.Secret(ctx, in.cfg.Password)
		if err != nil {
			return fmt.Errorf("read the password: %w", err)
		}
		request.SetBasicAuth(in.cfg.User, password)
	}
	return nil
}

// secret refuses what would end a header and begin another.
func (in *Instance) secret(ctx context.Context, ref secret.Ref) (string, error) {
	value, err := in.env.Secret(ctx, ref)
	if err != nil {
		return "", err
	}
	if !httpguts.ValidHeaderFieldValue(value) {
		return "", errors.New("it is not one line of text")
	}
	return value, nil
}

// set knows that the host is no ordinary header in Go.
func set(request *http.Request, name, value string) {
	if http.CanonicalHeaderKey(name) == "Host" {
		request.Host = value
		return
	}
	request.Header.Set(name, value)
}

// unreachable marks what the network said; what TLS and redirects said passes.
func unreachable(err error) error {
	err = plain(err)
	if errors.Is(err, errRedirects) || tlsTrouble(err) != "" {
		return err
	}
	return fmt.Errorf("%w: %w", service.ErrUnreachable, err)
}

// plain takes the URL out of an error: its query may hold a token.
func plain(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

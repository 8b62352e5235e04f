package s3

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"upkeep/internal/secret"
	"upkeep/internal/service"
)

// attempts are made per request: the library waits a fraction of a second between
// them, so that a server that is gone is found out within a check's time.
const attempts = 3

// client speaks to one endpoint.
type client struct {
	*minio.Core
	http *http.Transport
	// minio is set once an answer came from MinIO, which lists metadata and tags.
	minio atomic.Bool
}

// connect returns the client of the instance. It makes no connection.
func (in *Instance) connect(ctx context.Context) (*client, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.client != nil {
		return in.client, nil
	}
	c, err := in.newClient(ctx)
	if err != nil {
		return nil, err
	}
	in.client = c
	return c, nil
}

func (in *Instance) newClient(ctx context.Context) (*client, error) {
	at, err := url.Parse(in.cfg.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("read the endpoint: %w", err)
	}
	c := &client{}
	if c.http, err = in.transport(at.Scheme == "https"); err != nil {
		return nil, err
	}
	login, err := in.login(ctx)
	if err != nil {
		return nil, err
	}
	lookup := minio.BucketLookupPath
	if !in.cfg.PathStyle {
		lookup = minio.BucketLookupDNS
	}
	c.Core, err = minio.NewCore(at.Host, &minio.Options{Creds: login, Secure: at.Scheme == "https", Region: in.cfg.Region,
		BucketLookup: lookup, Transport: &witness{client: c}, MaxRetries: attempts})
	if err != nil {
		return nil, fmt.Errorf("set up the client of %s: %w", in.cfg.Endpoint, err)
	}
	return c, nil
}

func (in *Instance) transport(secure bool) (*http.Transport, error) {
	t, err := minio.DefaultTransport(secure)
	if err != nil {
		return nil, fmt.Errorf("set up the transport: %w", err)
	}
	if in.only != "" {
		confine(t, in.only)
	}
	if in.cfg.CA == "" || !secure {
		return t, nil
	}
	path := in.cfg.CA
	if !filepath.IsAbs(path) {
		path = filepath.Join(in.env.Base, path)
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the authority of %s: %w", in.cfg.Endpoint, err)
	}
	t.TLSClientConfig.RootCAs = x509.NewCertPool()
	if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", path)
	}
	return t, nil
}

// confine lets a transport reach one address.
func confine(t *http.Transport, address string) {
	dial := t.DialContext
	t.Proxy = nil
	t.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) { return dial(ctx, network, address) }
}

// login is anonymous where no keys are declared.
func (in *Instance) login(ctx context.Context) (*credentials.Credentials, error) {
	var access, private string
	for _, key := range []struct {
		name string
		ref  secret.Ref
		to   *string
	}{{"access_key", in.cfg.AccessKey, &access}, {"secret_key", in.cfg.SecretKey, &private}} {
		if key.ref.IsZero() {
			continue
		}
		value, err := in.env.Secret(ctx, key.ref)
		if err != nil {
			return nil, fmt.Errorf("resolve %s: %w", key.name, err)
		}
		*key.to = value
	}
	return credentials.NewStaticV4(access, private, ""), nil
}

// witness notes which server answers.
type witness struct{ client *client }

func (w *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := w.client.http.RoundTrip(r)
	if err == nil && answer.Header.Get("Server") == "MinIO" {
		w.client.minio.Store(true)
	}
	return answer, err
}

// explain wraps the sentinel that an error of the library means.
func explain(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", err, service.ErrUnreachable)
	}
	var answer minio.ErrorResponse
	if !errors.As(err, &answer) {
		return transportError(err)
	}
	if meaning := meaningOf(answer); meaning != nil {
		return fmt.Errorf("%s: %w: %w", answer.Code, err, meaning)
	}
	return fmt.Errorf("%s: %w", answer.Code, err)
}

// transportError is no answer at all, unless it never got as far as the network.
func transportError(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return fmt.Errorf("%w: %w", err, service.ErrUnreachable)
	}
	return err
}

func meaningOf(answer minio.ErrorResponse) error {
	switch answer.Code {
	case minio.AccessDenied, minio.InvalidAccessKeyID, minio.SignatureDoesNotMatch, "ExpiredToken", "InvalidToken",
		"RequestTimeTooSkewed", "AccountProblem", "AllAccessDisabled":
		return service.ErrDenied
	case minio.NoSuchBucket, minio.NoSuchKey, minio.NoSuchVersion:
		return service.ErrNotFound
	case minio.PreconditionFailed:
		return service.ErrChanged
	case minio.NotImplemented, "MethodNotAllowed", "XMinioInvalidObjectName", "InvalidStorageClass":
		return service.ErrUnsupported
	case "XMinioStorageFull", "InsufficientCapacity":
		return service.ErrNoSpace
	}
	switch answer.StatusCode {
	case http.StatusForbidden, http.StatusUnauthorized:
		return service.ErrDenied
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		return service.ErrUnreachable
	}
	return nil
}

// codeOf is the server's word for what went wrong, "" for everything else.
func codeOf(err error) string {
	var answer minio.ErrorResponse
	if errors.As(err, &answer) {
		return answer.Code
	}
	return ""
}

package rabbitmq

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"upkeep/internal/service"
)

// largest bounds one answer of the management API: the definitions of some hundred
// thousand queues.
const largest = 64 << 20

// newClient follows no redirect, which could take the password elsewhere, and no
// proxy. It keeps no connection.
func (in *Instance) newClient() (*http.Client, error) {
	transport := &http.Transport{DisableKeepAlives: true}
	if in.cfg.CA != "" {
		pem, err := os.ReadFile(in.ca())
		if err != nil {
			return nil, fmt.Errorf("read the authority: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read the authority: no certificate in %s", in.ca())
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{Transport: transport, CheckRedirect: stay}, nil
}

func (in *Instance) ca() string {
	if in.cfg.CA == "" || filepath.IsAbs(in.cfg.CA) {
		return in.cfg.CA
	}
	return filepath.Join(in.env.Base, in.cfg.CA)
}

// errStumbled is a fault inside the management API.
var errStumbled = errors.New("the management API stumbled")

// get reads one resource: get(ctx, &queues, "queues", vhost). It asks once more where
// the API stumbled: it does over queues that come and go while it lists them.
func (in *Instance) get(ctx context.Context, into any, path ...string) error {
	content, err := in.call(ctx, http.MethodGet, nil, path...)
	if errors.Is(err, errStumbled) {
		content, err = in.call(ctx, http.MethodGet, nil, path...)
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("read the answer of %s: %w: %w", in.cfg.Management, err, service.ErrUnreachable)
	}
	return nil
}

// call does one request and returns the whole answer. The last element of path may
// end with a query.
func (in *Instance) call(ctx context.Context, method string, body []byte, path ...string) (content []byte, err error) {
	password, err := in.password(ctx)
	if err != nil {
		return nil, err
	}
	where := strings.TrimRight(in.cfg.Management, "/") + "/api/" + strings.Join(path, "/")
	ask, err := http.NewRequestWithContext(ctx, method, where, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask the management API: %w", err)
	}
	ask.SetBasicAuth(in.at.user, password)
	ask.Header.Set("Content-Type", "application/json")
	answer, err := in.http.Do(ask)
	if err != nil {
		return nil, fmt.Errorf("ask the management API: %w: %w", err, service.ErrUnreachable)
	}
	defer func() { _ = answer.Body.Close() }() // it was read to its end, or there is an error already
	content, err = io.ReadAll(io.LimitReader(answer.Body, largest+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer of %s: %w: %w", where, err, service.ErrUnreachable)
	case len(content) > largest:
		return nil, fmt.Errorf("the answer of %s is over %d bytes: %w", where, largest, service.ErrUnsupported)
	}
	return content, status(answer.StatusCode, where, content)
}

func status(code int, where string, content []byte) error {
	const enough = 300 // bytes of the reason
	var sentinel error
	switch {
	case code < http.StatusMultipleChoices:
		return nil
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		sentinel = service.ErrDenied
	case code == http.StatusNotFound:
		sentinel = service.ErrNotFound
	case code == http.StatusBadRequest:
		sentinel = service.ErrRefused
	case code == http.StatusInternalServerError:
		sentinel = fmt.Errorf("%w: %w", errStumbled, service.ErrUnreachable)
	default:
		sentinel = service.ErrUnreachable
	}
	return fmt.Errorf("%s answers %d: %s: %w", where, code, bytes.TrimSpace(content[:min(len(content), enough)]), sentinel)
}

// number is a measurement that may be missing: statistics come some seconds after
// the thing itself, or are switched off.
type number struct {
	value int64
	known bool
}

// UnmarshalJSON takes words such as "NaN", and objects, for a missing measurement.
func (n *number) UnmarshalJSON(text []byte) error {
	var value float64
	n.known = json.Unmarshal(text, &value) == nil && string(text) != "null"
	n.value = int64(value)
	return nil
}

// overview is what the broker says of itself.
type overview struct {
	Version string `json:"rabbitmq_version"`
	Erlang  string `json:"erlang_version"`
	Cluster string `json:"cluster_name"`
	Objects struct {
		Connections int64 `json:"connections"`
		Channels    int64 `json:"channels"`
		Consumers   int64 `json:"consumers"`
		Queues      int64 `json:"queues"`
	} `json:"object_totals"`
	Node     string            `json:"node"`          // that answered
	Messages map[string]number `json:"message_stats"` // since the node started; what never happened is missing
	Churn    map[string]number `json:"churn_rates"`
}

// series is 3.10 of 3.10.8.
func (o overview) series() string {
	if parts := strings.SplitN(o.Version, ".", 3); len(parts) > 1 {
		return parts[0] + "." + parts[1]
	}
	return o.Version
}

func (in *Instance) overview(ctx context.Context) (about overview, err error) {
	return about, in.get(ctx, &about, "overview")
}

// node is one member of the cluster.
type node struct {
	Name       string   `json:"name"`
	Running    bool     `json:"running"`
	Partitions []string `json:"partitions"`
	MemUsed    number   `json:"mem_used"`
	MemLimit   number   `json:"mem_limit"`
	MemAlarm   bool     `json:"mem_alarm"`
	DiskFree   number   `json:"disk_free"`
	DiskLimit  number   `json:"disk_free_limit"`
	DiskAlarm  bool     `json:"disk_free_alarm"`
	FilesUsed  number   `json:"fd_used"`
	FilesTotal number   `json:"fd_total"`
	Sockets    number   `json:"sockets_used"`
	MaxSockets number   `json:"sockets_total"`
	Procs      number   `json:"proc_used"`
	MaxProcs   number   `json:"proc_total"`
	Uptime     number   `json:"uptime"` // milliseconds
}

func (in *Instance) nodes(ctx context.Context) (all []node, err error) {
	return all, in.get(ctx, &all, "nodes")
}

// listed is one queue as the management API lists it.
type listed struct {
	Name       string         `json:"name"`
	Durable    bool           `json:"durable"`
	AutoDelete bool           `json:"auto_delete"`
	Exclusive  bool           `json:"exclusive"`
	Arguments  map[string]any `json:"arguments"`
	Ready      number         `json:"messages_ready"`
	Unacked    number         `json:"messages_unacknowledged"`
	Consumers  number         `json:"consumers"`
	Stats      struct {
		Publish number `json:"publish"`
	} `json:"message_stats"`
}

const queueColumns = "?columns=name,durable,auto_delete,exclusive,arguments," +
	"messages_ready,messages_unacknowledged,consumers,message_stats.publish"

func (in *Instance) queues(ctx context.Context) (all []listed, err error) {
	return all, in.get(ctx, &all, "queues", url.PathEscape(in.at.vhost)+queueColumns)
}

// transient queues vanish with those who use them: replies, control channels, event
// streams. They are not judged unless they are declared.
func (q listed) transient() bool {
	_, expires := q.Arguments["x-expires"]
	return q.AutoDelete || q.Exclusive || expires || strings.HasPrefix(q.Name, "amq.gen-")
}

// Package rabbitmq is the kind for RabbitMQ 3.8 and newer: it checks a broker over
// its management API and an AMQP connection, copies its definitions and proves
// them in a scratch node. A target is a broker seen from one virtual host: the
// queues of that one are judged, definitions are those of the whole broker.
//
// It never reads a message, not even to look: basic.get and its return to the queue
// change the order and the redelivered flag. Messages are no part of a copy either.
package rabbitmq

import (
	"context"
	"embed"
	"fmt"
	"net/http"

	"upkeep/internal/service"
)

//go:embed text.yaml
var text []byte

//go:embed example.yaml
var example []byte

//go:embed metrics.tsv panels.yaml rules.yaml
var monitoring embed.FS

// Kind is listed in service/all.
var Kind = service.Define("rabbitmq", open, text, example).Monitored(monitoring)

var (
	_ service.Checker    = (*Instance)(nil)
	_ service.Collector  = (*Instance)(nil)
	_ service.Identifier = (*Instance)(nil)
	_ service.Broker     = (*Instance)(nil)
	_ service.Sizer      = (*Instance)(nil)
	_ service.Source     = (*Instance)(nil)
	_ service.Restorer   = (*Instance)(nil)
	_ service.Driller    = (*Instance)(nil)
	_ service.Verifier   = (*Instance)(nil)
	_ service.Extractor  = (*Instance)(nil)
	_ service.Prober     = (*Instance)(nil)
)

// Instance is one declared broker. It keeps no connection between calls.
type Instance struct {
	env  service.Env
	cfg  Config
	at   address
	http *http.Client
	// fixed is the password of a scratch node, which no reference names.
	fixed string
}

func open(env service.Env, cfg Config) (*Instance, error) {
	at, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	in := &Instance{env: env, cfg: cfg, at: at}
	if in.http, err = in.newClient(); err != nil {
		return nil, err
	}
	return in, nil
}

// Close has nothing to release.
func (in *Instance) Close() error { return nil }

// Identity is made of what stays while only messages come and go: address, name of
// the cluster, release series and virtual host.
func (in *Instance) Identity(ctx context.Context) (string, error) {
	about, err := in.overview(ctx)
	if err != nil {
		return "", err
	}
	return in.identityOf(about), nil
}

func (in *Instance) identityOf(about overview) string {
	return fmt.Sprintf("rabbitmq %s cluster %s at %s, vhost %s", about.series(), about.Cluster, in.at.host, in.at.vhost)
}

func (in *Instance) password(ctx context.Context) (string, error) {
	if in.fixed != "" || in.cfg.Password.IsZero() {
		return in.fixed, nil
	}
	password, err := in.env.Secret(ctx, in.cfg.Password)
	if err != nil {
		return "", fmt.Errorf("resolve the password: %w", err)
	}
	return password, nil
}

// Package redis is the kind for Redis 6 to 8 and Valkey: it checks a server,
// copies it over the replication protocol without touching its files, puts a
// copy back, and proves a copy in a scratch server. It speaks the protocol
// itself, because no client library hands out the replication stream.
//
// It is not for clusters and Sentinels: every node is a target of its own, and
// restoring into a cluster is refused.
package redis

import (
	"context"
	"embed"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"upkeep/internal/sandbox"
	"upkeep/internal/service"
)

//go:embed text.yaml
var text []byte

//go:embed example.yaml
var example []byte

//go:embed metrics.tsv panels.yaml rules.yaml
var monitoring embed.FS

// Kind is listed in service/all.
var Kind = service.Define("redis", open, text, example).Monitored(monitoring)

var (
	_ service.Checker    = (*Instance)(nil)
	_ service.Collector  = (*Instance)(nil)
	_ service.Identifier = (*Instance)(nil)
	_ service.Sizer      = (*Instance)(nil)
	_ service.Source     = (*Instance)(nil)
	_ service.Restorer   = (*Instance)(nil)
	_ service.Driller    = (*Instance)(nil)
	_ service.Verifier   = (*Instance)(nil)
	_ service.Extractor  = (*Instance)(nil)
	_ service.Queryer    = (*Instance)(nil)
	_ service.Prober     = (*Instance)(nil)
)

// Instance is one declared server. It keeps no connection between calls.
type Instance struct {
	env service.Env
	cfg Config
	at  endpoint
	// replica is set for a scratch server, which takes writes although it is one.
	replica bool

	collecting sync.Mutex
	registry   *prometheus.Registry // of the exporter, made when somebody collects
}

func open(env service.Env, cfg Config) (*Instance, error) {
	at, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	at.ca = cfg.CA
	if at.ca != "" && !filepath.IsAbs(at.ca) {
		at.ca = filepath.Join(env.Base, at.ca)
	}
	return &Instance{env: env, cfg: cfg, at: at}, nil
}

// Close has nothing to release.
func (in *Instance) Close() error { return nil }

// Identity is made of what stays over restarts: address, database, sort of
// server, major version and role. Its limit: another server put behind the same
// address, with the same version and role, cannot be told apart, because Redis
// makes its run ID and replication ID anew whenever it starts without a saved
// state, and the latter also when the first replica connects.
func (in *Instance) Identity(ctx context.Context) (string, error) {
	about, err := in.info(ctx)
	if err != nil {
		return "", err
	}
	return in.identityOf(about), nil
}

func (in *Instance) identityOf(about info) string {
	return fmt.Sprintf("%s %d %s at %s, database %d",
		about.server(), about.version().major, about.role(), in.at.address, in.at.db)
}

// Size is what the data takes in memory. An RDB is smaller: it holds neither
// pointers nor allocator slack, and short strings packed.
func (in *Instance) Size(ctx context.Context) (int64, error) {
	about, err := in.info(ctx)
	if err != nil {
		return 0, err
	}
	const headers = 64 << 10 // auxiliary fields and functions of an otherwise empty server
	if size, ok := about.number("used_memory_dataset"); ok {
		return size + headers, nil
	}
	if size, ok := about.number("used_memory"); ok {
		return size + headers, nil
	}
	return 0, fmt.Errorf("%s does not say how much memory it uses: %w", in.at.address, service.ErrUnsupported)
}

// Probe says whether a drill can take place here.
func (in *Instance) Probe(ctx context.Context) []service.Need {
	need := service.Need{Name: "redis-server", Use: "drill", Install: "apt install redis-server"}
	for _, program := range serverPrograms {
		if need = sandbox.Need(ctx, in.env, need, program, 0, nil); need.Found != "" {
			break
		}
	}
	return []service.Need{need}
}

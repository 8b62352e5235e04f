// Package postgres keeps PostgreSQL servers, major versions 13 to 18: it judges
// them, copies them as one consistent view per database, restores such a copy into
// a scratch server or the target, and proves that both hold the same rows. It
// vacuums, analyzes and reindexes where that is due.
//
// It is not for physical copies or point-in-time recovery, and it tunes nothing.
//
// Where to look: connect.go (connections and their errors), catalog_*.go (what a
// server holds), backup*.go with copyout.go and digest.go (how it is copied),
// restore*.go, scratch*.go, verify*.go (how it comes back), check*.go with slow.go
// (how it does), maintain*.go, vacuum.go, bloat.go, reindex.go (care).
package postgres

import (
	"context"
	"embed"
	"sync"

	"upkeep/internal/service"
)

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
	_ service.Maintainer = (*Instance)(nil)
	_ service.Doer       = (*Instance)(nil)
)

//go:embed text.yaml
var text []byte

//go:embed example.yaml
var example []byte

//go:embed metrics.tsv panels.yaml rules.yaml
var monitoring embed.FS

// Kind is listed in service/all.
var Kind = service.Define("postgres", open, text, example).Monitored(monitoring)

// Instance is one server: the declared one, or a scratch server made of it.
type Instance struct {
	env      service.Env
	cfg      Config
	password func(ctx context.Context) (string, error)
	scratch  *scratchServer // nil for a declared server
	asked    string         // database that Query reads; empty = the URL's

	collecting sync.Mutex
	exporter   *collecting // nil until somebody collects
}

func open(env service.Env, cfg Config) (*Instance, error) {
	in := &Instance{env: env, cfg: cfg}
	in.password = func(ctx context.Context) (string, error) {
		if cfg.Password.IsZero() {
			return "", nil
		}
		return env.Secret(ctx, cfg.Password)
	}
	return in, nil
}

// Close ends and removes a scratch server. A declared one keeps nothing open
// between calls but the connection of Collect.
func (in *Instance) Close() error {
	in.collecting.Lock()
	defer in.collecting.Unlock()
	in.forget()
	if in.scratch == nil {
		return nil
	}
	return in.scratch.box.Close()
}

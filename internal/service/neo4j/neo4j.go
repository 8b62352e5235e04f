// Package neo4j is the kind for Neo4j 5 and its calendar versions, Community above
// all: it checks a database over Bolt, copies it while it runs or, where that was
// declared, by a dump while it stands still, puts a copy back, proves a copy in a
// scratch server, and keeps constraints, indexes and orphans in order.
//
// It is not for clusters: a database is asked at one address. Users and roles are
// not copied, because they lie in the system database.
package neo4j

import (
	"context"
	"embed"
	"fmt"
	"path/filepath"
	_ "time/tzdata" // properties name zones that a small machine may not have

	"upkeep/internal/service"
)

//go:embed text.yaml
var text []byte

//go:embed example.yaml
var example []byte

//go:embed metrics.tsv panels.yaml rules.yaml
var monitoring embed.FS

// Kind is listed in service/all.
var Kind = service.Define("neo4j", open, text, example).Monitored(monitoring)

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
	_ service.Maintainer = (*Instance)(nil)
	_ service.Doer       = (*Instance)(nil)
	_ service.Undoer     = (*Instance)(nil)
	_ service.Prober     = (*Instance)(nil)
)

// Instance is one declared database. It keeps no connection between calls.
type Instance struct {
	env service.Env
	cfg Config
}

func open(env service.Env, cfg Config) (*Instance, error) {
	for _, path := range []*string{&cfg.CA, &cfg.Dump.Data} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(env.Base, *path)
		}
	}
	return &Instance{env: env, cfg: cfg}, nil
}

// Close has nothing to release.
func (in *Instance) Close() error { return nil }

// Identity is made of the database's own number, which is drawn when it is made,
// and of its schema.
func (in *Instance) Identity(ctx context.Context) (identity string, err error) {
	err = in.with(ctx, func(l *link) error {
		identity, err = l.identity(ctx)
		return err
	})
	return identity, err
}

func (l *link) identity(ctx context.Context) (string, error) {
	db, err := l.database(ctx)
	if err != nil {
		return "", err
	}
	server, err := l.server(ctx)
	if err != nil {
		return "", err
	}
	s, err := l.schema(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Neo4j %s, database %s %.16s, schema %s", majorOf(server.version), db.name, db.id, s.fingerprint()), nil
}

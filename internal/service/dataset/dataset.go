// Package dataset keeps stores of data files: a directory of JSON, JSON lines, CSV and
// Parquet whose tables, keys, derived numbers and copies are declared. It reads what
// the contents mean only from that declaration; other packages make one for stores whose
// form is known (pilotbench).
//
// Its files, by what they are about:
//   - what is declared: config, reports, convert_config, and batches in advice;
//   - what lies there, as tables of a database: store, files, documents, footers, seen, links;
//   - what is judged: check, rules, levels, agree, waiting; less than there was: history, losses, lessened; locks:
//     holders, openers, shown;
//   - what is asked: query, summary, advice; every few seconds: collect, measured;
//   - copies: backup, stage, members, manifest, verify, restore, drill, extract;
//   - care that somebody asks for, all of it listed in curate: repair (plan, mended, salvage), merge and dedup
//     (union, noted, foreseen, tolerance, clear, unmerge), convert (convert_…), and what cannot be read:
//     quarantine, rescue. How a file gives its place to another one and comes back: kept; under the
//     writers' locks: lock; when originals go: originals;
//   - bringing a store back: recovery lists what could, judgement says why not, chosen and recover do it,
//     rebuild makes what follows from it; saves, moment.
package dataset

import (
	"context"
	"embed"
	"fmt"
	"path/filepath"

	"upkeep/internal/service"
)

//go:embed text.yaml
var text []byte

//go:embed example.yaml
var example []byte

//go:embed metrics.tsv panels.yaml rules.yaml
var monitoring embed.FS

// Kind is listed in service/all.
var Kind = service.Define("dataset", open, text, example).Monitored(monitoring)

var (
	_ service.Checker    = (*Instance)(nil)
	_ service.Diagnoser  = (*Instance)(nil)
	_ service.Collector  = (*Instance)(nil)
	_ service.Identifier = (*Instance)(nil)
	_ service.Queryer    = (*Instance)(nil)
	_ service.Sizer      = (*Instance)(nil)
	_ service.Source     = (*Instance)(nil)
	_ service.Restorer   = (*Instance)(nil)
	_ service.Driller    = (*Instance)(nil)
	_ service.Verifier   = (*Instance)(nil)
	_ service.Extractor  = (*Instance)(nil)
	_ service.Describer  = (*Instance)(nil)
	_ service.Holder     = (*Instance)(nil)
	_ service.Advisor    = (*Instance)(nil)
)

// Instance is one store. It keeps nothing open between calls, and knows the footers that it
// has read.
type Instance struct {
	env     service.Env
	dir     string
	declare Declare
	remove  func() error // of a sibling for drills: takes its directory away
	footers footers
}

// Declare says what is in a store, from what lies there now: its version, say. The
// findings are of what it could not tell.
type Declare func(ctx context.Context, dir string) (Config, []service.Finding, error)

func open(env service.Env, cfg Config) (*Instance, error) {
	return New(env, cfg.Dir, func(context.Context, string) (Config, []service.Finding, error) { return cfg, nil, nil }), nil
}

// New makes an instance of a store whose declaration comes from somewhere else.
func New(env service.Env, dir string, declare Declare) *Instance {
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(env.Base, dir)
	}
	return &Instance{env: env, dir: dir, declare: declare}
}

// Close removes the directory of a sibling for drills.
func (in *Instance) Close() error {
	if in.remove == nil {
		return nil
	}
	return in.remove()
}

// path is one below the store.
func (in *Instance) path(name string) string { return filepath.Join(in.dir, name) }

// within is the way of a path below the store, for people.
func (in *Instance) within(path string) string {
	if name, err := filepath.Rel(in.dir, path); err == nil {
		return name
	}
	return path
}

// Identity is the directory: where a store lies. Data and versions of files come and go
// in it.
func (in *Instance) Identity(context.Context) (string, error) {
	dir, err := filepath.EvalSymlinks(in.dir)
	if err != nil {
		return "", fmt.Errorf("look for %s: %w: %w", in.dir, err, service.ErrNotFound)
	}
	return "store " + dir, nil
}

// Package files keeps directories and single files: configuration, keys,
// uploads, results. It judges what is there, copies it with modes, owners, links
// and extended attributes, and puts it back in its place. It does not read what
// the contents mean: kinds for stores of a known format do.
//
// A part is one thing of the tree. Its name is the absolute path without the
// leading slash; that of a directory ends in a slash, so that ascending byte order
// of names is the order of a walk: a directory, then everything below it.
package files

import (
	"embed"
	"fmt"
	"os"
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
var Kind = service.Define("files", open, text, example).Monitored(monitoring)

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
	_ service.Lister     = (*Instance)(nil)
)

// Instance is one declaration of paths. It keeps nothing open between calls.
type Instance struct {
	env   service.Env
	cfg   Config
	rules rules
	bases []string // the declared directories, as patterns that match only themselves
	// top is where paths start: "/", or the directory that stands in for it in a
	// drill. Names are the same in both.
	top    string
	remove func() error // of a stand-in, on Close

	counted service.Seldom[census] // for Collect
}

func open(env service.Env, cfg Config) (*Instance, error) {
	declared, err := compile(env.Base, cfg)
	if err != nil {
		return nil, err
	}
	return &Instance{env: env, cfg: cfg, rules: declared, bases: declared.bases(), top: "/"}, nil
}

// Close removes the directory of a drill and does nothing otherwise.
func (in *Instance) Close() error {
	if in.remove == nil {
		return nil
	}
	if err := loosen(in.top); err != nil {
		return fmt.Errorf("make %s removable: %w", in.top, err)
	}
	return in.remove()
}

// loosen lets their owner empty directories that were restored read-only. Root
// needs no permission.
func loosen(top string) error {
	if os.Geteuid() == 0 {
		return nil
	}
	return filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
		switch {
		case os.IsNotExist(err):
			return nil
		case d == nil || !d.IsDir():
			return err
		}
		return os.Chmod(path, 0o700) // before WalkDir lists it
	})
}

// standIn reports whether the instance is the scratch of a drill.
func (in *Instance) standIn() bool { return in.remove != nil }

// Package logs keeps plain log files: it reads what was logged since the last time
// through any rotation, judges size and growth, and rotates, compresses and deletes.
// It never truncates a file and never copies one to empty it: a line of a live writer
// is in exactly one file at any moment. It does not understand lines; logs of
// containers belong to the kind that runs those.
//
// A stream is a declared file under its present name. Its generations are the files
// beside it that carry that name and the mark of a rotation (names.go), by whomever.
package logs

import (
	"embed"
	"fmt"

	"upkeep/internal/glob"
	"upkeep/internal/service"
)

//go:embed text.yaml
var text []byte

//go:embed example.yaml
var example []byte

//go:embed metrics.tsv panels.yaml rules.yaml
var monitoring embed.FS

// Kind is listed in service/all.
var Kind = service.Define("logs", open, text, example).Monitored(monitoring)

var (
	_ service.Checker    = (*Instance)(nil)
	_ service.Collector  = (*Instance)(nil)
	_ service.Maintainer = (*Instance)(nil)
	_ service.Doer       = (*Instance)(nil)
	_ service.Undoer     = (*Instance)(nil)
	_ service.LogSource  = (*Instance)(nil)
)

// Instance is one declaration of log files. It keeps nothing open between calls.
type Instance struct {
	env      service.Env
	cfg      Config
	patterns []string // absolute
	proc     string   // where the kernel shows processes
}

func open(env service.Env, cfg Config) (*Instance, error) {
	if problems := cfg.Validate(); len(problems) > 0 {
		return nil, fmt.Errorf("read the declaration: %w", problems)
	}
	in := &Instance{env: env, cfg: cfg, proc: "/proc"}
	for _, p := range cfg.Paths {
		in.patterns = append(in.patterns, glob.Absolute(glob.Escape(env.Base), p))
	}
	return in, nil
}

// Close has nothing to do.
func (in *Instance) Close() error { return nil }

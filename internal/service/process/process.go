// Package process watches programs by their exact command line, executable or pid
// file: whether as many run as declared, whether they still do something, how their
// memory grows, and how many of them are right. It ends them only where somebody agreed to a
// plan that says so, and starts none by itself: to restart what leaks it runs the program that
// is declared for that. A program inside a container is better watched by the kind compose.
package process

import (
	"embed"
	"fmt"
	"sync"

	"github.com/prometheus/procfs"

	"upkeep/internal/service"
)

var (
	_ service.Checker   = (*Instance)(nil)
	_ service.Collector = (*Instance)(nil)
	_ service.Advisor   = (*Instance)(nil)

	_ service.Maintainer = (*Instance)(nil)
	_ service.Doer       = (*Instance)(nil)
	_ service.Halter     = (*Instance)(nil)
)

//go:embed text.yaml
var text []byte

//go:embed example.yaml
var example []byte

//go:embed metrics.tsv panels.yaml rules.yaml
var monitoring embed.FS

// Kind is listed in service/all.
var Kind = service.Define("process", open, text, example).Monitored(monitoring)

// Instance is one declared program, running any number of times. It keeps nothing
// open between calls, only what Collect has counted so far.
type Instance struct {
	env  service.Env
	cfg  Config
	root string // where procfs is mounted
	proc procfs.FS
	// groups is where control groups are mounted.
	groups string

	lock  sync.Mutex
	tally tally
}

func open(env service.Env, cfg Config) (*Instance, error) {
	return openAt(env, cfg, procfs.DefaultMountPoint)
}

func openAt(env service.Env, cfg Config, root string) (*Instance, error) {
	proc, err := procfs.NewFS(root)
	if err != nil {
		return nil, fmt.Errorf("find the kernel's process file system: %w", err)
	}
	return &Instance{env: env, cfg: cfg, root: root, proc: proc, groups: "/sys/fs/cgroup"}, nil
}

// Close has nothing to do.
func (in *Instance) Close() error { return nil }

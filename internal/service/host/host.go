// Package host watches the machine that upkeep runs on: space and inodes per
// mount, memory, swap, pressure, load, out-of-memory kills and file systems that
// turned read-only. It reads the kernel's own numbers and never frees anything;
// single programs are the business of the kind process.
package host

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/procfs"
	"github.com/shirou/gopsutil/v4/disk"

	"upkeep/internal/service"
)

var (
	_ service.Checker    = (*Instance)(nil)
	_ service.Collector  = (*Instance)(nil)
	_ service.Identifier = (*Instance)(nil)
)

//go:embed text.yaml
var text []byte

//go:embed example.yaml
var example []byte

//go:embed metrics.tsv panels.yaml rules.yaml
var monitoring embed.FS

// Kind is listed in service/all.
var Kind = service.Define("host", open, text, example).Monitored(monitoring)

// Instance is this machine. It keeps nothing open between calls, only what Collect has prepared.
type Instance struct {
	env       service.Env
	cfg       Config
	root      string // where procfs is mounted
	machineID string // file with the machine's ID
	proc      procfs.FS
	statfs    func(ctx context.Context, path string) (*disk.UsageStat, error)

	lock  sync.Mutex
	stuck map[string]bool // mounts whose statfs has not come back yet

	exporter func() (*prometheus.Registry, error) // made when somebody collects
}

func open(env service.Env, cfg Config) (*Instance, error) {
	return openAt(env, cfg, procfs.DefaultMountPoint)
}

func openAt(env service.Env, cfg Config, root string) (*Instance, error) {
	proc, err := procfs.NewFS(root)
	if err != nil {
		return nil, fmt.Errorf("find the kernel's process file system: %w", err)
	}
	return &Instance{
		env: env, cfg: cfg, root: root, proc: proc,
		machineID: "/etc/machine-id",
		statfs:    disk.UsageWithContext,
		stuck:     map[string]bool{},
		exporter:  sync.OnceValues(func() (*prometheus.Registry, error) { return newExporter(env) }),
	}, nil
}

// Close has nothing to do.
func (in *Instance) Close() error { return nil }

// Check judges every part on its own: one that cannot be read does not hide the
// findings of the others.
func (in *Instance) Check(ctx context.Context) (service.Verdict, error) {
	parts := []func(context.Context, *service.Verdict) error{
		in.checkMounts, in.checkMemory, in.checkPressure, in.checkLoad, in.checkKills,
	}
	var v service.Verdict
	var failed []error
	for _, part := range parts {
		if err := ctx.Err(); err != nil {
			return v, errors.Join(append(failed, err)...)
		}
		failed = append(failed, part(ctx, &v))
	}
	return v, errors.Join(failed...)
}

// Identity is the host name and, where the machine has an ID, a digest of it: the
// ID itself is meant to stay on the machine. Neither changes with a reboot.
func (in *Instance) Identity(context.Context) (string, error) {
	name, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("read the host name: %w", err)
	}
	id, err := os.ReadFile(in.machineID)
	if errors.Is(err, fs.ErrNotExist) {
		return name, nil
	}
	if err != nil {
		return "", fmt.Errorf("read the machine's ID: %w", err)
	}
	digest := sha256.Sum256([]byte("upkeep host " + strings.TrimSpace(string(id))))
	return name + "/" + hex.EncodeToString(digest[:6]), nil
}

// boot returns the ID of the present boot: counters of the kernel start at zero
// with each.
func (in *Instance) boot() (string, error) {
	id, err := os.ReadFile(filepath.Join(in.root, "sys/kernel/random/boot_id"))
	if err != nil {
		return "", fmt.Errorf("read the ID of this boot: %w", err)
	}
	return strings.TrimSpace(string(id)), nil
}

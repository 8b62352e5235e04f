package tool

import (
	"context"
	"path/filepath"

	"upkeep/bench/measure"
)

// Restic with its defaults: automatic compression with zstd.
type Restic struct{ program }

// NewRestic drives the binary at bin.
func NewRestic(bin string) *Restic { return &Restic{program{name: "restic", bin: bin}} }

// Version implements Tool.
func (r *Restic) Version(ctx context.Context) (string, error) { return r.version(ctx, "version") }

// Init implements Tool. The cache is restic's default, in a place of its own.
func (r *Restic) Init(ctx context.Context, work, tree string) error {
	err := r.init(work, tree, "RESTIC_PASSWORD="+password, "RESTIC_REPOSITORY="+filepath.Join(work, "repository"),
		"RESTIC_CACHE_DIR="+filepath.Join(work, "cache"))
	if err != nil {
		return err
	}
	_, err = r.run(ctx, "init")
	return err
}

// Backup implements Tool.
func (r *Restic) Backup(ctx context.Context) (measure.Cost, error) {
	return r.run(ctx, "backup", "--quiet", r.tree)
}

// Verify implements Tool.
func (r *Restic) Verify(ctx context.Context) (measure.Cost, error) {
	return r.run(ctx, "check", "--quiet", "--read-data")
}

// Restore implements Tool.
func (r *Restic) Restore(ctx context.Context, dir string) (measure.Cost, error) {
	return r.run(ctx, "restore", "--quiet", "latest", "--target", dir)
}

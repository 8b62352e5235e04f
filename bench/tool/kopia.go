package tool

import (
	"context"
	"path/filepath"

	"upkeep/bench/measure"
)

// Kopia with zstd, which is off by default there.
type Kopia struct {
	program
	compressor string
}

// NewKopia drives the binary at bin; compressor is zstd, zstd-fastest or another
// of kopia's.
func NewKopia(bin, compressor string) *Kopia {
	name := "kopia"
	if compressor != "zstd" {
		name += ":" + compressor // two kopias in one run must not share a column
	}
	return &Kopia{program{name: name, bin: bin}, compressor}
}

// Version implements Tool.
func (k *Kopia) Version(ctx context.Context) (string, error) { return k.version(ctx, "--version") }

// Init implements Tool.
func (k *Kopia) Init(ctx context.Context, work, tree string) error {
	err := k.init(work, tree, "KOPIA_PASSWORD="+password, "KOPIA_CHECK_FOR_UPDATES=false",
		"KOPIA_CONFIG_PATH="+filepath.Join(work, "kopia.config"), "KOPIA_CACHE_DIRECTORY="+filepath.Join(work, "cache"),
		"KOPIA_LOG_DIR="+filepath.Join(work, "log"))
	if err != nil {
		return err
	}
	if _, err := k.run(ctx, "repository", "create", "filesystem", "--path", k.Repository()); err != nil {
		return err
	}
	_, err = k.run(ctx, "policy", "set", "--global", "--compression="+k.compressor)
	return err
}

// Backup implements Tool.
func (k *Kopia) Backup(ctx context.Context) (measure.Cost, error) {
	return k.run(ctx, "snapshot", "create", "--no-progress", k.tree)
}

// Verify implements Tool.
func (k *Kopia) Verify(ctx context.Context) (measure.Cost, error) {
	return k.run(ctx, "snapshot", "verify", "--no-progress", "--verify-files-percent=100")
}

// Restore implements Tool. kopia names the newest snapshot by the path of its source.
func (k *Kopia) Restore(ctx context.Context, dir string) (measure.Cost, error) {
	return k.run(ctx, "snapshot", "restore", "--no-progress", "--snapshot-time=latest", k.tree, dir)
}

package tool

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"upkeep/bench/measure"
)

// Borg with zstd. Debian's is older than the other tools: say so beside its figures.
type Borg struct {
	program
	made int // archives so far
}

// NewBorg drives the binary at bin.
func NewBorg(bin string) *Borg { return &Borg{program: program{name: "borg", bin: bin}} }

// Version implements Tool.
func (b *Borg) Version(ctx context.Context) (string, error) { return b.version(ctx, "--version") }

// Init implements Tool.
func (b *Borg) Init(ctx context.Context, work, tree string) error {
	b.made = 0
	if err := b.init(work, tree, "BORG_PASSPHRASE="+password, "BORG_BASE_DIR="+work, "BORG_REPO="+filepath.Join(work, "repository")); err != nil {
		return err
	}
	_, err := b.run(ctx, "init", "--encryption=repokey-blake2")
	return err
}

// Backup implements Tool.
func (b *Borg) Backup(ctx context.Context) (measure.Cost, error) {
	b.made++
	return b.run(ctx, "create", "--compression=zstd", "::"+b.archive(), b.tree)
}

func (b *Borg) archive() string { return fmt.Sprintf("archive-%d", b.made) }

// Verify implements Tool.
func (b *Borg) Verify(ctx context.Context) (measure.Cost, error) {
	return b.run(ctx, "check", "--verify-data")
}

// Restore implements Tool. borg writes into its working directory only.
func (b *Borg) Restore(ctx context.Context, dir string) (measure.Cost, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return measure.Cost{}, fmt.Errorf("make the directory to restore into: %w", err)
	}
	cost, _, err := measure.Run(ctx, measure.Cmd{Argv: []string{b.bin, "extract", "::" + b.archive()}, Env: b.env, Dir: dir})
	return cost, err
}

package suite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"upkeep/bench/corpus"
	"upkeep/bench/measure"
	"upkeep/bench/tool"
)

// The works on a tree of files.
const (
	First     = "first backup"
	Unchanged = "again, nothing changed"
	Changed   = "again, 1 % changed"
	ReadBack  = "read every byte back"
	Restore   = "restore all"
)

// Trees measures the copying of one corpus.
type Trees struct {
	Spec    corpus.Spec
	Tree    string // exists
	Scratch string // every tool gets a directory here
	// Cold drops the page cache before each run; needs root. Otherwise the tree has
	// been read once and lies in memory as far as it fits.
	Cold   bool
	Rounds int
}

// Run fills r with Rounds runs of each tool.
func (t Trees) Run(ctx context.Context, tools []tool.Tool, r *Result) error {
	for round := range t.Rounds {
		for _, one := range rotate(tools, round) {
			err := t.round(ctx, one, r)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			r.Fail(err)
		}
	}
	return nil
}

// round lets one tool do everything once, on a fresh repository.
func (t Trees) round(ctx context.Context, one tool.Tool, r *Result) error {
	work := filepath.Join(t.Scratch, one.Name())
	if err := os.RemoveAll(work); err != nil {
		return fmt.Errorf("clear the place of %s: %w", one.Name(), err)
	}
	if err := one.Init(ctx, work, t.Tree); err != nil {
		return err
	}
	if err := t.backups(ctx, one, r); err != nil {
		return err
	}
	if err := t.timed(ctx, r, ReadBack, one, one.Verify); err != nil {
		return err
	}
	return os.RemoveAll(work)
}

// backups takes three copies, the last of a changed tree, and restores that one.
func (t Trees) backups(ctx context.Context, one tool.Tool, r *Result) error {
	if err := t.backup(ctx, r, First, one); err != nil {
		return err
	}
	if err := t.backup(ctx, r, Unchanged, one); err != nil {
		return err
	}
	change, err := corpus.Apply(t.Tree, t.Spec)
	if err != nil {
		return err
	}
	err = t.backup(ctx, r, Changed, one)
	if err == nil {
		err = t.restore(ctx, r, one)
	}
	return errors.Join(err, change.Revert())
}

// backup takes a copy and records by how much the repository grew.
func (t Trees) backup(ctx context.Context, r *Result, work string, one tool.Tool) error {
	before, err := sizeIfThere(one.Repository())
	if err != nil {
		return err
	}
	if err := t.timed(ctx, r, work, one, one.Backup); err != nil {
		return err
	}
	after, err := corpus.Size(one.Repository())
	if err != nil {
		return err
	}
	r.size(work, one.Name(), after-before)
	return nil
}

func sizeIfThere(dir string) (int64, error) {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	return corpus.Size(dir)
}

// restore proves that what came back is the tree: a tool that skips something
// would look fast.
func (t Trees) restore(ctx context.Context, r *Result, one tool.Tool) error {
	dir := filepath.Join(t.Scratch, one.Name(), "restored")
	err := t.timed(ctx, r, Restore, one, func(ctx context.Context) (measure.Cost, error) { return one.Restore(ctx, dir) })
	if err != nil {
		return err
	}
	root, err := corpus.Find(dir)
	if err != nil {
		return err
	}
	want, err := corpus.Digest(t.Tree)
	if err != nil {
		return err
	}
	got, err := corpus.Digest(root)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%s restored a tree that differs from its source", one.Name())
	}
	return os.RemoveAll(dir)
}

func (t Trees) timed(ctx context.Context, r *Result, work string, one tool.Tool, do func(context.Context) (measure.Cost, error)) error {
	settle()
	if err := t.prepareCache(); err != nil {
		return err
	}
	cost, err := do(ctx)
	return r.cost(work, one.Name(), cost, err)
}

func (t Trees) prepareCache() error {
	if t.Cold {
		if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0); err != nil {
			return fmt.Errorf("drop the page cache: %w", err)
		}
		return nil
	}
	_, err := corpus.Digest(t.Tree) // reads all of it
	return err
}

package files

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"upkeep/internal/service"
)

// purpose names scratch directories of drills.
const purpose = "files"

// Scratch returns an instance whose top is a private directory. Links in it are
// restored and never followed.
func (in *Instance) Scratch(ctx context.Context, c service.Copy, _ service.Report) (service.Instance, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	dir, remove, err := in.env.Dir(purpose)
	if err != nil {
		return nil, fmt.Errorf("make a scratch directory: %w: %w", service.ErrNoScratch, err)
	}
	if err := fits(dir, c); err != nil {
		return nil, errors.Join(err, remove())
	}
	all, err := compile("/", Config{Paths: []string{"/"}})
	if err != nil {
		return nil, errors.Join(err, remove())
	}
	return &Instance{env: in.env, cfg: in.cfg, rules: all, bases: in.bases, top: dir, remove: remove}, nil
}

// fits refuses a copy that is larger than the scratch disk.
func fits(dir string, c service.Copy) error {
	free, err := available(dir)
	if err != nil {
		return err
	}
	if need := onDisk(c.Manifest()); need > free {
		return fmt.Errorf("the copy has %d bytes, %s has %d: %w", need, dir, free, service.ErrNoScratch)
	}
	return nil
}

// onDisk is what the files of a copy take up: less than they are long where they
// have holes.
func onDisk(m service.Manifest) int64 {
	if n, err := strconv.ParseInt(m.Attrs[diskBytes], 10, 64); err == nil {
		return n
	}
	return m.Counts["bytes"]
}

// Sweep removes the directories that killed drills left.
func (in *Instance) Sweep(ctx context.Context) error {
	left, err := in.env.Leftovers(purpose)
	if err != nil {
		return fmt.Errorf("look for leftovers: %w", err)
	}
	for _, dir := range left {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := errors.Join(loosen(dir), os.RemoveAll(dir)); err != nil {
			return fmt.Errorf("remove %s: %w", dir, err)
		}
	}
	return nil
}

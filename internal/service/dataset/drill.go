package dataset

import (
	"context"
	"errors"
	"fmt"
	"os"

	"upkeep/internal/service"
)

const drillPurpose = "dataset-drill"

// Scratch makes an empty store of the same form in a directory of its own.
func (in *Instance) Scratch(ctx context.Context, c service.Copy, _ service.Report) (service.Instance, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	dir, remove, err := in.env.Dir(drillPurpose)
	if err != nil {
		return nil, fmt.Errorf("make a scratch directory: %w: %w", service.ErrNoScratch, err)
	}
	free, err := available(dir)
	if need := c.Manifest().Counts[countBytes]; err == nil && need > free {
		err = fmt.Errorf("the copy has %d bytes, %s has %d: %w", need, dir, free, service.ErrNoScratch)
	}
	if err != nil {
		return nil, errors.Join(err, remove())
	}
	sibling := &Instance{env: in.env, dir: dir, declare: in.declare, remove: remove}
	sibling.env.State = nil // what it held is no past of the target
	return sibling, nil
}

// Sweep removes the directories that killed runs left.
func (in *Instance) Sweep(ctx context.Context) error {
	for _, purpose := range []string{drillPurpose, stagePurpose, scratchPurpose, viewPurpose} {
		left, err := in.env.Leftovers(purpose)
		if err != nil {
			return fmt.Errorf("look for leftovers: %w", err)
		}
		for _, dir := range left {
			if err := errors.Join(ctx.Err(), os.RemoveAll(dir)); err != nil {
				return fmt.Errorf("remove %s: %w", dir, err)
			}
		}
	}
	return nil
}

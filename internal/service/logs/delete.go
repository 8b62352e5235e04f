package logs

import (
	"context"
	"errors"
	"fmt"
	"os"

	"upkeep/internal/service"
)

// drop removes the file that src is, if it is still the one of that name, as it was,
// and nobody has it open.
func (t *tending) drop(ctx context.Context, src *os.File, was file) error {
	free, err := t.free(ctx, was)
	if err != nil {
		return err
	}
	named, err := t.d.look(string(was.Name))
	if err != nil {
		return err
	}
	if held, err := t.d.lookAt(src, string(was.Name)); err != nil || !free || !held.same(was) || !named.same(was) {
		return errors.Join(err, fmt.Errorf("somebody opened it or wrote to it meanwhile, so it stays: %w", service.ErrChanged))
	}
	return t.d.remove(string(was.Name))
}

// remove deletes a rotated file: never one that changed since it was planned, nor one
// that is no rotated file of a declared log.
func (t *tending) remove(ctx context.Context, planned file) (outcome, error) {
	name := string(planned.Name)
	f, now, err := t.d.open(name)
	if errors.Is(err, service.ErrNotFound) {
		return outcome{Name: planned.Name}, nil // done before
	}
	if err != nil {
		return outcome{}, err
	}
	defer f.Close()
	siblings, err := t.d.names()
	if err != nil {
		return outcome{}, err
	}
	if _, old := t.in.rotated(t.d.path, name, siblings); !old || !now.same(planned) {
		return outcome{}, fmt.Errorf("it is not the rotated file that was planned for: %w", service.ErrStale)
	}
	return outcome{Name: planned.Name, Bytes: now.Size}, t.drop(ctx, f, now)
}

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"upkeep/internal/command"
	"upkeep/internal/service"
)

// Sweep removes the sandboxes of killed runs, with what still runs in them: the
// containers, and the processes of this machine that stand in the directory.
func Sweep(ctx context.Context, env service.Env, purposes ...string) error {
	return SweepWith(ctx, env, func(_ context.Context, dir string) error { return command.KillIn(dir) }, purposes...)
}

// SweepWith is Sweep for servers that stand elsewhere: end ends what runs for a
// directory on this machine. Directories in which something may still run stay.
func SweepWith(ctx context.Context, env service.Env, end func(ctx context.Context, dir string) error, purposes ...string) error {
	var failed error
	for _, purpose := range append(purposes, lookPurpose) {
		left, err := env.Leftovers(purpose)
		if err != nil {
			return fmt.Errorf("look for leftovers: %w", err)
		}
		for _, dir := range left {
			if err := errors.Join(discard(ctx, env, dir), end(ctx, dir)); err != nil {
				failed = errors.Join(failed, fmt.Errorf("remove %s: %w", dir, err))
				continue
			}
			failed = errors.Join(failed, os.RemoveAll(dir))
		}
	}
	return failed
}

// discard removes the container that works in a directory, where there is one.
func discard(ctx context.Context, env service.Env, dir string) (err error) {
	target, err := os.ReadFile(filepath.Join(dir, markName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	peer, containers, err := open(env, string(target))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, peer.Close()) }()
	return containers.Discard(ctx, []string{dir})
}

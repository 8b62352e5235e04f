package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"upkeep/internal/service"
)

// lockPoll is how often a lock is tried: one that many writers hand on is free for some
// 50 µs between two of them.
const lockPoll = 2 * time.Millisecond

// locks are files on which this process holds a lock.
type locks []*os.File

func (l locks) release() (err error) {
	for _, file := range l {
		err = errors.Join(err, file.Close())
	}
	return err
}

// locked does something while no writer that takes the declared locks is at work: shared
// with others who only read, or alone. When they cannot be had within lock_wait it ends
// with an error wrapping ErrBusy, and nothing was done.
func (in *Instance) locked(ctx context.Context, shared bool, do func() error) (err error) {
	cfg, _, err := in.declare(ctx, in.dir)
	if err != nil {
		return err
	}
	held, lacks, err := in.lock(ctx, cfg, shared)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.release()) }()
	if len(lacks) > 0 {
		return &service.Fault{ID: "dataset.locked", Args: service.Args{"locks": lacks, "wait": cfg.LockWait.Std().Seconds(), "dir": in.dir},
			Err: fmt.Errorf("lock %s in %s within %s: %w", strings.Join(lacks, ", "), in.dir, cfg.LockWait, service.ErrBusy)}
	}
	return do()
}

// lock takes all declared locks at once or, when lock_wait is over, those that are free,
// and names the others. It never waits while it holds one: its writers would wait, too.
func (in *Instance) lock(ctx context.Context, cfg Config, shared bool) (held locks, lacks []string, err error) {
	over := time.Now().Add(cfg.LockWait.Std())
	for {
		last := !time.Now().Before(over)
		held, lacks, err = in.tryAll(cfg.Locks, shared)
		if err != nil || len(lacks) == 0 || last {
			return held, lacks, err
		}
		if err := held.release(); err != nil {
			return nil, nil, err
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(lockPoll):
		}
	}
}

func (in *Instance) tryAll(names []string, shared bool) (held locks, lacks []string, err error) {
	for _, name := range names {
		file, err := try(in.path(name), shared)
		switch {
		case errors.Is(err, service.ErrBusy):
			lacks = append(lacks, name)
		case err != nil:
			return nil, nil, errors.Join(fmt.Errorf("lock %s: %w", name, err), held.release())
		case file != nil:
			held = append(held, file)
		}
	}
	return held, lacks, nil
}

// try takes one lock, or gives ErrBusy. A file that is not there is no lock: it is
// neither made nor changed nor removed. One that its writer removed while it was taken is
// another file by now, and tried again.
func try(path string, shared bool) (*os.File, error) {
	access, how := os.O_RDWR, unix.LOCK_EX // NFS demands that who locks alone may write
	if shared {
		access, how = os.O_RDONLY, unix.LOCK_SH
	}
	for range 3 {
		file, err := os.OpenFile(path, access|unix.O_NONBLOCK, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(file.Fd()), how|unix.LOCK_NB)
		if err == nil && is(file, path) {
			return file, nil
		}
		if err := errors.Join(err, file.Close()); err != nil {
			if errors.Is(err, unix.EWOULDBLOCK) {
				return nil, service.ErrBusy
			}
			return nil, err
		}
	}
	return nil, service.ErrBusy
}

// is reports whether the open file still has its name.
func is(file *os.File, path string) bool {
	open, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(open, named)
}

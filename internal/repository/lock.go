package repository

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"upkeep/internal/service"
)

// sharing is how the lock file is held: writers of points together, maintenance
// alone. The system lets go of it when a process dies.
type sharing int

const (
	shared    sharing = unix.LOCK_SH
	exclusive sharing = unix.LOCK_EX
)

// lock takes the lock or returns an error wrapping service.ErrBusy; it never
// waits.
func (r *Repository) lock(how sharing) (unlock func() error, err error) {
	f, err := os.OpenFile(filepath.Join(r.opt.Path, "upkeep.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the repository's lock: %w", writeError(err))
	}
	err = unix.Flock(int(f.Fd()), int(how)|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = fmt.Errorf("%s is in use: %w", r.opt.Path, service.ErrBusy)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock repository: %w", err), f.Close())
	}
	return f.Close, nil
}

// syncDisk makes everything written so far last: kopia syncs its files, but not
// the directories that name them.
func syncDisk(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	err = unix.Syncfs(int(f.Fd()))
	if err != nil {
		err = fmt.Errorf("sync %s: %w", path, err)
	}
	return writeError(errors.Join(err, f.Close()))
}

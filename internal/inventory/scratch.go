package inventory

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"upkeep/internal/service"
)

// Scratch hands out private directories and finds those that killed runs left.
// Each has a lock file beside it which its owner holds while it lives; the kernel
// lets go of it when the owner dies.
type Scratch struct{ base string }

// NewScratch takes the declared directory, or one on the disk for large temporary
// files that belongs to this state directory alone. Its path stays short: a
// Unix socket below it may have 107 bytes in all.
func NewScratch(declared, stateDir string) Scratch {
	if declared != "" {
		return Scratch{declared}
	}
	sum := sha256.Sum256([]byte(stateDir))
	return Scratch{filepath.Join("/var/tmp", fmt.Sprintf("upkeep-%d-%x", os.Getuid(), sum[:4]))}
}

// Base is where the directories lie; it may not exist yet.
func (s Scratch) Base() string { return s.base }

// Dir makes a directory for one target and purpose.
func (s Scratch) Dir(target, purpose string) (string, func() error, error) {
	if err := s.prepare(); err != nil {
		return "", nil, err
	}
	lock, err := s.reserve(prefix(target, purpose))
	if err != nil {
		return "", nil, fmt.Errorf("lock a scratch directory: %w", err)
	}
	path := strings.TrimSuffix(lock.Path(), lockSuffix)
	if err := os.Mkdir(path, 0o700); err != nil {
		return "", nil, fmt.Errorf("make a scratch directory: %w", errors.Join(err, remove(path, lock)))
	}
	return path, func() error { return remove(path, lock) }, nil
}

const lockSuffix = ".lock"

// reserve takes the lock of a directory that is yet to be made: it is never seen
// without an owner.
func (s Scratch) reserve(prefix string) (*flock.Flock, error) {
	f, err := os.CreateTemp(s.base, prefix+"*"+lockSuffix)
	if err != nil {
		return nil, err
	}
	lock := flock.New(f.Name())
	taken, err := lock.TryLock()
	if err == nil && !taken {
		err = service.ErrBusy
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// remove takes the directory away first: while it exists its lock is held.
func remove(path string, lock *flock.Flock) error {
	err := os.RemoveAll(path)
	if failed := os.Remove(lock.Path()); !errors.Is(failed, fs.ErrNotExist) { // it is gone when this is called again
		err = errors.Join(err, failed)
	}
	return errors.Join(err, lock.Close())
}

// Leftovers lists the target's directories whose owner is gone. Lock files whose
// directories were removed by somebody else are removed here.
func (s Scratch) Leftovers(target, purpose string) ([]string, error) {
	found, err := os.ReadDir(s.base)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look for leftovers: %w", err)
	}
	var abandoned []string
	var failed error
	for _, entry := range found {
		path := filepath.Join(s.base, entry.Name())
		switch lock := path + lockSuffix; {
		case !strings.HasPrefix(entry.Name(), prefix(target, purpose)):
		case entry.IsDir() && free(lock):
			abandoned = append(abandoned, path)
		case strings.HasSuffix(path, lockSuffix) && s.orphaned(entry) && free(path):
			failed = errors.Join(failed, os.Remove(path))
		}
	}
	return abandoned, failed
}

// orphanAge is how old a lock file without a directory is before it counts as
// left: a younger one may belong to a directory that is just being made.
const orphanAge = time.Hour

func (s Scratch) orphaned(lock fs.DirEntry) bool {
	_, err := os.Lstat(filepath.Join(s.base, strings.TrimSuffix(lock.Name(), lockSuffix)))
	if !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	info, err := lock.Info()
	return err == nil && time.Since(info.ModTime()) > orphanAge
}

func free(lockPath string) bool {
	lock := flock.New(lockPath, flock.SetPermissions(0o600))
	taken, err := lock.TryLock()
	return err == nil && taken && lock.Close() == nil
}

func prefix(target, purpose string) string {
	return fmt.Sprintf("%.12s-%.12s-", plain(target), plain(purpose))
}

// plain keeps a name readable where it can be and its length fixed: names may be
// Chinese, and a socket's path is short.
func plain(name string) string {
	ascii := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, name)
	if ascii == name && len(name) <= 12 {
		return name
	}
	return fmt.Sprintf("%.4s%x", ascii, sha256.Sum256([]byte(name)))
}

// prepare makes the base so that the users scratch servers run as can pass
// through it, and refuses one that somebody else made: /var/tmp is for everybody.
func (s Scratch) prepare() error {
	if err := s.make(); err != nil {
		return fmt.Errorf("make the scratch directory: %w", err)
	}
	info, err := os.Lstat(s.base)
	if err != nil {
		return fmt.Errorf("look at the scratch directory: %w", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || int(owner.Uid) != os.Getuid() {
		return fmt.Errorf("scratch directory %s belongs to somebody else: %w", s.base, service.ErrRefused)
	}
	return nil
}

func (s Scratch) make() error {
	if _, err := os.Lstat(s.base); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.base), 0o711); err != nil {
		return err
	}
	err := os.Mkdir(s.base, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil // another process was faster
	}
	if err != nil {
		return err
	}
	return os.Chmod(s.base, 0o711) // whatever the umask says
}

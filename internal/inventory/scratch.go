package inventory

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

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
	path, err := os.MkdirTemp(s.base, prefix(target, purpose))
	if err != nil {
		return "", nil, fmt.Errorf("make a scratch directory: %w", err)
	}
	lock := flock.New(path + ".lock")
	if _, err := lock.TryLock(); err != nil {
		return "", nil, fmt.Errorf("lock the scratch directory: %w", errors.Join(err, os.RemoveAll(path)))
	}
	return path, func() error { return remove(path, lock) }, nil
}

// remove takes the directory away first: while it exists its lock is held.
func remove(path string, lock *flock.Flock) error {
	err := os.RemoveAll(path)
	return errors.Join(err, os.Remove(lock.Path()), lock.Close())
}

// Leftovers lists the target's directories whose owner is gone.
func (s Scratch) Leftovers(target, purpose string) ([]string, error) {
	found, err := filepath.Glob(filepath.Join(s.base, prefix(target, purpose)+"*"))
	if err != nil {
		return nil, fmt.Errorf("look for leftovers: %w", err)
	}
	var abandoned []string
	for _, path := range found {
		if !strings.HasSuffix(path, ".lock") && free(path+".lock") {
			abandoned = append(abandoned, path)
		}
	}
	return abandoned, nil
}

func free(lockPath string) bool {
	lock := flock.New(lockPath)
	taken, err := lock.TryLock()
	if !taken || err != nil {
		return false
	}
	return lock.Unlock() == nil
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
	if err := os.MkdirAll(s.base, 0o711); err != nil {
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

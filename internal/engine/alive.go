package engine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// Alive reports whether a process works on a run: it holds the run's lock. One that was
// killed holds none. It shares the lock for a moment when nobody holds it.
func Alive(locks, run string) (bool, error) {
	path := filepath.Join(locks, lockName{kind: "run", name: run}.file())
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	l := flock.New(path, flock.SetFlag(os.O_RDONLY))
	free, err := l.TryRLock()
	return !free && err == nil, errors.Join(err, l.Close())
}

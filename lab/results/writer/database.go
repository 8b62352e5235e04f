package writer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"upkeep/lab/results/master"
	"upkeep/lab/results/record"
)

// lockWait bounds how long a writer waits for a lock; then it goes on without saving.
const lockWait = 30 * time.Second

// locked does something while it holds the lock of a path. A file that is unlinked on release
// lets two hold it: one the old file, one a new file of that name.
func locked(ctx context.Context, path string, unlink bool, do func() error) error {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	lock := flock.New(path)
	if _, err := lock.TryLockContext(ctx, 10*time.Millisecond); err != nil {
		return fmt.Errorf("wait for %s: %w", path, err)
	}
	err := do()
	if unlink {
		if gone := os.Remove(path); !errors.Is(gone, os.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return errors.Join(err, lock.Unlock())
}

// memory is the JSON database as one writer knows it: as it was when the writer began, and
// what it has done since.
type memory struct {
	path, lock string
	held       *master.Database
}

// load begins an empty database when there is none; one that cannot be read is put aside,
// over the one that was put aside before.
func (m *memory) load() error {
	var err error
	if m.held, err = master.Load(m.path); err == nil {
		return nil
	}
	m.held = master.New(stamp(time.Now()))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	aside := os.Rename(m.path, m.path[:len(m.path)-len(".json")]+".backup")
	if errors.Is(aside, os.ErrNotExist) { // another writer was faster
		return nil
	}
	return aside
}

func (m *memory) record(k master.Key, results []record.Result) {
	l := m.held.Leaf(k)
	if l == nil {
		l = master.Leaf{}
	}
	for _, r := range results {
		l.Record(r.Success, r.PartialSuccess)
	}
	m.held.Put(k, l, stamp(time.Now()))
	m.held.Recount()
}

// save keeps of the file only the models and kinds of prompts that the memory has not:
// what others have counted of the rest is lost.
func (m *memory) save(ctx context.Context) error {
	return locked(ctx, m.lock, true, func() error {
		disk, err := master.Load(m.path)
		if err == nil {
			m.keep(disk)
		}
		m.held.LastUpdated = stamp(time.Now())
		text, err := master.Text(m.held)
		if err != nil {
			return err
		}
		temp := filepath.Join(filepath.Dir(m.path), fmt.Sprintf(".master_database_%d.tmp", os.Getpid()))
		if err := os.WriteFile(temp, text, 0o644); err != nil {
			return err
		}
		return os.Rename(temp, m.path)
	})
}

func (m *memory) keep(disk *master.Database) {
	for name, model := range disk.Models {
		own := m.held.Models[name]
		if own == nil {
			m.held.Models[name] = model
			continue
		}
		for prompt, of := range model.ByPromptType {
			if own.ByPromptType[prompt] == nil {
				own.ByPromptType[prompt] = of
			}
		}
	}
	m.held.Recount()
}

func stamp(t time.Time) string { return t.Format("2006-01-02T15:04:05.000000") }

package repository

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/blob/filesystem"
	"golang.org/x/sys/unix"
)

// access is how a connection is opened. One that only reads cannot write at all.
type access string

const (
	readOnly  access = "read"
	readWrite access = "write"
)

// userName is the user of every snapshot, as stock kopia shows it.
const userName = "upkeep"

// connect opens the storage.
func (r *Repository) connect(ctx context.Context, how access) (repo.DirectRepository, error) {
	config, release, err := r.describe(how)
	if err != nil {
		return nil, fmt.Errorf("describe the connection: %w", err)
	}
	defer release()
	opened, err := repo.Open(ctx, config, r.opt.Password, &repo.Options{
		TimeNowFunc:          r.clock.now,
		DisableRepositoryLog: true,
		DoNotWaitForUpgrade:  true,
		OnFatalError:         func(error) {}, // kopia's own answer is os.Exit; the failing call returns the error too
	})
	if err != nil {
		return nil, err
	}
	forgetDerivation()
	direct, ok := opened.(repo.DirectRepository)
	if !ok {
		return nil, errors.Join(fmt.Errorf("unexpected repository type %T", opened), opened.Close(ctx))
	}
	return direct, nil
}

// describe writes the file that kopia insists on: it names the storage, holds no
// secret and no cache directory, so that whatever is read comes from the repository
// itself. Whoever only reads leaves nothing on the disk; writers share a file, beside
// which kopia locks its maintenance. release is called once kopia has read it.
func (r *Repository) describe(how access) (config string, release func(), err error) {
	path, err := filepath.Abs(r.opt.Path)
	if err != nil {
		return "", nil, err
	}
	described, err := json.Marshal(repo.LocalConfig{
		Storage:       &blob.ConnectionInfo{Type: "filesystem", Config: &filesystem.Options{Path: path}},
		ClientOptions: repo.ClientOptions{Username: userName, ReadOnly: how == readOnly},
	})
	if err != nil {
		return "", nil, err
	}
	if how == readOnly {
		return inMemory(described)
	}
	// Repositories may share the directory, so each has a file of its own.
	config = filepath.Join(r.dir, fmt.Sprintf("%x.json", sha256.Sum256([]byte(path))))
	return config, func() {}, replaceFile(config, described)
}

// inMemory is a file without a place on any disk.
func inMemory(content []byte) (path string, release func(), err error) {
	fd, err := unix.MemfdCreate("upkeep-repository", unix.MFD_CLOEXEC)
	if err != nil {
		return "", nil, err
	}
	file := os.NewFile(uintptr(fd), "upkeep-repository")
	release = func() { _ = file.Close() } // nothing in it has to last
	if _, err := file.Write(content); err != nil {
		release()
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d", fd), release, nil
}

// forgetDerivation gives back the 64 MiB of garbage that deriving a key leaves: it
// would be the measure of all that is collected later.
func forgetDerivation() { debug.FreeOSMemory() }

// write returns the connection for writing.
func (r *Repository) write(ctx context.Context) (repo.DirectRepository, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.writer != nil {
		return r.writer, nil
	}
	w, err := r.connect(ctx, readWrite)
	if err != nil {
		return nil, fmt.Errorf("open repository for writing: %w", writeError(err))
	}
	if err := saveFormat(r.opt.Path); err != nil {
		return nil, errors.Join(err, w.Close(ctx))
	}
	r.writer = w
	return w, nil
}

// change runs one short write and makes its result visible to readers.
func (r *Repository) change(ctx context.Context, purpose string, do func(context.Context, repo.DirectRepositoryWriter) error) error {
	w, err := r.write(ctx)
	if err != nil {
		return err
	}
	if err := w.Refresh(ctx); err != nil {
		return readError(err)
	}
	if err := repo.DirectWriteSession(ctx, w, repo.WriteSessionOptions{Purpose: purpose}, do); err != nil {
		return writeError(err)
	}
	return r.refresh(ctx)
}

// refresh makes what others wrote visible.
func (r *Repository) refresh(ctx context.Context) error {
	if err := r.reader.Refresh(ctx); err != nil {
		return fmt.Errorf("read the repository's indexes: %w", readError(err))
	}
	return nil
}

// formatFile holds the keys under the password: without it nothing can be read.
func formatFile(path string) string { return filepath.Join(path, "kopia.repository.f") }

// formatCopy is a second copy of it that kopia does not know.
func formatCopy(path string) string { return filepath.Join(path, "kopia.repository.copy") }

// saveFormat keeps the second copy equal to a format file that could be opened.
func saveFormat(path string) error {
	current, err := os.ReadFile(formatFile(path))
	if err != nil {
		return fmt.Errorf("read the repository's format: %w", err)
	}
	saved, err := os.ReadFile(formatCopy(path))
	if err == nil && bytes.Equal(current, saved) {
		return nil
	}
	if err := replaceFile(formatCopy(path), current); err != nil {
		return fmt.Errorf("keep a second copy of the repository's format: %w", writeError(err))
	}
	return nil
}

// replaceFile writes a private file whole or not at all.
func replaceFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp-")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// steadyClock is the machine's clock, but never behind floor and never twice the
// same: kopia keeps the younger of two records of one thing.
type steadyClock struct {
	mu   sync.Mutex
	last time.Time
}

func (c *steadyClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now().Round(0)
	if !now.After(c.last) {
		now = c.last.Add(time.Microsecond)
	}
	c.last = now
	return now
}

func (c *steadyClock) atLeast(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.After(c.last) {
		c.last = t
	}
}

// setClock lifts the clock to the newest record there is.
func (r *Repository) setClock(ctx context.Context) error {
	all, err := r.reader.FindManifests(ctx, nil)
	if err != nil {
		return err
	}
	for _, m := range all {
		r.clock.atLeast(m.ModTime)
	}
	return nil
}

package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// runLocks is the file of all runs' locks, of which each is one byte: a file for each run would
// stay for ever, or be removed under a process that has just opened it.
const runLocks = "runs.lock"

// byteOf is the place of a run's lock, by a digest of its ID. Nothing is ever written there.
func byteOf(run string) unix.Flock_t {
	sum := sha256.Sum256([]byte(run))
	return unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: int64(binary.BigEndian.Uint64(sum[:8]) >> 2), Len: 1}
}

// takeRun takes a run's lock, unless it is held: then file is nil. Closing the file gives it back, and so
// does the end of the process. The lock belongs to the open file, so two runs of one process
// see each other's: fcntl(2), open file description locks.
func takeRun(locks, run string) (file *os.File, err error) {
	f, err := os.OpenFile(filepath.Join(locks, runLocks), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	at := byteOf(run)
	err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &at)
	if err == nil {
		return f, nil
	}
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		err = nil
	}
	return nil, errors.Join(err, f.Close())
}

// Alive reports whether a process works on a run: it holds the run's lock. One that was
// killed holds none.
func Alive(locks, run string) (alive bool, err error) {
	f, err := os.Open(filepath.Join(locks, runLocks))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	at := byteOf(run)
	err = unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &at)
	return err == nil && at.Type != unix.F_UNLCK, err
}

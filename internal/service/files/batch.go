package files

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// Limits of one batch: open files, and bytes that may be lost with the power.
const (
	batchFiles = 128
	batchBytes = 64 << 20
)

// batch collects finished files and gives them their names once their content is
// on disk. One flush for many is several times faster than one for each.
type batch struct {
	durable bool // a stand-in is not worth a flush
	mu      sync.Mutex
	parts   []placed
	bytes   int64
}

// placed is a finished file that has not got its name yet.
type placed struct {
	dir, fd      int
	name, beside string
}

// add takes p over, also when it fails.
func (b *batch) add(p placed, size int64) error {
	if !b.durable {
		return p.settle()
	}
	b.mu.Lock()
	b.parts, b.bytes = append(b.parts, p), b.bytes+size
	full := len(b.parts) >= batchFiles || b.bytes >= batchBytes
	b.mu.Unlock()
	if full {
		return b.commit()
	}
	return nil
}

func (b *batch) take() []placed {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.parts
	b.parts, b.bytes = nil, 0
	return taken
}

// commit writes what was collected to disk and names it.
func (b *batch) commit() error {
	parts := b.take()
	if len(parts) > 1 {
		// Its error is that of one of the files, and their own flushes tell which.
		_ = unix.Syncfs(parts[0].fd)
	}
	var failed error
	for _, p := range parts {
		err := unix.Fsync(p.fd)
		if err != nil {
			err = errors.Join(err, p.discard())
		} else {
			err = p.settle()
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", shown(p.name), full(err)))
		}
	}
	return failed
}

// drop removes what was collected and not named.
func (b *batch) drop() error {
	var failed error
	for _, p := range b.take() {
		failed = errors.Join(failed, p.discard())
	}
	return failed
}

// settle names the file.
func (p placed) settle() error {
	err := rename(p.dir, p.beside, p.name)
	if err != nil {
		return errors.Join(err, p.discard())
	}
	return errors.Join(unix.Close(p.fd), unix.Close(p.dir))
}

// discard removes the file; what had its name before stays.
func (p placed) discard() error {
	return errors.Join(unix.Unlinkat(p.dir, p.beside, 0), unix.Close(p.fd), unix.Close(p.dir))
}

package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"upkeep/internal/service"
)

// item is a regular file of a snapshot. Its readings are one after the other.
type item struct {
	name    string
	anchor  int // directory that rel is opened beneath
	rel     string
	follow  bool
	size    int64 // as counted in totals
	changed bool  // during an earlier reading
	left    bool  // out of the copy
	snap    *totals
}

// totals count what a copy will hold. Files adjust them while they are read.
type totals struct {
	gaps                                           *gaps
	files, directories, links, others, bytes, disk atomic.Int64
}

// open opens the file for one reading.
func (it *item) open(ctx context.Context) (io.ReadCloser, error) {
	fd, err := quietly(it.descriptor)
	if err != nil {
		return nil, it.refused(err)
	}
	r := &reader{ctx: ctx, item: it, fd: fd}
	if r.before, err = stat(fd, "", false); err == nil && r.before.Mode&unix.S_IFMT != unix.S_IFREG {
		err = unix.ENOENT // another thing took its place
	}
	if err != nil {
		return nil, errors.Join(it.refused(err), unix.Close(fd))
	}
	r.holes.size = r.before.Size
	if r.before.Blocks*512 < r.before.Size {
		r.holes.fd, r.holes.known = fd, true
	}
	if r.before.Size > large {
		// Only a hint; a file system without readahead refuses it.
		_ = unix.Fadvise(fd, 0, 0, unix.FADV_SEQUENTIAL)
	}
	return r, nil
}

// large is from where on the kernel is told that the whole file will be read.
const large = 1 << 20

// descriptor never waits: a pipe that took the file's place would.
func (it *item) descriptor(flags int) (int, error) {
	if it.follow {
		return openat(it.anchor, it.rel, flags|unix.O_NONBLOCK, 0)
	}
	return beneath(it.anchor, it.rel, flags|unix.O_NONBLOCK, 0)
}

// refused tells what makes this file a gap of the copy from what is wrong with
// the whole: too many open files, no memory.
func (it *item) refused(err error) error {
	switch err {
	case unix.ENOENT, unix.ENOTDIR, unix.ELOOP, unix.EXDEV, unix.ENXIO:
		it.leave(vanished)
	case unix.EACCES, unix.EPERM, unix.EIO, unix.ESTALE, unix.ENODEV, unix.EUCLEAN:
		it.leave(unreadable)
	default:
		return fmt.Errorf("read %s: %w", shown(it.name), err)
	}
	return fmt.Errorf("read %s: %w: %w", shown(it.name), err, service.ErrNotFound)
}

// leave counts the file out.
func (it *item) leave(why gap) {
	if it.left {
		return
	}
	it.left = true
	it.snap.gaps.add(why, it.name)
	it.snap.files.Add(-1)
	it.count(0)
}

// count makes n the size of the file in the totals.
func (it *item) count(n int64) {
	it.snap.bytes.Add(n - it.size)
	it.size = n
}

// reader reads a file as long as it was when it was opened.
type reader struct {
	ctx    context.Context // of this one reading
	item   *item
	fd     int
	at     int64
	before unix.Stat_t
	holes  holes
	end    error // what every further Read returns
}

func (r *reader) Read(p []byte) (int, error) {
	if r.end != nil {
		return 0, r.end
	}
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.next(p)
	if err != nil {
		r.end = r.item.refused(err)
		return 0, r.end
	}
	r.at += int64(n)
	if n == 0 && len(p) > 0 {
		r.end = r.finish()
		return 0, r.end
	}
	return n, nil
}

// next reads up to the length that the file had. One of length 0 is read to its
// end: under /proc and /sys such files have content.
func (r *reader) next(p []byte) (int, error) {
	if left := r.before.Size - r.at; r.before.Size > 0 && int64(len(p)) > left {
		p = p[:left]
	}
	if len(p) == 0 {
		return 0, nil
	}
	data, err := r.holes.until(r.at)
	if err != nil {
		return 0, err
	}
	if data > r.at {
		p = p[:min(int64(len(p)), data-r.at)]
		clear(p)
		return len(p), nil
	}
	for {
		n, err := unix.Pread(r.fd, p, r.at)
		if err != unix.EINTR {
			return n, err
		}
	}
}

// finish says whether what was read is what the file held. A file that changes
// during both readings, a log in use, is kept as it was read and named.
func (r *reader) finish() error {
	after, err := stat(r.fd, "", false)
	if err != nil {
		return r.item.refused(err)
	}
	if same(&r.before, &after) && (r.at == r.before.Size || r.before.Size == 0) {
		r.item.count(r.at)
		return io.EOF
	}
	if r.item.changed {
		r.item.snap.gaps.add(changing, r.item.name)
		r.item.count(r.at)
		return io.EOF
	}
	r.item.changed = true
	return fmt.Errorf("read %s: %w", shown(r.item.name), service.ErrChanged)
}

func (r *reader) Close() error { return unix.Close(r.fd) }

// same reports whether nobody wrote to the file between the two looks. The change
// time cannot be set by anybody, so a write of the same length in the same second
// shows.
func same(a, b *unix.Stat_t) bool {
	return a.Size == b.Size && a.Mtim == b.Mtim && a.Ctim == b.Ctim && a.Ino == b.Ino
}

// holes finds the ranges of a file that are not on disk.
type holes struct {
	fd    int
	size  int64
	known bool  // the file has holes
	from  int64 // data begins here
	to    int64 // and ends here
}

// until returns where the next data after at begins; at itself when it is data.
func (h *holes) until(at int64) (int64, error) {
	if !h.known || at >= h.from && at < h.to {
		return at, nil
	}
	if at < h.from {
		return h.from, nil
	}
	data, err := unix.Seek(h.fd, at, unix.SEEK_DATA)
	if err == unix.ENXIO { // no more data
		h.from, h.to = h.size, h.size
		return h.size, nil
	}
	if err != nil {
		h.known = false // a file system that cannot tell: read everything
		return at, nil
	}
	h.from = data
	h.to, err = unix.Seek(h.fd, data, unix.SEEK_HOLE)
	return data, err
}

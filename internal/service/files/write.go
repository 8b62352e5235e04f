package files

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"upkeep/internal/service"
)

// beside is the name under which a file is written before it takes its own. It
// depends on the name only, so that a repeated restore finds what a killed one
// left, and is short whatever the name is.
func beside(name string) string {
	sum := sha256.Sum256([]byte(name))
	return ".upkeep-" + hex.EncodeToString(sum[:12])
}

// file writes one regular file.
func (w *restoration) file(ctx context.Context, to place, p service.Part, m meta) (err error) {
	if p.Open == nil {
		return fmt.Errorf("the copy has no content: %w", service.ErrDamaged)
	}
	parent, err := to.parent()
	if err != nil {
		return err
	}
	part := placed{dir: parent, fd: -1, name: to.base(), beside: beside(to.base())}
	if part.fd, err = fresh(parent, part.beside); err != nil {
		return errors.Join(err, unix.Close(parent))
	}
	if err = w.fill(ctx, part.fd, p, m.allocated >= 0); err == nil {
		err = w.apply(part.fd, m, m.mtime)
	}
	if err != nil {
		return errors.Join(err, part.discard())
	}
	return w.batch.add(part, p.Size)
}

// fresh creates an empty file that nobody else can read.
func fresh(dir int, name string) (int, error) {
	const flags = unix.O_CREAT | unix.O_EXCL | unix.O_WRONLY | unix.O_NOFOLLOW
	fd, err := openat(dir, name, flags, 0o600)
	if err != unix.EEXIST {
		return fd, err
	}
	if err := unix.Unlinkat(dir, name, 0); err != nil {
		return -1, fmt.Errorf("remove what an earlier restore left: %w", err)
	}
	return openat(dir, name, flags, 0o600)
}

// fill writes the content and holds it to its digest.
func (w *restoration) fill(ctx context.Context, fd int, p service.Part, holes bool) (err error) {
	content, err := p.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	buf := w.buffers.Get().(*buffer)
	defer w.buffers.Put(buf)
	sum := sha256.New()
	out := &output{fd: fd, holes: holes, wrote: func(n int) { w.report.Add(w.done.Add(int64(n)), w.total) }}
	if _, err := io.CopyBuffer(io.MultiWriter(out, sum), during{ctx, content}, buf[:]); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); p.SHA256 != "" && got != p.SHA256 {
		return fmt.Errorf("content has %d bytes and sha256 %s, promised is %s: %w", out.at, got, p.SHA256, service.ErrDamaged)
	}
	return unix.Ftruncate(fd, out.at) // a hole at the end
}

// during stops reading when ctx ends.
type during struct {
	ctx context.Context
	io.Reader
}

func (d during) Read(p []byte) (int, error) {
	if err := d.ctx.Err(); err != nil {
		return 0, err
	}
	return d.Reader.Read(p)
}

// output writes to a file and leaves out blocks of zeros where it had holes.
type output struct {
	fd    int
	at    int64
	holes bool
	wrote func(int)
}

// grain is the block size of common file systems: smaller holes do not exist.
const grain = 4096

func (o *output) Write(p []byte) (int, error) {
	for done := 0; done < len(p); {
		piece := p[done:]
		if o.holes {
			piece = piece[:min(len(piece), grain-int(o.at%grain))]
		}
		if !o.holes || !zeros(piece) {
			n, err := unix.Pwrite(o.fd, piece, o.at)
			if err == unix.EINTR {
				continue
			}
			if err != nil {
				return done, err
			}
			piece = piece[:n]
		}
		done += len(piece)
		o.at += int64(len(piece))
	}
	o.wrote(len(p))
	return len(p), nil
}

// zeros compares p with itself one byte further, which is as fast as memory.
func zeros(p []byte) bool { return len(p) > 0 && p[0] == 0 && bytes.Equal(p[1:], p[:len(p)-1]) }

// special puts a link, a pipe or a device in place.
func (w *restoration) special(to place, m meta) error {
	parent, err := to.parent()
	if err != nil {
		return err
	}
	defer unix.Close(parent)
	temporary := beside(to.base())
	if err := unix.Unlinkat(parent, temporary, 0); err != nil && err != unix.ENOENT {
		return err
	}
	err = create(parent, temporary, m)
	if err == unix.EPERM && os.Geteuid() != 0 && (m.kind == character || m.kind == block) {
		w.in.env.Log.Warn("device not restored: only root can make one", "name", to.rel)
		return nil
	}
	if err != nil {
		return err
	}
	if err := w.mark(parent, temporary, m, m.mtime); err != nil {
		return errors.Join(err, unix.Unlinkat(parent, temporary, 0))
	}
	return rename(parent, temporary, to.base())
}

func create(dir int, name string, m meta) error {
	switch m.kind {
	case link:
		return unix.Symlinkat(m.target, dir, name)
	case fifo:
		return unix.Mknodat(dir, name, unix.S_IFIFO|0o600, 0)
	case character:
		return unix.Mknodat(dir, name, unix.S_IFCHR|0o600, int(m.device))
	case block:
		return unix.Mknodat(dir, name, unix.S_IFBLK|0o600, int(m.device))
	}
	return fmt.Errorf("unknown type %q: %w", m.kind, service.ErrUnsupported)
}

// rename gives the finished thing its name. A directory in its place is emptied
// first.
func rename(dir int, from, to string) error {
	err := unix.Renameat(dir, from, dir, to)
	switch err {
	case unix.EISDIR, unix.EEXIST, unix.ENOTEMPTY:
		if err := os.RemoveAll(handle(dir, to)); err != nil {
			return fmt.Errorf("make way: %w", err)
		}
		return unix.Renameat(dir, from, dir, to)
	}
	return err
}

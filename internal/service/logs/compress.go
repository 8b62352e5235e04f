package logs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sys/unix"

	"upkeep/internal/service"
)

// each does one thing to every file of a step. A file that is open by now is left for
// the next time, and that is said.
func (t *tending) each(ctx context.Context, files []file, do func(context.Context, file) (outcome, error)) ([]outcome, error) {
	var total, done int64
	for _, f := range files {
		total += f.Size
	}
	results, left := make([]outcome, len(files)), names{}
	for i, f := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		open, err := t.open(ctx, f)
		if err != nil {
			return nil, err
		}
		if open {
			left.add(shown(f.path()))
			continue
		}
		if results[i], err = do(ctx, f); err != nil {
			return nil, fmt.Errorf("%s: %w", shown(f.path()), err)
		}
		done += f.Size
		t.report.Add(done, total)
	}
	if left.n > 0 {
		t.verdict.Warn("left-open", "", left.args())
	}
	t.verdict.Set("files", len(files)-left.n)
	return results, nil
}

// open reports whether somebody has the file open. One that has gone, or is another
// file by now, is judged by whoever finds it so.
func (t *tending) open(ctx context.Context, f file) (bool, error) {
	now, err := t.d.look(string(f.Name))
	if errors.Is(err, service.ErrNotFound) || err == nil && !now.is(f) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	free, err := t.free(ctx, f)
	return !free, err
}

// free reports whether nobody has the file open. What cannot be told is an error.
func (t *tending) free(ctx context.Context, f file) (bool, error) {
	h, err := t.in.holders(ctx, map[node]bool{f.node(): true})
	if err != nil {
		return false, err
	}
	u := t.in.use(f, h)
	if len(u.blind) > 0 {
		return false, fmt.Errorf("look into %v, which may have %s open: %w", who(u.blind), shown(f.path()), service.ErrDenied)
	}
	return u.none() && !h.has(f), nil
}

// compress puts NAME.gz in the place of a rotated file. The plain file goes only when
// the compressed one was written through to the disk and read back as the same.
func (t *tending) compress(ctx context.Context, planned file) (outcome, error) {
	name := string(planned.Name)
	packed := name + ".gz"
	src, now, err := t.locked(name)
	if errors.Is(err, service.ErrNotFound) {
		return t.compressedBefore(ctx, planned)
	}
	if err != nil {
		return outcome{}, err
	}
	defer src.Close()
	if !now.same(planned) {
		return outcome{}, fmt.Errorf("it changed since it was looked at: %w", service.ErrStale)
	}
	done := outcome{Name: raw(packed), Bytes: now.Size}
	switch _, err := t.d.look(packed); {
	case errors.Is(err, service.ErrNotFound):
		done.SHA256, err = t.pack(ctx, src, now)
		if err != nil {
			return outcome{}, err
		}
	case err != nil:
		return outcome{}, err
	default: // a crash left it beside the plain file, or it is somebody else's
		if done.SHA256, err = digest(ctx, src); err != nil {
			return outcome{}, err
		}
		if err := t.proven(ctx, packed, done); err != nil {
			return outcome{}, err
		}
	}
	return done, t.drop(ctx, src, now)
}

// locked opens a file that no other upkeep works on.
func (t *tending) locked(name string) (*os.File, file, error) {
	src, now, err := t.d.open(name)
	if err != nil {
		return nil, now, err
	}
	if err := unix.Flock(int(src.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		src.Close()
		return nil, now, fmt.Errorf("somebody else has it locked: %w: %w", err, service.ErrBusy)
	}
	return src, now, nil
}

// compressedBefore is a file whose plain form has gone: by a run that was cut off, or
// by somebody else who deals with rotated files.
func (t *tending) compressedBefore(ctx context.Context, planned file) (outcome, error) {
	packed := string(planned.Name) + ".gz"
	f, now, err := t.d.open(packed)
	if errors.Is(err, service.ErrNotFound) {
		return outcome{}, nil
	}
	if err != nil {
		return outcome{}, err
	}
	defer f.Close()
	if now.Last != planned.Last {
		return outcome{}, nil // not made of this file
	}
	n, sum, err := contents(ctx, f)
	if err != nil {
		return outcome{}, fmt.Errorf("read %s back: %w", shown(packed), err)
	}
	return outcome{Name: raw(packed), Bytes: n, SHA256: sum}, nil
}

// pack writes the compressed file under a name that nobody reads, and gives it its own
// name when it is whole on the disk.
func (t *tending) pack(ctx context.Context, src *os.File, now file) (sum string, err error) {
	packed := string(now.Name) + ".gz"
	err = t.write(packed, now, func(w io.Writer) error {
		z := gzip.NewWriter(w)
		z.ModTime = now.written()
		hash := sha256.New()
		if _, err := src.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if _, err := io.Copy(io.MultiWriter(z, hash), guarded{ctx, src}); err != nil {
			return err
		}
		sum = hex.EncodeToString(hash.Sum(nil))
		return z.Close()
	}, func(half string) error {
		return t.proven(ctx, half, outcome{Bytes: now.Size, SHA256: sum})
	})
	return sum, err
}

// write makes a file with the owner, mode and time of like. It gets its name when
// check has read it; a file of that name is never replaced.
func (t *tending) write(name string, like file, fill func(io.Writer) error, check func(half string) error) (err error) {
	temporary := half(name)
	if err := t.d.remove(temporary); err != nil { // of a run that was cut off: the source is locked by us
		return err
	}
	f, err := t.d.openAs(temporary, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.d.remove(temporary))
		}
	}()
	if err = fill(f); err == nil {
		err = t.dress(f, temporary, like)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", shown(name), explained(err))
	}
	if err := check(temporary); err != nil {
		return err
	}
	return t.d.rename(temporary, name, unix.RENAME_NOREPLACE)
}

// dress gives a file owner, mode and time of like, and has all of it on the disk.
func (t *tending) dress(f *os.File, name string, like file) error {
	last := unix.NsecToTimespec(like.Last)
	return errors.Join(
		unix.Fchown(int(f.Fd()), like.uid, like.gid),
		unix.Fchmod(int(f.Fd()), like.permissions()),
		unix.UtimesNanoAt(t.d.fd(), name, []unix.Timespec{last, last}, unix.AT_SYMLINK_NOFOLLOW),
		f.Sync())
}

// proven reads a compressed file back and compares it with the plain one.
func (t *tending) proven(ctx context.Context, name string, want outcome) error {
	f, _, err := t.d.open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	n, sum, err := contents(ctx, f)
	if err != nil {
		return fmt.Errorf("read %s back: %w", shown(name), err)
	}
	if n != want.Bytes || sum != want.SHA256 {
		return fmt.Errorf("%s holds %d bytes with SHA-256 %s, the plain file %d with %s: %w", shown(name), n, sum, want.Bytes, want.SHA256, service.ErrDamaged)
	}
	return nil
}

// contents are length and digest of what a compressed file holds.
func contents(ctx context.Context, f *os.File) (n int64, sum string, err error) {
	hash := sha256.New()
	z, err := unzip(f)
	if err == nil {
		n, err = io.Copy(hash, guarded{ctx, z})
	}
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", err, service.ErrDamaged)
	}
	return n, hex.EncodeToString(hash.Sum(nil)), err
}

func digest(ctx context.Context, f *os.File) (string, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	hash := sha256.New()
	_, err := io.Copy(hash, guarded{ctx, f})
	return hex.EncodeToString(hash.Sum(nil)), err
}

// guarded ends a long copy with its context.
type guarded struct {
	ctx context.Context
	io.Reader
}

func (g guarded) Read(p []byte) (int, error) {
	if err := g.ctx.Err(); err != nil {
		return 0, err
	}
	return g.Reader.Read(p)
}

package logs

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"upkeep/internal/database"
	"upkeep/internal/service"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Archive is what was collected of one target: a file per day and stream,
// DAY/STREAM.zst, of zstd frames one behind the other, which zstdcat reads; and an
// index that says how far each stream was read and how long each file is. What
// stands behind that length was written by a run that was killed before it could
// say so: it is cut off, and read from the source again. So every line is in the
// archive once.
type Archive struct {
	dir   string
	index *sql.DB
}

// OpenArchive opens the archive in a directory that belongs to it alone, and makes
// it where there is none.
func OpenArchive(ctx context.Context, dir string) (*Archive, error) {
	scripts, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	index, err := database.Open(ctx, filepath.Join(dir, "index.db"), scripts)
	if err != nil {
		return nil, fmt.Errorf("open the log archive: %w", err)
	}
	return &Archive{dir: dir, index: index}, nil
}

// ArchiveOf is the directory of a target's archive.
func ArchiveOf(dir, target string) string { return filepath.Join(dir, target) }

// Close closes the index.
func (a *Archive) Close() error { return a.index.Close() }

// Cursors say how far each stream is in the archive.
func (a *Archive) Cursors(ctx context.Context) (service.Cursors, error) {
	rows, err := a.index.QueryContext(ctx, "SELECT name, cursor FROM stream")
	if err != nil {
		return nil, fmt.Errorf("read the cursors: %w", err)
	}
	defer rows.Close()
	cursors := service.Cursors{}
	for rows.Next() {
		var name, cursor string
		if err := rows.Scan(&name, &cursor); err != nil {
			return nil, err
		}
		cursors[name] = cursor
	}
	return cursors, rows.Err()
}

// Recall returns a value that is kept beside the cursors, "" for none.
func (a *Archive) Recall(ctx context.Context, key string) (value string, err error) {
	err = a.index.QueryRowContext(ctx, "SELECT value FROM kept WHERE key = ?", key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return value, err
}

// Keep keeps a value.
func (a *Archive) Keep(ctx context.Context, key, value string) error {
	_, err := a.index.ExecContext(ctx, "INSERT OR REPLACE INTO kept (key, value) VALUES (?, ?)", key, value)
	return err
}

// file is where the lines of a stream of one day lie.
func (a *Archive) file(day, stream string) string {
	name := url.PathEscape(stream)
	if len(name) > longestName {
		name = fmt.Sprintf("%s-%016x", name[len(name)-longestName:], xxhash.Sum64String(stream))
	}
	return filepath.Join(a.dir, day, name+".zst")
}

// longestName leaves room for what is added to it: a file's name may have 255 bytes.
const longestName = 200

// Batch is lines on their way into the archive: written, but not counted yet.
type Batch struct {
	archive *Archive
	day     string
	encoder *zstd.Encoder
	streams []*appended
	current *appended
}

// appended is what one stream of a batch has got.
type appended struct {
	stream, cursor string
	path           string
	file           *os.File
	from           int64 // length of the file before
	bytes          int64 // of lines, before compression
	digest         *xxhash.Digest
}

// Begin starts a batch. Its lines are filed under the day of now.
func (a *Archive) Begin(now time.Time) (*Batch, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return nil, err
	}
	return &Batch{archive: a, day: now.Format(time.DateOnly), encoder: encoder}, nil
}

// Append adds lines of a stream, and says how far it has been read then.
func (b *Batch) Append(ctx context.Context, stream string, data []byte, cursor string) error {
	if b.current == nil || b.current.stream != stream {
		if err := b.end(); err != nil {
			return err
		}
		if b.has(stream) { // its file may grow only where it counts
			if err := b.Commit(ctx); err != nil {
				return err
			}
		}
		if err := b.start(ctx, stream); err != nil {
			return fmt.Errorf("archive %s: %w", stream, err)
		}
	}
	b.current.cursor = cursor
	b.current.bytes += int64(len(data))
	_, _ = b.current.digest.Write(data) // never fails
	if _, err := b.encoder.Write(data); err != nil {
		return fmt.Errorf("archive %s: %w", stream, err)
	}
	return nil
}

func (b *Batch) has(stream string) bool {
	return slices.ContainsFunc(b.streams, func(s *appended) bool { return s.stream == stream })
}

// start opens the file of a stream and cuts off what nobody counts.
func (b *Batch) start(ctx context.Context, stream string) error {
	s := &appended{stream: stream, path: b.archive.file(b.day, stream), digest: xxhash.New()}
	err := b.archive.index.QueryRowContext(ctx, "SELECT length FROM file WHERE day = ? AND stream = ?", b.day, stream).Scan(&s.from)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	if s.file, err = os.OpenFile(s.path, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	if err := errors.Join(s.file.Truncate(s.from), seek(s.file, s.from)); err != nil {
		return errors.Join(err, s.file.Close())
	}
	b.encoder.Reset(s.file)
	b.current = s
	return nil
}

func seek(f *os.File, to int64) error {
	_, err := f.Seek(to, io.SeekStart)
	return err
}

// end finishes the frame of the present stream.
func (b *Batch) end() error {
	if b.current == nil {
		return nil
	}
	s := b.current
	b.current = nil
	if err := errors.Join(b.encoder.Close(), s.file.Close()); err != nil {
		return fmt.Errorf("archive %s: %w", s.stream, err)
	}
	b.streams = append(b.streams, s)
	return nil
}

// Commit lets what was appended last through a power cut, reads it back, and only
// then counts it, all streams at once.
func (b *Batch) Commit(ctx context.Context) (err error) {
	if err := b.end(); err != nil {
		return err
	}
	if err := syncDisk(b.archive.dir); err != nil {
		return fmt.Errorf("archive logs: %w", err)
	}
	tx, err := b.archive.index.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("count what was archived: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer decoder.Close()
	for _, s := range b.streams {
		length, err := s.readBack(decoder)
		if err != nil {
			return fmt.Errorf("read back the archive of %s: %w", s.stream, err)
		}
		if err := count(ctx, tx, b.day, s, length); err != nil {
			return fmt.Errorf("count what was archived of %s: %w", s.stream, err)
		}
	}
	b.streams = nil
	return tx.Commit()
}

func count(ctx context.Context, tx *sql.Tx, day string, s *appended, length int64) error {
	_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO file (day, stream, length) VALUES (?, ?, ?)", day, s.stream, length)
	if err == nil {
		_, err = tx.ExecContext(ctx, "INSERT OR REPLACE INTO stream (name, cursor) VALUES (?, ?)", s.stream, s.cursor)
	}
	return err
}

// syncDisk makes everything on the disk of dir last: one call costs less than one
// per file.
func syncDisk(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(d.Fd())), d.Close())
}

// readBack compares what lies in the file with what was to be written, and returns
// the length of the file.
func (s *appended) readBack(decoder *zstd.Decoder) (length int64, err error) {
	f, err := os.Open(s.path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := seek(f, s.from); err != nil {
		return 0, err
	}
	if err := decoder.Reset(f); err != nil {
		return 0, err
	}
	digest := xxhash.New()
	n, err := io.Copy(digest, decoder)
	if err != nil || n != s.bytes || digest.Sum64() != s.digest.Sum64() {
		return 0, fmt.Errorf("%d of %d bytes came back: %w", n, s.bytes, errors.Join(service.ErrDamaged, err))
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Discard gives up what was not committed.
func (b *Batch) Discard() error {
	err := b.end()
	b.streams = nil
	return err
}

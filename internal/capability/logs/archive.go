package logs

import (
	"bufio"
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
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"
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
	lengths map[string]int64 // of the day's files by stream, with what is not counted yet
	current *frame
	frames  []*frame // that nobody counts yet
	bytes   int64    // of lines in them
	counter errgroup.Group
}

// countEvery is how many bytes of lines a killed collection may have to read again,
// and as many more while they are being counted.
const countEvery = 64 << 20

// frame is what one stream got at once.
type frame struct {
	stream, cursor string
	path           string
	file           *os.File
	from, to       int64 // where it lies in the file
	bytes          int64 // of lines, before compression
	digest         *xxhash.Digest
}

// Write puts what the encoder gives behind what is there.
func (s *frame) Write(p []byte) (int, error) {
	n, err := s.file.WriteAt(p, s.to)
	s.to += int64(n)
	return n, err
}

// Begin starts a batch. Its lines are filed under the day of now.
func (a *Archive) Begin(ctx context.Context, now time.Time) (*Batch, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return nil, err
	}
	b := &Batch{archive: a, day: now.Format(time.DateOnly), encoder: encoder, lengths: map[string]int64{}}
	files, err := a.files(ctx, now)
	for _, f := range files {
		if f.day == b.day {
			b.lengths[f.stream] = f.length
		}
	}
	return b, err
}

// Append adds lines of a stream, and says how far it has been read then. What was
// appended long ago is committed meanwhile.
func (b *Batch) Append(ctx context.Context, stream string, data []byte, cursor string) error {
	if b.current == nil || b.current.stream != stream {
		if err := b.end(); err != nil {
			return err
		}
		if err := b.start(stream); err != nil {
			return fmt.Errorf("archive %s: %w", stream, err)
		}
	}
	b.current.cursor = cursor
	b.current.bytes += int64(len(data))
	_, _ = b.current.digest.Write(data) // never fails
	if _, err := b.encoder.Write(data); err != nil {
		return fmt.Errorf("archive %s: %w", stream, err)
	}
	if b.bytes += int64(len(data)); b.bytes >= countEvery {
		return b.seal(ctx)
	}
	return nil
}

// start opens the file of a stream and cuts off what nobody counts.
func (b *Batch) start(stream string) (err error) {
	length := b.lengths[stream]
	s := &frame{stream: stream, path: b.archive.file(b.day, stream), from: length, to: length, digest: xxhash.New()}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	if s.file, err = os.OpenFile(s.path, os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	if err := s.file.Truncate(length); err != nil {
		return errors.Join(err, s.file.Close())
	}
	b.encoder.Reset(s)
	b.current = s
	return nil
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
	b.lengths[s.stream] = s.to
	b.frames = append(b.frames, s)
	return nil
}

// Commit counts what was appended, and returns when that is done.
func (b *Batch) Commit(ctx context.Context) error {
	if err := b.seal(ctx); err != nil {
		return err
	}
	return b.counter.Wait()
}

// seal has what was appended counted beside what is appended next. One is counted
// at a time.
func (b *Batch) seal(ctx context.Context) error {
	if err := errors.Join(b.end(), b.counter.Wait()); err != nil {
		return err
	}
	if len(b.frames) == 0 {
		return nil // a round without news waits for no disk
	}
	frames := b.frames
	b.frames, b.bytes = nil, 0
	b.counter.Go(func() error { return b.archive.count(ctx, b.day, frames) })
	return nil
}

// count lets frames through a power cut, reads them back, and only then counts them,
// all at once.
func (a *Archive) count(ctx context.Context, day string, frames []*frame) (err error) {
	tx, err := a.index.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("count what was archived: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	var work errgroup.Group
	work.Go(func() error { return enter(ctx, tx, day, frames) })
	work.Go(func() error { return a.prove(frames) })
	if err := work.Wait(); err != nil {
		return err
	}
	return tx.Commit()
}

// enter writes into tx how far frames go. The end of tx closes the statements.
func enter(ctx context.Context, tx *sql.Tx, day string, frames []*frame) error {
	file, err := tx.PrepareContext(ctx, "INSERT OR REPLACE INTO file (day, stream, length) VALUES (?, ?, ?)")
	if err != nil {
		return err
	}
	stream, err := tx.PrepareContext(ctx, "INSERT OR REPLACE INTO stream (name, cursor) VALUES (?, ?)")
	if err != nil {
		return err
	}
	for _, s := range frames {
		_, err := file.ExecContext(ctx, day, s.stream, s.to)
		if err == nil {
			_, err = stream.ExecContext(ctx, s.stream, s.cursor)
		}
		if err != nil {
			return fmt.Errorf("count what was archived of %s: %w", s.stream, err)
		}
	}
	return nil
}

// prove has frames on the disk and reads them back.
func (a *Archive) prove(frames []*frame) error {
	if err := syncDisk(a.dir); err != nil {
		return fmt.Errorf("archive logs: %w", err)
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer decoder.Close()
	pieces := bufio.NewReader(nil) // the decoder asks for a few bytes at a time
	for _, s := range frames {
		if err := s.readBack(decoder, pieces); err != nil {
			return fmt.Errorf("read back the archive of %s: %w", s.stream, err)
		}
	}
	return nil
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

// readBack compares what lies in the file with what was to be written.
func (s *frame) readBack(decoder *zstd.Decoder, pieces *bufio.Reader) (err error) {
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	pieces.Reset(io.NewSectionReader(f, s.from, s.to-s.from))
	if err := decoder.Reset(pieces); err != nil {
		return err
	}
	digest := xxhash.New()
	n, err := io.Copy(digest, decoder)
	if err != nil || n != s.bytes || digest.Sum64() != s.digest.Sum64() {
		return fmt.Errorf("%d of %d bytes came back: %w", n, s.bytes, errors.Join(service.ErrDamaged, err))
	}
	return nil
}

// Discard gives up what was not committed.
func (b *Batch) Discard() error {
	err := b.end()
	_ = b.counter.Wait() // what it could not count is read again
	b.frames = nil
	return err
}

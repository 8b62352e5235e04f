package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"

	"upkeep/internal/inventory"
	"upkeep/internal/logs/record"
	"upkeep/internal/service"
)

// Search looks for records in what was collected and in what has been logged since.
type Search struct {
	Targets []inventory.Target
	Dir     string // of the archives
	Pattern *regexp.Regexp
	Since   time.Time    // zero: from the beginning
	Level   record.Level // the least; None takes every record
	Zone    *time.Location
}

// Hit is one record that was found. Its texts are copies.
type Hit struct {
	Target, Stream string
	Time           time.Time // zero where the log does not say
	Level          string
	Line           string
	More           string // lines that belong to it
}

// errEnough ends a search whose reader wants no more.
var errEnough = errors.New("enough")

// Each yields hits target by target, stream by stream, the oldest first, until yield
// returns false. A target that does not answer is an error after what its archive
// holds.
func (s Search) Each(ctx context.Context, yield func(Hit) bool) error {
	var failed []error
	for _, t := range s.Targets {
		err := s.target(ctx, t, yield)
		if errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("search the logs of %s: %w", t.Name, err))
		}
	}
	return errors.Join(failed...)
}

func (s Search) target(ctx context.Context, t inventory.Target, yield func(Hit) bool) (err error) {
	from := service.Cursors{}
	if _, err := os.Stat(filepath.Join(ArchiveOf(s.Dir, t.Name), "index.db")); err == nil {
		if from, err = s.archived(ctx, t.Name, yield); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	in, err := t.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	source, err := service.As[service.LogSource](in)
	if err != nil {
		return err
	}
	feed := newFeed(source.Logs(ctx, from))
	defer feed.stop()
	feed.take = func(service.LogBlock) error { return ctx.Err() }
	for feed.nextStream() {
		if err := s.stream(t.Name, feed.stream, feed, yield); err != nil {
			return err
		}
	}
	return errors.Join(feed.failed...)
}

// archived searches the archive and returns how far it goes.
func (s Search) archived(ctx context.Context, target string, yield func(Hit) bool) (cursors service.Cursors, err error) {
	archive, err := OpenArchive(ctx, ArchiveOf(s.Dir, target))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	files, err := archive.files(ctx, s.Since)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := s.file(target, archive, f, yield); err != nil {
			return nil, err
		}
	}
	return archive.Cursors(ctx)
}

func (s Search) file(target string, archive *Archive, f archivedFile, yield func(Hit) bool) error {
	lines, err := archive.open(f)
	if err != nil {
		return fmt.Errorf("open the archive of %s, %s: %w", f.stream, f.day, err)
	}
	return errors.Join(s.stream(target, f.stream, lines, yield), lines.Close())
}

func (s Search) stream(target, stream string, lines io.Reader, yield func(Hit) bool) error {
	reader := record.NewReader(lines, record.Options{Zone: s.Zone})
	for {
		rec, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", stream, err)
		}
		if !s.matches(rec) {
			continue
		}
		hit := Hit{Target: target, Stream: stream, Time: rec.Time, Level: rec.Level.String(), Line: lineOf(rec), More: string(rec.More)}
		if !yield(hit) {
			return errEnough
		}
	}
}

// lineOf is the line as it stands in the log, decoded where it is no UTF-8.
func lineOf(rec *record.Record) string {
	if utf8.Valid(rec.Raw) {
		return string(rec.Raw)
	}
	return string(rec.Message)
}

func (s Search) matches(rec *record.Record) bool {
	if rec.Level < s.Level || !s.Since.IsZero() && !rec.Time.IsZero() && rec.Time.Before(s.Since) {
		return false
	}
	return s.Pattern == nil || s.Pattern.Match(rec.Raw) || s.Pattern.Match(rec.Message) || s.Pattern.Match(rec.More)
}

// archivedFile is one file of an archive.
type archivedFile struct {
	day, stream string
	length      int64
}

// files lists the files of a day and later, by stream.
func (a *Archive) files(ctx context.Context, since time.Time) ([]archivedFile, error) {
	day := ""
	if !since.IsZero() {
		day = since.Format(time.DateOnly)
	}
	rows, err := a.index.QueryContext(ctx, "SELECT day, stream, length FROM file WHERE day >= ? ORDER BY stream, day", day)
	if err != nil {
		return nil, fmt.Errorf("list the archive: %w", err)
	}
	defer rows.Close()
	var files []archivedFile
	for rows.Next() {
		var f archivedFile
		if err := rows.Scan(&f.day, &f.stream, &f.length); err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, rows.Err()
}

// open reads the lines of a file that count.
func (a *Archive) open(f archivedFile) (io.ReadCloser, error) {
	file, err := os.Open(a.file(f.day, f.stream))
	if err != nil {
		return nil, err
	}
	decoder, err := zstd.NewReader(io.LimitReader(file, f.length), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &archivedLines{decoder, file}, nil
}

type archivedLines struct {
	*zstd.Decoder
	file *os.File
}

func (l *archivedLines) Close() error {
	l.Decoder.Close()
	return l.file.Close()
}

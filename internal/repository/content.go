package repository

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync/atomic"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/object"
	"golang.org/x/time/rate"

	"upkeep/internal/service"
)

// Reading a part. A stream that is large or of unknown size is compressed and
// encrypted beside being read; small ones are stored side by side instead.
const (
	readAttempts = 3
	bufferSize   = 256 << 10
	largePart    = 4 << 20
)

// progress counts the bytes of one target over all its workers.
type progress struct {
	report service.Report
	total  int64
	done   atomic.Int64
}

func (p *progress) add(n int64) { p.report.Add(p.done.Add(n), p.total) }

// intake is one worker that stores parts: it owns a buffer.
type intake struct {
	w        repo.RepositoryWriter
	limit    *rate.Limiter // nil = none
	progress *progress
	buffer   []byte
}

// store reads a part to its end and returns its entry. A part that changes under
// the reader is read up to three times; torn says that it never held still.
func (in *intake) store(ctx context.Context, p service.Part) (e entry, torn bool, err error) {
	for range readAttempts {
		e, err = in.storeOnce(ctx, p)
		if !errors.Is(err, service.ErrChanged) {
			return e, false, err
		}
	}
	e.markChanged()
	return e, true, nil
}

// storeOnce also returns an entry with service.ErrChanged: of what it read.
func (in *intake) storeOnce(ctx context.Context, p service.Part) (entry, error) {
	source, err := p.Open(ctx)
	if err != nil {
		return entry{}, fmt.Errorf("open %q: %w", p.Name, err)
	}
	o := in.w.NewObjectWriter(ctx, writerOptions(p))
	defer o.Close()
	sum := sha256.New()
	size, readErr := in.copy(ctx, o, sum, source)
	// A source may know only at its end that it failed, as a program does by its exit code.
	readErr = errors.Join(readErr, source.Close())
	if readErr != nil && !errors.Is(readErr, service.ErrChanged) {
		return entry{}, fmt.Errorf("copy %q: %w", p.Name, readErr)
	}
	id, err := o.Result()
	if err != nil {
		return entry{}, fmt.Errorf("store %q: %w", p.Name, err)
	}
	e := newEntry(p)
	e.Size, e.SHA256, e.Object = size, hex.EncodeToString(sum.Sum(nil)), id.String()
	return e, readErr
}

func writerOptions(p service.Part) object.WriterOptions {
	opt := object.WriterOptions{Compressor: compressorName, MetadataCompressor: compressorName}
	if p.Size < 0 || p.Size > largePart {
		opt.AsyncWrites = 2
	}
	return opt
}

func (in *intake) copy(ctx context.Context, to io.Writer, sum hash.Hash, from io.Reader) (size int64, err error) {
	for {
		n, err := from.Read(in.buffer)
		if n > 0 {
			sum.Write(in.buffer[:n]) // never fails
			if _, err := to.Write(in.buffer[:n]); err != nil {
				return size, err
			}
			size += int64(n)
			in.progress.add(int64(n))
			if err := in.wait(ctx, n); err != nil {
				return size, err
			}
		}
		if err == io.EOF {
			return size, nil
		}
		if err != nil {
			return size, err
		}
		if err := ctx.Err(); err != nil {
			return size, err
		}
	}
}

func (in *intake) wait(ctx context.Context, n int) error {
	if in.limit == nil {
		return nil
	}
	return in.limit.WaitN(ctx, n)
}

// newLimit shares bytes per second among the workers of a target.
func newLimit(perSecond int64) *rate.Limiter {
	if perSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), bufferSize)
}

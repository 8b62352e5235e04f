package redis

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/zeebo/xxh3"

	"upkeep/internal/service"
)

// buckets is into how many files the keys of one side are spread by their hash.
// Two sides are compared bucket by bucket, so memory holds a 256th of the keys.
const buckets = 256

// spilled is one key on disk.
type spilled struct {
	db     int
	key    string
	expiry int64
	digest xxh3.Uint128
}

// spill is one side of a comparison.
type spill struct {
	dir, side string
	files     [buckets]*os.File
	w         [buckets]*bufio.Writer
}

// spillFrom walks an RDB into files below dir.
func spillFrom(ctx context.Context, dir, side string, open reading, r service.Report) (s *spill, found *census, err error) {
	s = &spill{dir: dir, side: side}
	for i := range s.files {
		if s.files[i], err = os.OpenFile(s.path(i), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600); err != nil {
			return nil, nil, errors.Join(err, s.close())
		}
		s.w[i] = bufio.NewWriterSize(s.files[i], 8<<10)
	}
	found, err = takeFrom(ctx, open, r, s.write)
	return s, found, errors.Join(err, s.close())
}

func (s *spill) path(bucket int) string {
	return filepath.Join(s.dir, fmt.Sprintf("%s-%03d", s.side, bucket))
}

func (s *spill) close() (err error) {
	for i, file := range s.files {
		if file == nil {
			continue
		}
		if s.w[i] != nil {
			err = errors.Join(err, s.w[i].Flush())
		}
		err = errors.Join(err, file.Close())
	}
	return err
}

func (s *spill) write(it item) error {
	b := binary.AppendUvarint(nil, uint64(it.DB))
	b = binary.AppendUvarint(b, uint64(len(it.Key)))
	b = append(b, it.Key...)
	b = binary.AppendVarint(b, it.Expiry)
	b = binary.LittleEndian.AppendUint64(b, it.value.Hi)
	b = binary.LittleEndian.AppendUint64(b, it.value.Lo)
	_, err := s.w[xxh3.Hash(it.Key)%buckets].Write(b)
	return err
}

// read calls each for every key of a bucket.
func (s *spill) read(bucket int, each func(spilled)) (err error) {
	file, err := os.Open(s.path(bucket))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	r := bufio.NewReader(file)
	for {
		one, err := readSpilled(r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		each(one)
	}
}

// readSpilled returns io.EOF between two keys only.
func readSpilled(r *bufio.Reader) (one spilled, err error) {
	db, err := binary.ReadUvarint(r)
	if err != nil {
		return one, err
	}
	size, err := binary.ReadUvarint(r)
	if err != nil {
		return one, noEOF(err)
	}
	key := make([]byte, size)
	if _, err := io.ReadFull(r, key); err != nil {
		return one, noEOF(err)
	}
	one.db, one.key = int(db), string(key)
	if one.expiry, err = binary.ReadVarint(r); err != nil {
		return one, noEOF(err)
	}
	var digest [16]byte
	if _, err := io.ReadFull(r, digest[:]); err != nil {
		return one, noEOF(err)
	}
	one.digest.Hi = binary.LittleEndian.Uint64(digest[:8])
	one.digest.Lo = binary.LittleEndian.Uint64(digest[8:])
	return one, nil
}

type place struct {
	db  int
	key string
}

// between compares two sides bucket by bucket.
func (d *difference) between(ctx context.Context, copied, present *spill) error {
	for bucket := range buckets {
		if err := ctx.Err(); err != nil {
			return err
		}
		here := map[place]spilled{}
		if err := present.read(bucket, func(one spilled) { here[place{one.db, one.key}] = one }); err != nil {
			return err
		}
		err := copied.read(bucket, func(want spilled) {
			at := place{want.db, want.key}
			got, there := here[at]
			d.copied(want, got, there)
			delete(here, at)
		})
		if err != nil {
			return err
		}
		for at := range here {
			d.extra.add(at.db, at.key)
		}
	}
	return nil
}

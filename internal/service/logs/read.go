package logs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
)

const (
	blockLen = 1 << 20
	// longest bounds how much of one line is held in memory, in bytes: what is longer
	// comes in pieces of this size.
	longest = 16 << 20
)

// source is one file while it is read, plain or compressed.
type source struct {
	f      *os.File
	now    file
	zipped bool
	final  bool // nobody will end its last line any more
	plain  io.Reader
	off    int64 // behind what was given out, of the plain text
	memory memory
	buf    []byte
	from   int // of buf: what was read and not given out
	to     int
	ended  bool
}

// start places the source behind off bytes of the plain text and takes in its head
// again.
func (s *source) start(off int64) error {
	if err := s.open(); err != nil {
		return err
	}
	head := make([]byte, min(headLen, off))
	if _, err := io.ReadFull(s.plain, head); err != nil {
		return fmt.Errorf("read the beginning: %w", err)
	}
	s.memory, s.off = memory{head: head}, off
	return s.skip(off - int64(len(head)))
}

func (s *source) open() error {
	if s.zipped {
		z, err := unzip(s.f)
		if err != nil {
			return fmt.Errorf("read it as gzip: %w", err)
		}
		s.plain = z
		return nil
	}
	if _, err := s.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	// A writer that is faster than we are must not keep us here: what comes after this
	// moment is for the next time.
	s.plain = io.LimitReader(s.f, s.now.Size)
	return nil
}

func (s *source) skip(n int64) error {
	if limited, ok := s.plain.(*io.LimitedReader); ok {
		limited.N -= n
		_, err := s.f.Seek(n, io.SeekCurrent)
		return err
	}
	_, err := io.CopyN(io.Discard, s.plain, n)
	return err
}

// next returns some whole lines, at least one, or nil at the end. The data are valid
// until the next call.
func (s *source) next(ctx context.Context) ([]byte, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if n := s.lines(); n > 0 {
			return s.give(n), nil
		}
		if s.ended {
			return s.rest(), nil
		}
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
}

// lines is how many bytes can be given out: all whole lines of a block, else one line
// that is longer, else a piece of one that is too long.
func (s *source) lines() int {
	held := s.buf[s.from:s.to]
	if len(held) < blockLen && !s.ended {
		return 0
	}
	if n := bytes.LastIndexByte(held[:min(len(held), blockLen)], '\n') + 1; n > 0 {
		return n
	}
	if n := bytes.IndexByte(held, '\n') + 1; n > 0 {
		return n
	}
	if len(held) >= longest {
		return longest
	}
	return 0
}

func (s *source) give(n int) []byte {
	data := s.buf[s.from : s.from+n : s.from+n]
	s.memory.read(data)
	s.off += int64(n)
	s.from += n
	return data
}

// rest is a last line without an end: in a file that was rotated away it is one.
func (s *source) rest() []byte {
	if !s.final || s.from == s.to {
		return nil
	}
	return append(s.give(s.to-s.from), '\n')
}

// fill makes room and reads a block more. What was given out is not needed any more.
func (s *source) fill() error {
	s.to, s.from = copy(s.buf, s.buf[s.from:s.to]), 0
	more := s.most()
	if len(s.buf)-s.to < more {
		bigger := make([]byte, max(2*more, 2*s.to))
		copy(bigger, s.buf[:s.to])
		s.buf = bigger
	}
	for want := s.to + more; s.to < want; {
		n, err := s.plain.Read(s.buf[s.to:want])
		s.to += n
		if err == io.EOF {
			s.ended = true
			return nil
		}
		if err != nil {
			return fmt.Errorf("read on: %w", err)
		}
	}
	return nil
}

// most is how many bytes are read at once: a block, or what is left of a small file and
// the one byte that shows its end.
func (s *source) most() int {
	if limited, ok := s.plain.(*io.LimitedReader); ok {
		return int(min(blockLen, limited.N+1))
	}
	return blockLen
}

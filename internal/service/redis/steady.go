package redis

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"slices"

	"github.com/hdt3213/rdb/crc64jones"
)

// volatile are the fields of an RDB that say how and when it was written: time,
// memory in use, place in the primary's replication. They change with every copy,
// the manifest has those that matter, and a restored server must not take itself
// for the old primary.
var volatile = []string{"ctime", "used-mem", "repl-stream-db", "repl-id", "repl-offset"}

// steady gives an RDB without its volatile fields, under a checksum of its own:
// copies of unchanged data are equal byte for byte and are stored once. What
// stands behind must end with io.EOF only when the file is sound.
type steady struct {
	from  io.ReadCloser
	r     *bufio.Reader
	begun bool
	buf   []byte
	ready []byte // to be given out next; a part of buf
	tail  []byte // what follows it: the checksum, once nothing more comes
	sum   hash.Hash64
	plain bool  // the beginning is not known: everything passes as it is
	ended error // what Read returns when ready is empty
}

func newSteady(from io.ReadCloser) *steady {
	return &steady{from: from, r: bufio.NewReaderSize(from, 64<<10), buf: make([]byte, 64<<10), sum: crc64jones.New()}
}

func (s *steady) Close() error { return s.from.Close() }

func (s *steady) Read(p []byte) (int, error) {
	for len(s.ready) == 0 && s.ended == nil {
		s.fill()
	}
	if len(s.ready) == 0 {
		return 0, s.ended
	}
	n := copy(p, s.ready)
	s.ready = s.ready[n:]
	return n, nil
}

// fill reads on. The first call takes the head of the file apart.
func (s *steady) fill() {
	if !s.begun {
		s.begun = true
		s.head()
		return
	}
	held := copy(s.buf, s.tail)
	n, err := s.r.Read(s.buf[held:])
	content, keep := s.buf[:held+n], 0
	if !s.plain {
		keep = min(checksumSize, len(content))
	}
	s.give(content[:len(content)-keep])
	s.tail = content[len(content)-keep:]
	if errors.Is(err, io.EOF) {
		s.seal()
	}
	s.ended = err
}

// head leaves volatile fields out. Where it is not what we know, it passes whole.
func (s *steady) head() {
	w := &walker{r: s.r, sum: crc64jones.New()}
	kept, err := w.withoutVolatile()
	var unknown *unreadable
	switch {
	case err == nil && w.head.Version >= 5: // older files have no checksum
		s.give(kept)
	case err == nil, errors.As(err, &unknown), errors.Is(err, errNotRDB):
		s.plain = true
		s.give(w.raw)
	default:
		s.give(w.raw)
		s.ended = err
	}
}

// withoutVolatile reads up to the first opcode that is no auxiliary field; raw
// holds all of it.
func (w *walker) withoutVolatile() (kept []byte, err error) {
	if _, err := w.take(9); err != nil {
		return nil, err
	}
	if w.head, err = parseHeader(w.raw); err != nil {
		return nil, err
	}
	kept = slices.Clone(w.raw)
	for {
		next, err := w.r.Peek(1)
		if err != nil {
			return nil, noEOF(err)
		}
		if next[0] != opAux {
			return kept, nil
		}
		begin := len(w.raw)
		name, err := w.field()
		if err != nil {
			return nil, err
		}
		if !slices.Contains(volatile, name) {
			kept = append(kept, w.raw[begin:]...)
		}
	}
}

// field reads one auxiliary field with its opcode.
func (w *walker) field() (name string, err error) {
	if err := w.skip(1); err != nil {
		return "", err
	}
	text, err := w.str()
	if err != nil {
		return "", err
	}
	name = string(text)
	_, err = w.str()
	return name, err
}

// checksumSize is what stands at the end of a file.
const checksumSize = 8

func (s *steady) give(text []byte) {
	_, _ = s.sum.Write(text) // a hash never fails
	s.ready = text
}

// seal puts the new checksum in place of the old one. A server that makes none
// writes zeros, which stay.
func (s *steady) seal() {
	none := make([]byte, checksumSize)
	if len(s.tail) < checksumSize || bytes.Equal(s.tail, none) {
		s.ready = append(s.ready, s.tail...)
		return
	}
	s.ready = binary.LittleEndian.AppendUint64(s.ready, s.sum.Sum64())
}

package redis

import (
	"encoding/binary"
	"fmt"
	"io"
	"strconv"

	"github.com/hdt3213/rdb/lzf"
)

// take reads n bytes. It grows step by step: a length may be a lie.
func (w *walker) take(n uint64) ([]byte, error) {
	start := len(w.raw)
	for n > 0 {
		part := int(min(n, 1<<20))
		old := len(w.raw)
		w.raw = append(w.raw, make([]byte, part)...)
		if _, err := io.ReadFull(w.r, w.raw[old:]); err != nil {
			return nil, noEOF(err)
		}
		n -= uint64(part)
	}
	return w.raw[start:], nil
}

func (w *walker) skip(n uint64) error {
	_, err := w.take(n)
	return err
}

const special = 0xC0 // of a length's first byte: the rest says how a string is packed

// size reads a length, or the way in which a string is packed.
func (w *walker) size() (n uint64, packed bool, err error) {
	b, err := w.take(1)
	if err != nil {
		return 0, false, err
	}
	first := b[0]
	switch {
	case first&special == 0:
		return uint64(first), false, nil
	case first&special == 0x40:
		b, err = w.take(1)
		if err != nil {
			return 0, false, err
		}
		return uint64(first&0x3F)<<8 | uint64(b[0]), false, nil
	case first == 0x80:
		b, err = w.take(4)
		if err != nil {
			return 0, false, err
		}
		return uint64(binary.BigEndian.Uint32(b)), false, nil
	case first == 0x81:
		b, err = w.take(8)
		if err != nil {
			return 0, false, err
		}
		return binary.BigEndian.Uint64(b), false, nil
	case first&special == special:
		return uint64(first & 0x3F), true, nil
	}
	return 0, false, w.unknown(fmt.Sprintf("length %#x", first))
}

func (w *walker) length() (uint64, error) {
	n, packed, err := w.size()
	if err == nil && packed {
		err = w.unknown("length")
	}
	return n, err
}

func (w *walker) lengths(n uint64) error {
	for range n {
		if _, err := w.length(); err != nil {
			return err
		}
	}
	return nil
}

// str reads a string and unpacks it.
func (w *walker) str() ([]byte, error) {
	n, packed, err := w.size()
	if err != nil {
		return nil, err
	}
	if !packed {
		return w.take(n)
	}
	switch n {
	case 0, 1, 2:
		b, err := w.take(1 << n)
		if err != nil {
			return nil, err
		}
		return strconv.AppendInt(nil, littleEndian(b), 10), nil
	case 3:
		return w.compressed()
	}
	return nil, w.unknown(fmt.Sprintf("packing %d of a string", n))
}

func littleEndian(b []byte) int64 {
	switch len(b) {
	case 1:
		return int64(int8(b[0]))
	case 2:
		return int64(int16(binary.LittleEndian.Uint16(b)))
	}
	return int64(int32(binary.LittleEndian.Uint32(b)))
}

func (w *walker) compressed() ([]byte, error) {
	in, err := w.length()
	if err != nil {
		return nil, err
	}
	out, err := w.unpackedSize(in)
	if err != nil {
		return nil, err
	}
	b, err := w.take(in)
	if err != nil {
		return nil, err
	}
	return unpack(b, int(out))
}

// unpackedSize refuses a size that the packed bytes cannot give: three of them
// repeat at most 264. Memory is taken for what it says.
func (w *walker) unpackedSize(packed uint64) (uint64, error) {
	n, err := w.length()
	if err == nil && n/264 > packed {
		err = w.unknown("size of a packed string")
	}
	return n, err
}

// unpack turns the library's panics over damaged input into errors.
func unpack(b []byte, size int) (plain []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("unpack a string: %v", p)
		}
	}()
	return lzf.Decompress(b, len(b), size)
}

func (w *walker) skipString() error {
	n, packed, err := w.size()
	if err != nil {
		return err
	}
	switch {
	case !packed:
		return w.skip(n)
	case n <= 2:
		return w.skip(1 << n)
	case n == 3:
		in, err := w.length()
		if err != nil {
			return err
		}
		if _, err := w.unpackedSize(in); err != nil {
			return err
		}
		return w.skip(in)
	}
	return w.unknown(fmt.Sprintf("packing %d of a string", n))
}

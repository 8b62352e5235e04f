package redis

import (
	"encoding/binary"

	"github.com/hdt3213/rdb/model"
)

// pieces walks one value and feeds its strings and numbers to a digester.
type pieces struct {
	*walker
	d *digester
}

func (d *digester) pieces(value []byte) pieces {
	d.raw.Reset(value)
	d.w.r.Reset(&d.raw)
	d.w.raw = d.w.raw[:0]
	return pieces{d.w, d}
}

// stream hashes entries as the server packs them, because the library loses a
// field that an entry has twice. Servers keep that packing when they load.
func (d *digester) stream(rec record) error {
	p := d.pieces(rec.Value)
	d.text(model.StreamType)
	if err := p.counted(p.text, p.text); err != nil { // nodes: first ID, listpack
		return err
	}
	if err := p.numbers(3); err != nil { // length, last ID
		return err
	}
	if rec.Type != typeStream {
		if err := p.lengths(5); err != nil { // first ID, highest deleted ID, entries ever added
			return err
		}
	}
	return p.counted(func() error { return p.group(rec.Type) })
}

func (p pieces) group(kind byte) error {
	if err := p.text(); err != nil {
		return err
	}
	if err := p.numbers(2); err != nil { // last ID
		return err
	}
	if kind != typeStream {
		if err := p.lengths(1); err != nil { // entries read
			return err
		}
	}
	pending := func() error { return p.bytes(16) }
	delivered := func() error { return p.bytes(8) }
	count := func() error { return p.numbers(1) }
	if err := p.counted(pending, delivered, count); err != nil {
		return err
	}
	seen := p.skipEight
	if kind == typeStream3 {
		seen = func() error { return p.skip(16) }
	}
	return p.counted(p.text, seen, func() error { return p.counted(pending) })
}

// counted hashes a count and then every part that many times.
func (p pieces) counted(parts ...func() error) error {
	n, err := p.length()
	if err != nil {
		return err
	}
	p.d.number(n)
	for range n {
		for _, part := range parts {
			if err := part(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p pieces) text() error {
	p.raw = p.raw[:0] // what came before is in the hash
	s, err := p.str()
	if err == nil {
		p.d.text(string(s))
	}
	return err
}

func (p pieces) numbers(n int) error {
	for range n {
		number, err := p.length()
		if err != nil {
			return err
		}
		p.d.number(number)
	}
	return nil
}

func (p pieces) bytes(n uint64) error {
	b, err := p.take(n)
	if err == nil {
		_, _ = p.d.h.Write(b) // a hash never fails
	}
	return err
}

// soundIntset reports whether a set of integers is as long as it says: the library
// takes memory for that many.
func (d *digester) soundIntset(value []byte) bool {
	b, err := d.pieces(value).str()
	if err != nil || len(b) < 8 {
		return false
	}
	width, n := uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[4:]))
	return width <= 8 && uint64(len(b)) == 8+width*n
}

package redis

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/bits"

	"github.com/hdt3213/rdb/core"
	"github.com/hdt3213/rdb/model"
	"github.com/zeebo/xxh3"
)

// sum128 is a sum of 128-bit hashes modulo 2^128: the order does not matter, and
// unlike with XOR two equal members do not cancel out.
type sum128 struct{ hi, lo uint64 }

func (s *sum128) add(h xxh3.Uint128) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, h.Lo, 0)
	s.hi, _ = bits.Add64(s.hi, h.Hi, carry)
}

func (s sum128) String() string { return fmt.Sprintf("%016x%016x", s.hi, s.lo) }

// digester hashes values by their meaning: how a server packed them does not
// matter, nor the order in which it keeps the members of hashes, sets and sorted
// sets. The order of lists and streams does.
//
// It leaves out what is bookkeeping or depends on the version that wrote the
// file: idle times, access counts, when a consumer was last seen, how many
// entries a stream ever had.
type digester struct {
	h    xxh3.Hasher
	buf  []byte // one member
	in   *bufio.Reader
	head header
	w    *walker      // over one value
	raw  bytes.Reader // of which it reads
}

// newDigester makes one for a file with that header.
func newDigester(head header) *digester {
	return &digester{head: head, in: bufio.NewReaderSize(nil, 64<<10), w: &walker{r: bufio.NewReader(nil), head: head}}
}

// value hashes what a key holds, with its type and without its expiry. opaque is
// true for a value that cannot be decoded: then nothing vouches for it.
func (d *digester) value(rec record) (digest xxh3.Uint128, opaque bool) {
	d.h.Reset()
	switch rec.Type {
	case typeModule2:
		return xxh3.Uint128{}, true
	case typeString: // most keys of most servers
		d.text(model.StringType)
		err := d.pieces(rec.Value).text()
		return d.h.Sum128(), err != nil
	case typeStream, typeStream2, typeStream3:
		err := d.stream(rec)
		return d.h.Sum128(), err != nil
	case typeSetIntset:
		if !d.soundIntset(rec.Value) {
			return xxh3.Uint128{}, true
		}
	}
	obj, err := d.decode(rec)
	if err != nil || overlong(obj) {
		return xxh3.Uint128{}, true
	}
	d.text(obj.GetType())
	switch v := obj.(type) {
	case *model.ListObject:
		for _, element := range v.Values {
			d.text(string(element))
		}
	case *model.SetObject:
		d.unordered(setMembers(v))
	case *model.HashObject:
		d.unordered(d.hashMembers(v))
	case *model.ZSetObject:
		d.unordered(d.zsetMembers(v))
	default:
		return xxh3.Uint128{}, true
	}
	return d.h.Sum128(), false
}

// decode gives the library one value in a file of its own: an error or a panic
// over it costs this key only, and a module's value, at which the library prints
// to stdout, never gets there.
func (d *digester) decode(rec record) (model.RedisObject, error) {
	head := header{Version: 12}
	if d.head.Valkey {
		head = header{Valkey: true, Version: 80}
	}
	emptyKey, end := byte(0), append([]byte{opEnd}, make([]byte, 8)...)
	d.in.Reset(io.MultiReader(
		bytes.NewReader(append([]byte(head.String()), rec.Type, emptyKey)),
		bytes.NewReader(rec.Value), bytes.NewReader(end)))
	var got model.RedisObject
	err := core.NewDecoder(d.in).Parse(func(obj model.RedisObject) bool {
		got = obj
		return true
	})
	if err == nil && got == nil {
		err = errNotRDB
	}
	return got, err
}

// overlong reports a packed value whose own count ends at 65,535: the library
// takes that count at its word.
func overlong(obj model.RedisObject) bool {
	const most = 65535 / 3 // a hash with expiring fields has three parts per element
	switch obj.GetEncoding() {
	case model.ListPackEncoding, model.ZipListEncoding, model.ListPackExEncoding:
		return obj.GetElemCount() >= most
	}
	list, ok := obj.(*model.ListObject)
	if !ok {
		return false
	}
	switch nodes := list.Extra.(type) {
	case *model.Quicklist2Detail:
		for _, node := range nodes.ListPackEntrySize {
			if len(node) >= most {
				return true
			}
		}
	case *model.QuicklistDetail:
		for _, node := range nodes.ZiplistStruct {
			if len(node) >= most {
				return true
			}
		}
	}
	return false
}

// text adds one piece with its length before it, so that pieces cannot run into
// each other.
func (d *digester) text(s string) {
	d.number(uint64(len(s)))
	_, _ = d.h.WriteString(s) // a hash never fails
}

func (d *digester) number(n uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	_, _ = d.h.Write(b[:])
}

// unordered adds members as their count and the sum of their hashes.
func (d *digester) unordered(members func(yield func([]byte) bool)) {
	var sum sum128
	var n uint64
	for member := range members {
		sum.add(xxh3.Hash128(member))
		n++
	}
	d.number(n)
	d.number(sum.hi)
	d.number(sum.lo)
}

func setMembers(v *model.SetObject) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for _, member := range v.Members {
			if !yield(member) {
				return
			}
		}
	}
}

func (d *digester) hashMembers(v *model.HashObject) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for field, value := range v.Hash {
			d.buf = binary.AppendUvarint(d.buf[:0], uint64(len(field)))
			d.buf = append(d.buf, field...)
			d.buf = binary.AppendVarint(d.buf, v.FieldExpirations[field])
			d.buf = append(d.buf, value...)
			if !yield(d.buf) {
				return
			}
		}
	}
}

func (d *digester) zsetMembers(v *model.ZSetObject) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for _, entry := range v.Entries {
			d.buf = binary.LittleEndian.AppendUint64(d.buf[:0], math.Float64bits(entry.Score))
			d.buf = append(d.buf, entry.Member...)
			if !yield(d.buf) {
				return
			}
		}
	}
}

// whole is the digest of a key with everything that belongs to it but its
// database.
func whole(key []byte, expiry int64, value xxh3.Uint128) xxh3.Uint128 {
	b := binary.AppendUvarint(make([]byte, 0, len(key)+40), uint64(len(key)))
	b = append(b, key...)
	b = binary.LittleEndian.AppendUint64(b, uint64(expiry))
	b = binary.LittleEndian.AppendUint64(b, value.Hi)
	b = binary.LittleEndian.AppendUint64(b, value.Lo)
	return xxh3.Hash128(b)
}

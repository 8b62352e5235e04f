package redis

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"

	"github.com/hdt3213/rdb/crc64jones"
	"github.com/hdt3213/rdb/lzf"
)

// record is one key of an RDB. Its slices are valid during the callback only.
type record struct {
	DB     int
	Key    []byte
	Expiry int64 // milliseconds since 1970; 0 = never
	Type   byte
	Value  []byte // as it stands in the file, which is also what RESTORE takes
	Size   int64  // in the file: type, key and value
}

// visitor is what a walk calls, in the order of the file; nil funcs are skipped.
type visitor struct {
	head     func(header)
	aux      func(name, value string)
	sizes    func(db int, keys, expiring int64) // the server's own count
	function func(code []byte) error
	record   func(record) error
}

// header is the first line of an RDB: "REDIS0010", "VALKEY080".
type header struct {
	Valkey  bool
	Version int
}

func (h header) String() string {
	if h.Valkey {
		return fmt.Sprintf("VALKEY%03d", h.Version)
	}
	return fmt.Sprintf("REDIS%04d", h.Version)
}

// unreadable is content that this program does not know: where it stands and
// what it is. The file may be sound.
type unreadable struct {
	at   int64
	what string
}

func (u *unreadable) Error() string { return fmt.Sprintf("unknown %s at byte %d", u.what, u.at) }

var (
	errNotRDB   = errors.New("not an RDB file")
	errChecksum = errors.New("the checksum does not match")
	errTrailing = errors.New("bytes after the end")
)

// walker splits an RDB into records without decoding their values. It holds one
// record in memory.
type walker struct {
	r      *bufio.Reader
	raw    []byte // the record that is being read
	offset int64  // of raw's first byte
	sum    hash.Hash64
	head   header
	visit  visitor
	db     int
	expiry int64
}

// walk reads an RDB to its end, checks its checksum where it has one, and calls
// the visitor. Content that it does not know is an *unreadable, unless the
// checksum says that the file is damaged.
func walk(r io.Reader, v visitor) (header, error) {
	w := &walker{r: bufio.NewReaderSize(r, 64<<10), sum: crc64jones.New(), visit: v}
	if err := w.readHeader(); err != nil {
		return w.head, err
	}
	for {
		last, err := w.step()
		var unknown *unreadable
		if errors.As(err, &unknown) {
			return w.head, w.drain(unknown)
		}
		if err != nil {
			return w.head, noEOF(err)
		}
		if last {
			return w.head, w.finish()
		}
	}
}

func (w *walker) readHeader() error {
	line, err := w.take(9)
	if err != nil {
		return noEOF(err)
	}
	number, valkey := bytes.CutPrefix(line, []byte("VALKEY"))
	if !valkey {
		var redis bool
		if number, redis = bytes.CutPrefix(line, []byte("REDIS")); !redis {
			return errNotRDB
		}
	}
	version, err := strconv.Atoi(string(number))
	if err != nil {
		return errNotRDB
	}
	w.head = header{Valkey: valkey, Version: version}
	if w.visit.head != nil {
		w.visit.head(w.head)
	}
	w.endRecord()
	return nil
}

// endRecord adds what was read to the checksum and forgets it.
func (w *walker) endRecord() {
	_, _ = w.sum.Write(w.raw) // a hash never fails
	w.offset += int64(len(w.raw))
	const keep = 16 << 20
	if cap(w.raw) > keep {
		w.raw = nil
	}
	w.raw = w.raw[:0]
}

const (
	opKeyMeta    = 243 // Valkey: slot import
	opSlotInfo   = 244
	opFunction   = 245
	opModuleAux  = 247
	opIdle       = 248
	opFrequency  = 249
	opAux        = 250
	opSizes      = 251
	opExpiryMS   = 252
	opExpiry     = 253
	opSelect     = 254
	opEnd        = 255
	lowestOpCode = 240 // types are below
)

// step reads one opcode or one key.
func (w *walker) step() (last bool, err error) {
	op, err := w.take(1)
	if err != nil {
		return false, err
	}
	if code := op[0]; code == opEnd {
		last = true
	} else if code >= lowestOpCode {
		err = w.opcode(code)
	} else {
		err = w.key(code)
	}
	if err != nil {
		return false, err
	}
	w.endRecord()
	return last, nil
}

func (w *walker) opcode(code byte) error {
	switch code {
	case opSelect:
		n, err := w.length()
		w.db = int(n)
		return err
	case opExpiryMS:
		b, err := w.take(8)
		if err == nil {
			w.expiry = int64(binary.LittleEndian.Uint64(b))
		}
		return err
	case opExpiry:
		b, err := w.take(4)
		if err == nil {
			w.expiry = int64(binary.LittleEndian.Uint32(b)) * 1000
		}
		return err
	case opFrequency:
		return w.skip(1)
	case opIdle:
		return w.lengths(1)
	case opSizes:
		return w.sizes()
	case opAux:
		return w.aux()
	case opFunction:
		return w.function()
	}
	return w.rareOpcode(code)
}

func (w *walker) rareOpcode(code byte) error {
	switch {
	case code == opModuleAux:
		if err := w.lengths(1); err != nil {
			return err
		}
		return w.moduleValue()
	case code == opSlotInfo && w.head.Valkey:
		return w.lengths(3)
	case code == opKeyMeta && w.head.Valkey:
		if err := w.skipString(); err != nil {
			return err
		}
		n, err := w.length()
		if err != nil {
			return err
		}
		return w.lengths(2 * n)
	}
	return w.unknown(fmt.Sprintf("entry %d", code))
}

func (w *walker) unknown(what string) error {
	return &unreadable{at: w.offset, what: what}
}

func (w *walker) sizes() error {
	keys, err := w.length()
	if err != nil {
		return err
	}
	expiring, err := w.length()
	if err == nil && w.visit.sizes != nil {
		w.visit.sizes(w.db, int64(keys), int64(expiring))
	}
	return err
}

func (w *walker) aux() error {
	name, err := w.str()
	if err != nil {
		return err
	}
	value, err := w.str()
	if err == nil && w.visit.aux != nil {
		w.visit.aux(string(name), string(value))
	}
	return err
}

func (w *walker) function() error {
	code, err := w.str()
	if err == nil && w.visit.function != nil {
		err = w.visit.function(code)
	}
	return err
}

func (w *walker) key(kind byte) error {
	key, err := w.str()
	if err != nil {
		return err
	}
	start := len(w.raw)
	if err := w.skipValue(kind); err != nil {
		return err
	}
	rec := record{DB: w.db, Key: key, Expiry: w.expiry, Type: kind, Value: w.raw[start:], Size: int64(len(w.raw))}
	w.expiry = 0
	if w.visit.record == nil {
		return nil
	}
	return w.visit.record(rec)
}

// finish checks the eight bytes of the checksum, which are zero where the server
// makes none, and that nothing follows.
func (w *walker) finish() error {
	if w.head.Valkey || w.head.Version >= 5 {
		var trailer [8]byte
		if _, err := io.ReadFull(w.r, trailer[:]); err != nil {
			return noEOF(err)
		}
		if want := binary.LittleEndian.Uint64(trailer[:]); want != 0 && want != w.sum.Sum64() {
			return errChecksum
		}
	}
	switch _, err := w.r.ReadByte(); {
	case err == nil:
		return errTrailing
	case errors.Is(err, io.EOF):
		return nil
	default:
		return err
	}
}

// drain reads the rest without understanding it. It returns cause when the
// checksum is right, or when there is none.
func (w *walker) drain(cause error) error {
	w.endRecord()
	var tail []byte // the last eight bytes seen
	chunk := make([]byte, 64<<10)
	for {
		n, err := w.r.Read(chunk)
		tail = append(tail, chunk[:n]...)
		if ready := len(tail) - 8; ready > 0 {
			_, _ = w.sum.Write(tail[:ready]) // a hash never fails
			tail = append(tail[:0], tail[ready:]...)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if len(tail) < 8 {
		return io.ErrUnexpectedEOF
	}
	if want := binary.LittleEndian.Uint64(tail); want != 0 && want != w.sum.Sum64() {
		return errChecksum
	}
	return cause
}

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

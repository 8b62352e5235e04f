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
	if w.head, err = parseHeader(line); err != nil {
		return err
	}
	if w.visit.head != nil {
		w.visit.head(w.head)
	}
	w.endRecord()
	return nil
}

func parseHeader(line []byte) (header, error) {
	number, valkey := bytes.CutPrefix(line, []byte("VALKEY"))
	if !valkey {
		var redis bool
		if number, redis = bytes.CutPrefix(line, []byte("REDIS")); !redis {
			return header{}, errNotRDB
		}
	}
	version, err := strconv.Atoi(string(number))
	if err != nil {
		return header{}, errNotRDB
	}
	return header{Valkey: valkey, Version: version}, nil
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

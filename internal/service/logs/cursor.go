package logs

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/zeebo/xxh3"
)

// How much of a file's content is remembered, in bytes: its beginning, and what was
// read last.
const (
	headLen = 1024
	tailLen = 256
	// enough is how much of a beginning makes two files one although nothing but their
	// content says so.
	enough = 256
)

// position is how far one file was read, and how to know it again under any name: by
// its inode and time of birth as long as it exists, by its content when it was
// compressed or copied.
type position struct {
	Dev  uint64 `json:"dev,omitempty"`
	Ino  uint64 `json:"ino,omitempty"` // 0: the file had gone
	Born int64  `json:"born,omitempty"`
	Off  int64  `json:"off"`  // bytes read, of the plain text
	Size int64  `json:"size"` // seen then
	Last int64  `json:"last"` // ns, Unix: when it had been written last
	Head int    `json:"head,omitempty"`
	Hash string `json:"hash,omitempty"` // of so many first bytes
	Tail int    `json:"tail,omitempty"`
	End  string `json:"end,omitempty"` // hash of so many bytes before Off
}

// cursor is where a stream goes on. Left are generations that were left behind while
// somebody still had them open for writing: what comes late is read from them.
type cursor struct {
	position
	Left []position `json:"left,omitempty"`
}

func (c cursor) String() string {
	text, err := json.Marshal(c)
	if err != nil {
		panic(fmt.Sprintf("encode a cursor: %v", err)) // plain values always encode
	}
	return string(text)
}

func parseCursor(text string) (*cursor, error) {
	if text == "" {
		return nil, nil
	}
	var c cursor
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return nil, fmt.Errorf("read the cursor: %w", err)
	}
	return &c, nil
}

// named reports whether a file has the inode and birth of the one that was read.
func (p position) named(f file) bool {
	return p.Ino != 0 && f.is(file{Dev: f.Dev, Ino: p.Ino, Born: p.Born}) // a device may be numbered anew at a start
}

func sum(b []byte) string {
	h := xxh3.Hash128(b).Bytes()
	return hex.EncodeToString(h[:])
}

// fits reports whether the content begins as the one that was read and still holds
// what was read last.
func (p position) fits(f *os.File, zipped bool) (bool, error) {
	if zipped {
		return p.fitsZipped(f)
	}
	head, err := p.part(f, 0, p.Head)
	if err != nil || sum(head) != p.Hash && p.Head > 0 {
		return false, err
	}
	tail, err := p.part(f, p.Off-int64(p.Tail), p.Tail)
	return err == nil && int64(len(head)) == int64(p.Head) && (p.Tail == 0 || sum(tail) == p.End), err
}

// part reads n bytes at off, fewer at the end of the file.
func (p position) part(f *os.File, off int64, n int) ([]byte, error) {
	b := make([]byte, n)
	got, err := f.ReadAt(b, off)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b[:got], err
}

// fitsZipped reads on only where the beginning fits. What is no gzip fits nothing.
func (p position) fitsZipped(f *os.File) (bool, error) {
	if p.Head == 0 {
		return false, nil
	}
	z, err := unzip(f)
	if err != nil {
		return false, nil
	}
	head := make([]byte, p.Head)
	if _, err := io.ReadFull(z, head); err != nil || sum(head) != p.Hash {
		return false, nil
	}
	start, tail := p.Off-int64(p.Tail), make([]byte, p.Tail)
	over := max(0, int64(p.Head)-start) // of the tail, already read as the head
	copy(tail, head[int64(p.Head)-over:])
	if _, err := io.CopyN(io.Discard, z, max(0, start-int64(p.Head))); err != nil {
		return false, nil
	}
	_, err = io.ReadFull(z, tail[min(over, int64(p.Tail)):])
	return err == nil && (p.Tail == 0 || sum(tail) == p.End), nil
}

func unzip(f *os.File) (*gzip.Reader, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return gzip.NewReader(f)
}

// memory is what a position is made of while a file is read.
type memory struct {
	head []byte
	tail []byte
}

// read takes in the data that follow on.
func (m *memory) read(data []byte) {
	if missing := headLen - len(m.head); missing > 0 {
		m.head = append(m.head, data[:min(missing, len(data))]...)
	}
	m.tail = append(m.tail[:0], data[max(0, len(data)-tailLen):]...)
}

func (m *memory) position(f file, off int64) position {
	p := position{Dev: f.Dev, Ino: f.Ino, Born: f.Born, Off: off, Size: f.Size, Last: f.Last, Head: len(m.head), Tail: len(m.tail)}
	if p.Head > 0 {
		p.Hash = sum(m.head)
	}
	if p.Tail > 0 {
		p.End = sum(m.tail)
	}
	return p
}

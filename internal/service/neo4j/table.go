package neo4j

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"upkeep/internal/service"
)

// table keeps sixteen bytes for each number of a node: in a file with holes, so that
// memory does not grow with the graph. The pages used last are in memory as well: a
// call of the system for each number would take longer than all else about it. It is
// safe for concurrent use.
type table struct {
	mu     sync.Mutex
	file   *os.File
	pages  []page // each where its number modulo their count says
	remove func() error
}

type page struct {
	read, changed bool
	number        int64 // in the file
	content       [pageSize]byte
}

const tablePurpose = "graph"

// Sizes are in bytes.
const (
	entrySize = 16
	pageSize  = 4096
	pagesKept = 2048
)

func newTable(env service.Env) (*table, error) {
	dir, remove, err := env.Dir(tablePurpose)
	if err != nil {
		return nil, fmt.Errorf("make room for the list of nodes: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "nodes"), os.O_CREATE|os.O_RDWR|os.O_EXCL, 0o600)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make the list of nodes: %w", err), remove())
	}
	return &table{file: file, pages: make([]page, pagesKept), remove: remove}, nil
}

// entry is where a value is kept until the next call. The page in its place makes room.
func (t *table) entry(node int64) (*page, []byte, error) {
	number, at := node*entrySize/pageSize, node*entrySize%pageSize
	p := &t.pages[number%pagesKept]
	if !p.read || p.number != number {
		if err := t.replace(p, number); err != nil {
			return nil, nil, err
		}
	}
	return p, p.content[at : at+entrySize], nil
}

func (t *table) replace(p *page, number int64) error {
	if p.changed {
		if _, err := t.file.WriteAt(p.content[:], p.number*pageSize); err != nil {
			return fmt.Errorf("write the list of nodes: %w", err)
		}
	}
	*p = page{number: number}
	if _, err := t.file.ReadAt(p.content[:], number*pageSize); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the list of nodes: %w", err)
	}
	p.read = true
	return nil
}

// put keeps a value, which must not be all zeros: that stands for none.
func (t *table) put(node int64, value hash) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.set(node, value)
}

func (t *table) set(node int64, value hash) error {
	p, entry, err := t.entry(node)
	if err != nil {
		return err
	}
	b := value.Bytes()
	copy(entry, b[:])
	p.changed = true
	return nil
}

func (t *table) get(node int64) (value hash, there bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.look(node)
}

func (t *table) look(node int64) (value hash, there bool, err error) {
	_, entry, err := t.entry(node)
	if err != nil {
		return hash{}, false, err
	}
	value = hash{Hi: binary.BigEndian.Uint64(entry[:8]), Lo: binary.BigEndian.Uint64(entry[8:])}
	return value, value != hash{}, nil
}

// claim puts a value where there is none, and reports whether it did.
func (t *table) claim(node int64, value hash) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, there, err := t.look(node); there || err != nil {
		return false, err
	}
	return true, t.set(node, value)
}

// close may be called again.
func (t *table) close() error {
	if err := t.file.Close(); errors.Is(err, os.ErrClosed) {
		return nil
	} else if err != nil {
		return errors.Join(err, t.remove())
	}
	return t.remove()
}

// numberOf takes the number from an element ID, "4:UUID:NUMBER".
func numberOf(elementID string) (int64, error) {
	n, err := strconv.ParseInt(elementID[strings.LastIndexByte(elementID, ':')+1:], 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("element ID %q does not end in a number: %w", elementID, service.ErrUnsupported)
	}
	return n, nil
}

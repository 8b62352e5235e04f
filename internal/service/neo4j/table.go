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

// table keeps sixteen bytes for each number of a node: in a file with holes, so
// that memory does not grow with the graph. It is safe for concurrent use.
type table struct {
	mu     sync.Mutex // of claim
	file   *os.File
	remove func() error
}

const tablePurpose = "graph"

func newTable(env service.Env) (*table, error) {
	dir, remove, err := env.Dir(tablePurpose)
	if err != nil {
		return nil, fmt.Errorf("make room for the list of nodes: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "nodes"), os.O_CREATE|os.O_RDWR|os.O_EXCL, 0o600)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make the list of nodes: %w", err), remove())
	}
	return &table{file: file, remove: remove}, nil
}

// entrySize is in bytes.
const entrySize = 16

// put keeps a value, which must not be all zeros: that stands for none.
func (t *table) put(node int64, value hash) error {
	b := value.Bytes()
	if _, err := t.file.WriteAt(b[:], node*entrySize); err != nil {
		return fmt.Errorf("write the list of nodes: %w", err)
	}
	return nil
}

func (t *table) get(node int64) (value hash, there bool, err error) {
	var b [entrySize]byte
	if _, err := t.file.ReadAt(b[:], node*entrySize); err != nil && !errors.Is(err, io.EOF) {
		return hash{}, false, fmt.Errorf("read the list of nodes: %w", err)
	}
	value = hash{Hi: binary.BigEndian.Uint64(b[:8]), Lo: binary.BigEndian.Uint64(b[8:])}
	return value, value != hash{}, nil
}

// claim puts a value where there is none, and reports whether it did.
func (t *table) claim(node int64, value hash) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, there, err := t.get(node); there || err != nil {
		return false, err
	}
	return true, t.put(node, value)
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

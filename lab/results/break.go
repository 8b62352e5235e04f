package results

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Planted is what Break did.
type Planted struct {
	Path string // below the directory of the store; "." = all of it
	What string // one line for people
}

// ErrShape says that a store has not what a fault would break.
var ErrShape = errors.New("the store has another shape")

// fault is one that Break knows: where it is planted, and what it says that it did.
type fault struct {
	name  string
	plant func(context.Context, store) (Planted, error)
}

// store is one that Make made.
type store struct{ dir string }

func (s store) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

// planted says where, by an absolute path or one that begins with dir.
func (s store) planted(path, what string, args ...any) Planted {
	below, err := filepath.Rel(s.dir, path)
	if err != nil {
		below = path
	}
	return Planted{below, fmt.Sprintf(what, args...)}
}

func known() []fault {
	return slices.Concat(textFaults(), documentFaults(), fileFaults(), tableFaults(), incrementFaults(), leftovers())
}

// Faults lists the names that Break knows, in order.
func Faults() (names []string) {
	for _, f := range known() {
		names = append(names, f.name)
	}
	return names
}

// Break plants one fault in a store that Make made. Faults of one kind of file need a store
// that has it: else the error wraps ErrShape.
func Break(dir, name string) (Planted, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Planted{}, err
	}
	for _, f := range known() {
		if f.name != name {
			continue
		}
		p, err := f.plant(context.Background(), store{dir})
		if err != nil {
			return Planted{}, fmt.Errorf("plant %s: %w", name, err)
		}
		return p, nil
	}
	return Planted{}, fmt.Errorf("cannot plant %q; there are: %s", name, strings.Join(Faults(), ", "))
}

// database is the JSON database, of whichever version.
func (s store) database() (string, error) {
	for _, name := range []string{"master_database.json", "results_database.json"} {
		if _, err := os.Stat(s.path(jsonDir, name)); err == nil {
			return s.path(jsonDir, name), nil
		}
	}
	return "", fmt.Errorf("no JSON database: %w", ErrShape)
}

func (s store) main() (string, error) {
	path := s.path(parquetDir, mainFile)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("no Parquet file: %w", ErrShape)
	}
	return path, nil
}

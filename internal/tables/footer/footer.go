// Package footer looks at Parquet files without reading their values: what the footer
// says, and whether every page is as it was written. It also copies row groups as they
// are, with other values in single columns. A hostile file gives an error; it
// neither ends the program nor makes it take more memory than maxFooter.
package footer

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// maxFooter bounds what is decoded in memory: some 100,000 column chunks.
const maxFooter = 64 << 20

// tail is the length of a footer and the mark that ends a file.
const tail = 8

// Footer is what a file says of itself. Rows are counted by its writer.
type Footer struct {
	Size    int64 // bytes of the file
	Rows    int64
	Groups  int
	Columns []Column          // leaves, in order
	Writer  string            // "parquet-cpp-arrow version 18.1.0"
	Notes   map[string]string // what writers have put beside the data, by key
}

// Column is one leaf of the schema.
type Column struct {
	Name     string // of nested ones with dots
	Type     string // physical: BOOLEAN, INT32, INT64, INT96, FLOAT, DOUBLE, BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY
	Optional bool
}

// Read reads the footer of a file. What is no whole Parquet file gives an error that
// wraps parquet.ErrCorrupted or names the mark that is missing.
func Read(path string) (f Footer, err error) {
	err = opened(path, func(p *parquet.File, size int64) error {
		f = Footer{Size: size, Rows: p.NumRows(), Groups: len(p.RowGroups()), Writer: p.Metadata().CreatedBy}
		f.Columns, f.Notes = leaves(p.Root(), ""), map[string]string{}
		for _, note := range p.Metadata().KeyValueMetadata {
			f.Notes[note.Key] = note.Value
		}
		return nil
	})
	return f, err
}

func leaves(c *parquet.Column, under string) (all []Column) {
	for _, child := range c.Columns() {
		name := under + child.Name()
		if child.Leaf() {
			all = append(all, Column{Name: name, Type: child.Type().Kind().String(), Optional: child.Optional()})
			continue
		}
		all = append(all, leaves(child, name+".")...)
	}
	return all
}

func opened(path string, do func(*parquet.File, int64) error) (err error) {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if err := fits(file, info.Size()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer func() { // the decoder trusts sizes in places
		if hostile := recover(); hostile != nil {
			err = fmt.Errorf("%s: %v: %w", path, hostile, parquet.ErrCorrupted)
		}
	}()
	p, err := parquet.OpenFile(file, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err == nil {
		err = do(p, info.Size())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// fits looks at the length that the footer claims before anything is decoded.
func fits(file io.ReaderAt, size int64) error {
	if size < 4+tail {
		return fmt.Errorf("%d bytes are no Parquet file: %w", size, parquet.ErrCorrupted)
	}
	var end [tail]byte
	if _, err := file.ReadAt(end[:], size-tail); err != nil {
		return err
	}
	length := int64(binary.LittleEndian.Uint32(end[:4]))
	if string(end[4:]) != "PAR1" {
		return fmt.Errorf("it does not end with PAR1: %w", parquet.ErrCorrupted)
	}
	if length > size-tail-4 || length > maxFooter {
		return fmt.Errorf("its footer claims %d bytes of a file of %d: %w", length, size, parquet.ErrCorrupted)
	}
	return nil
}

// start is where the pages of a column chunk begin: a dictionary comes first.
func start(m *format.ColumnMetaData) int64 {
	if m.DictionaryPageOffset > 0 && m.DictionaryPageOffset < m.DataPageOffset {
		return m.DictionaryPageOffset
	}
	return m.DataPageOffset
}

package footer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Group is one row group of a file.
type Group struct {
	Rows    int64
	Damaged error // what Walk says of its pages
}

// Groups walks through the pages of every row group.
func Groups(ctx context.Context, path string) (all []Group, err error) {
	err = opened(path, func(p *parquet.File, size int64) error {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }() // it was only read
		for _, group := range p.Metadata().RowGroups {
			g := Group{Rows: group.NumRows}
			for i := range group.Columns {
				if g.Damaged == nil {
					g.Damaged = new(Pages).walk(ctx, file, size, &group.Columns[i].MetaData)
				}
			}
			all = append(all, g)
		}
		return ctx.Err()
	})
	return all, err
}

// Cell is a value of a column: nil, bool, int64, float64 or string.
type Cell struct {
	Row   int64 // from 0, over the whole file that is read
	Value any
}

// Change says what is other in a copy.
type Change struct {
	Keep  func(group int) bool              // row groups that are copied; nil = all
	Cells map[string]iter.Seq2[Cell, error] // values by column, ascending; of columns at the top that hold one value per row
}

// Copy writes a file anew: pages are copied byte for byte, but for those of columns with
// other values in that row group, which are encoded again. Schema, metadata and who wrote
// it stay; indexes and filters, which lie outside row groups, are left out.
func Copy(ctx context.Context, path string, to io.Writer, c Change) (rows int64, err error) {
	err = opened(path, func(p *parquet.File, size int64) error {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }() // it was only read
		out := &copying{from: file, size: size, file: p, to: bufio.NewWriterSize(to, 1<<20), columns: map[string]*cells{}}
		for name, all := range c.Cells {
			next, stop := iter.Pull2(all)
			defer stop()
			out.columns[name] = &cells{next: next}
		}
		rows, err = out.all(ctx, c.Keep)
		return err
	})
	return rows, err
}

type copying struct {
	from    io.ReaderAt
	size    int64
	file    *parquet.File
	to      *bufio.Writer
	at      int64 // bytes written
	columns map[string]*cells
}

func (c *copying) all(ctx context.Context, keep func(int) bool) (rows int64, err error) {
	meta := *c.file.Metadata()
	meta.RowGroups = nil
	if err := c.write([]byte("PAR1")); err != nil {
		return 0, err
	}
	var first int64 // row of the file that is read
	for i, group := range c.file.Metadata().RowGroups {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if keep == nil || keep(i) {
			copied, err := c.group(i, group, first)
			if err != nil {
				return 0, fmt.Errorf("copy row group %d: %w", i, err)
			}
			copied.Ordinal = int16(len(meta.RowGroups)) //nolint:gosec // the format has no more
			meta.RowGroups = append(meta.RowGroups, copied)
			rows += group.NumRows
		}
		first += group.NumRows
	}
	meta.NumRows = rows
	return rows, c.end(&meta)
}

func (c *copying) write(b []byte) error {
	n, err := c.to.Write(b)
	c.at += int64(n)
	return err
}

func (c *copying) end(meta *format.FileMetaData) error {
	text, err := thrift.Marshal(new(thrift.CompactProtocol), meta)
	if err != nil {
		return fmt.Errorf("encode the footer: %w", err)
	}
	text = binary.LittleEndian.AppendUint32(text, uint32(len(text))) //nolint:gosec // that of the source is smaller than maxFooter
	if err := c.write(append(text, "PAR1"...)); err != nil {
		return err
	}
	return c.to.Flush()
}

func (c *copying) group(i int, was format.RowGroup, first int64) (format.RowGroup, error) {
	group := was
	group.Columns, group.FileOffset, group.TotalByteSize, group.TotalCompressedSize = slices.Clone(was.Columns), c.at, 0, 0
	for n := range group.Columns {
		chunk := &group.Columns[n]
		if err := c.chunk(i, n, chunk, first, was.NumRows); err != nil {
			return group, fmt.Errorf("column %v: %w", chunk.MetaData.PathInSchema, err)
		}
		group.TotalByteSize += chunk.MetaData.TotalUncompressedSize
		group.TotalCompressedSize += chunk.MetaData.TotalCompressedSize
	}
	return group, nil
}

func (c *copying) chunk(group, column int, chunk *format.ColumnChunk, first, rows int64) error {
	path := chunk.MetaData.PathInSchema
	if len(path) == 1 && c.columns[path[0]] != nil {
		other, err := c.columns[path[0]].within(first, rows)
		if err != nil {
			return err
		}
		if len(other) > 0 {
			return c.encoded(group, column, chunk, other)
		}
	}
	m := &chunk.MetaData
	from := start(m)
	if from < 4 || m.TotalCompressedSize < 0 || m.TotalCompressedSize > c.size-from {
		return fmt.Errorf("%d bytes at %d of a file of %d: %w", m.TotalCompressedSize, from, c.size, parquet.ErrCorrupted)
	}
	return c.place(chunk, io.NewSectionReader(c.from, from, m.TotalCompressedSize), from)
}

// place copies pages to where the copy stands, and says so in what leads to them.
func (c *copying) place(chunk *format.ColumnChunk, pages io.Reader, from int64) error {
	by := c.at - from
	n, err := io.Copy(c.to, pages)
	if c.at += n; err != nil {
		return err
	}
	m := &chunk.MetaData
	m.DataPageOffset += by
	if m.DictionaryPageOffset > 0 {
		m.DictionaryPageOffset += by
	}
	m.IndexPageOffset, m.BloomFilterOffset, m.BloomFilterLength = 0, 0, 0
	chunk.FileOffset = 0
	chunk.OffsetIndexOffset, chunk.OffsetIndexLength, chunk.ColumnIndexOffset, chunk.ColumnIndexLength = 0, 0, 0, 0
	return nil
}

// encoded writes a column of a row group with other values, by way of a file in memory
// that has nothing else.
func (c *copying) encoded(group, column int, chunk *format.ColumnChunk, other map[int64]any) error {
	name := chunk.MetaData.PathInSchema[0]
	node := c.file.Root().Column(name)
	if !node.Leaf() || node.Repeated() {
		return fmt.Errorf("not one value per row: %w", parquet.ErrCorrupted)
	}
	var alone bytes.Buffer
	w := parquet.NewWriter(&alone, parquet.NewSchema("alone", parquet.Group{name: plainNode(node)}), parquet.Compression(parquet.LookupCompressionCodec(chunk.MetaData.Codec)))
	pages := c.file.RowGroups()[group].ColumnChunks()[column].Pages()
	err := (&refilling{to: w.ColumnWriters()[0], node: node, other: other}).all(pages)
	if err := errors.Join(err, pages.Close(), w.Close()); err != nil {
		return err
	}
	made, err := parquet.OpenFile(bytes.NewReader(alone.Bytes()), int64(alone.Len()), parquet.SkipPageIndex(true))
	if err != nil {
		return err
	}
	*chunk = made.Metadata().RowGroups[0].Columns[0]
	from := start(&chunk.MetaData)
	return c.place(chunk, bytes.NewReader(alone.Bytes()[from:from+chunk.MetaData.TotalCompressedSize]), from)
}

// plainNode is a column as the reader knows it, without what it read of its encoding.
func plainNode(c *parquet.Column) parquet.Node {
	if c.Optional() {
		return parquet.Optional(parquet.Leaf(c.Type()))
	}
	return parquet.Leaf(c.Type())
}

// refilling copies the values of one column of a row group, with others in some rows.
type refilling struct {
	to    *parquet.ColumnWriter
	node  *parquet.Column
	other map[int64]any
	row   int64
}

func (r *refilling) all(pages parquet.Pages) error {
	values := make([]parquet.Value, 1024)
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = r.page(page.Values(), values)
		parquet.Release(page)
		if err != nil {
			return err
		}
	}
}

func (r *refilling) page(from parquet.ValueReader, values []parquet.Value) error {
	for {
		n, err := from.ReadValues(values)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err := r.change(values[:n]); err != nil {
			return err
		}
		if _, err := r.to.WriteRowValues(values[:n]); err != nil {
			return err
		}
		if err != nil {
			return nil
		}
	}
}

func (r *refilling) change(values []parquet.Value) error {
	for i := range values {
		if v, is := r.other[r.row]; is {
			made, fits := valueOf(v, r.node.Type().Kind())
			if !fits {
				return fmt.Errorf("%v is no %s", v, r.node.Type())
			}
			values[i] = made.Level(0, r.node.MaxDefinitionLevel(), 0)
		}
		r.row++
	}
	return nil
}

func valueOf(v any, kind parquet.Kind) (parquet.Value, bool) {
	switch v := v.(type) {
	case bool:
		return parquet.BooleanValue(v), kind == parquet.Boolean
	case string:
		return parquet.ByteArrayValue([]byte(v)), kind == parquet.ByteArray
	case int64:
		switch kind {
		case parquet.Int32:
			return parquet.Int32Value(int32(v)), v == int64(int32(v)) //nolint:gosec // compared
		case parquet.Int64:
			return parquet.Int64Value(v), true
		}
		return valueOf(float64(v), kind)
	case float64:
		switch kind {
		case parquet.Float:
			return parquet.FloatValue(float32(v)), true
		case parquet.Double:
			return parquet.DoubleValue(v), true
		case parquet.Int32, parquet.Int64:
			if v == float64(int64(v)) {
				return valueOf(int64(v), kind)
			}
		}
	}
	return parquet.Value{}, false
}

// cells are the other values of one column.
type cells struct {
	next   func() (Cell, error, bool)
	head   Cell
	filled bool
}

// within are those of some rows, by their place among these. Their number bounds the
// memory: it is that of a row group at most.
func (c *cells) within(first, rows int64) (map[int64]any, error) {
	found := map[int64]any{}
	for {
		if !c.filled {
			cell, err, more := c.next()
			if err != nil || !more {
				return found, err
			}
			c.head, c.filled = cell, true
		}
		if c.head.Row >= first+rows {
			return found, nil
		}
		if c.head.Row >= first {
			found[c.head.Row-first] = c.head.Value
		}
		c.filled = false
	}
}

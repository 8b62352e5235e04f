package results

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// tornLength is the length of a footer that was seen at the end of a file of 48,923 bytes.
const tornLength = 1_342_205_765

// tail is the length of a footer and the mark that ends a file.
const tail = 8

// fileFaults change bytes of the main Parquet file.
func fileFaults() []fault {
	return []fault{
		{"torn-footer", inMain("it begins and ends with PAR1, and claims a footer of 1,342,205,765 bytes", tornFooter)},
		{"page-checksum", inMain("its pages have checksums, and a byte of the data of one is another", flippedPage)},
		{"hostile-sizes", inMain("its footer claims 2^40 rows, values and bytes", hostileSizes)},
		{"empty-parquet", inMain("it has no byte", func(path string) error { return os.Truncate(path, 0) })},
		{"truncated-parquet", inMain("it ends in the middle", cutFile)},
		{"not-parquet", inMain("it is a page of text", func(path string) error {
			return os.WriteFile(path, []byte("<html><body>502 Bad Gateway</body></html>\n"), 0o644)
		})},
	}
}

func inMain(what string, change func(path string) error) func(context.Context, store) (Planted, error) {
	return func(_ context.Context, s store) (Planted, error) {
		path, err := s.main()
		if err != nil {
			return Planted{}, err
		}
		return s.planted(path, "%s", what), change(path)
	}
}

func cutFile(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.Truncate(path, info.Size()/2)
}

func tornFooter(path string) error {
	return patch(path, -tail, binary.LittleEndian.AppendUint32(nil, tornLength))
}

// patch overwrites bytes; an offset below zero counts from the end.
func patch(path string, offset int64, by []byte) (err error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if offset < 0 {
		info, err := file.Stat()
		if err != nil {
			return err
		}
		offset += info.Size()
	}
	_, err = file.WriteAt(by, offset)
	return err
}

// flippedPage writes the file anew with checksums, which its usual writer leaves out. The
// last byte of a column is one of data, not of a header.
func flippedPage(path string) error {
	if err := replaced(path, withChecksums); err != nil {
		return err
	}
	data, metadata, err := footerOf(path)
	if err != nil {
		return err
	}
	column := metadata.RowGroups[0].Columns[0].MetaData
	from := column.DataPageOffset
	if column.DictionaryPageOffset > 0 {
		from = min(from, column.DictionaryPageOffset)
	}
	last := from + column.TotalCompressedSize - 1
	return patch(path, last, []byte{data[last] ^ 0xff})
}

// replaced writes a file anew beside it and renames.
func replaced(path string, write func(from, to string) error) error {
	if err := write(path, path+".new"); err != nil {
		return errors.Join(err, os.Remove(path+".new"))
	}
	return os.Rename(path+".new", path)
}

func withChecksums(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	file, err := parquet.OpenFile(in, info.Size())
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w := parquet.NewGenericWriter[any](out, file.Schema(), parquet.Compression(&parquet.Snappy))
	for _, group := range file.RowGroups() {
		if err := copyRows(w, group); err != nil {
			return err
		}
	}
	return w.Close()
}

func copyRows(to parquet.RowWriter, group parquet.RowGroup) (err error) {
	rows := group.Rows()
	defer func() { err = errors.Join(err, rows.Close()) }()
	_, err = parquet.CopyRows(to, rows)
	return err
}

// footerOf reads a whole file and decodes its footer.
func footerOf(path string) (data []byte, m format.FileMetaData, err error) {
	if data, err = os.ReadFile(path); err != nil {
		return nil, m, err
	}
	if len(data) < tail {
		return nil, m, io.ErrUnexpectedEOF
	}
	end := len(data) - tail
	length := int(binary.LittleEndian.Uint32(data[end:]))
	if length > end {
		return nil, m, fmt.Errorf("a footer of %d bytes: %w", length, ErrShape)
	}
	return data, m, thrift.Unmarshal(new(thrift.CompactProtocol), data[end-length:end], &m)
}

func hostileSizes(path string) error {
	data, m, err := footerOf(path)
	if err != nil {
		return err
	}
	const huge = 1 << 40
	m.NumRows = huge
	for i := range m.RowGroups {
		g := &m.RowGroups[i]
		g.NumRows, g.TotalByteSize = huge, huge
		for c := range g.Columns {
			of := &g.Columns[c].MetaData
			of.NumValues, of.TotalCompressedSize, of.TotalUncompressedSize = huge, huge, huge
		}
	}
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), m)
	if err != nil {
		return err
	}
	length := int(binary.LittleEndian.Uint32(data[len(data)-tail:]))
	data = append(data[:len(data)-tail-length], footer...)
	data = binary.LittleEndian.AppendUint32(data, uint32(len(footer)))
	return os.WriteFile(path, append(data, "PAR1"...), 0o644)
}

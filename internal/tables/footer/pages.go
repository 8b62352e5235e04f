package footer

import (
	"bufio"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// mostBuffered bounds what is read at once of a column; most columns of an increment are far
// smaller.
const mostBuffered = 256 << 10

// Pages is what walking through all pages of a file gave.
type Pages struct {
	Pages   int64
	Checked int64 // of them, those whose writer left a checksum
}

// Walk reads every page of a file and compares the checksums that are there. Values are not
// decoded: that is for who asks for them.
func Walk(ctx context.Context, path string) (all Pages, err error) {
	err = opened(path, func(p *parquet.File, size int64) error {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }() // it was only read
		for g, group := range p.Metadata().RowGroups {
			for _, chunk := range group.Columns {
				if err := all.walk(ctx, file, size, &chunk.MetaData); err != nil {
					return fmt.Errorf("row group %d, column %v: %w", g, chunk.MetaData.PathInSchema, err)
				}
			}
		}
		return nil
	})
	return all, err
}

func (all *Pages) walk(ctx context.Context, file io.ReaderAt, size int64, m *format.ColumnMetaData) error {
	from, length := start(m), m.TotalCompressedSize
	if from < 4 || length < 0 || length > size-from {
		return fmt.Errorf("%d bytes at %d of a file of %d: %w", length, from, size, parquet.ErrCorrupted)
	}
	section := &io.LimitedReader{R: io.NewSectionReader(file, from, length), N: length}
	buffered := bufio.NewReaderSize(section, int(min(length, mostBuffered)))
	protocol := new(thrift.CompactProtocol).NewReader(buffered)
	var values int64
	for values < m.NumValues {
		if err := ctx.Err(); err != nil {
			return err
		}
		var header format.PageHeader
		if err := thrift.NewDecoder(protocol).Decode(&header); err != nil {
			return fmt.Errorf("header of page %d: %w: %w", all.Pages, err, parquet.ErrCorrupted)
		}
		if err := all.page(buffered, &header); err != nil {
			return err
		}
		values += held(&header)
	}
	return nil
}

// held is how many values a page has; a dictionary has none of its own.
func held(h *format.PageHeader) int64 {
	switch {
	case h.DataPageHeader.Valid:
		return int64(h.DataPageHeader.V.NumValues)
	case h.DataPageHeaderV2.Valid:
		return int64(h.DataPageHeaderV2.V.NumValues)
	}
	return 0
}

func (all *Pages) page(from io.Reader, h *format.PageHeader) error {
	all.Pages++
	sum := crc32.NewIEEE()
	if n, err := io.CopyN(sum, from, int64(h.CompressedPageSize)); err != nil || h.CompressedPageSize < 0 {
		return fmt.Errorf("page %d ends after %d of %d bytes: %w", all.Pages, n, h.CompressedPageSize, parquet.ErrCorrupted)
	}
	if h.CRC == 0 { // none, or one in 4,294,967,296
		return nil
	}
	all.Checked++
	if sum.Sum32() != uint32(h.CRC) {
		return fmt.Errorf("page %d is not as it was written: checksum %08x, now %08x: %w", all.Pages, uint32(h.CRC), sum.Sum32(), parquet.ErrCorrupted)
	}
	return nil
}

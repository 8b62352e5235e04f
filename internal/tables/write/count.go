package write

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	stdcsv "encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"upkeep/internal/tables"
)

// Count reads a file that was written here to its end, as its format demands, and returns
// its rows.
func Count(ctx context.Context, f tables.Format, path string) (int64, error) {
	switch f {
	case tables.Parquet:
		return countParquet(ctx, path)
	case XLSX:
		return countXLSX(ctx, path)
	}
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }() // it was only read
	in := bufio.NewReaderSize(stopping{ctx, file}, 1<<16)
	if f == tables.CSV {
		return countCSV(in)
	}
	return countJSON(in, f == JSON)
}

// stopping is a reader that ends with its context.
type stopping struct {
	ctx context.Context
	io.Reader
}

func (s stopping) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.Reader.Read(p)
}

func countCSV(in *bufio.Reader) (rows int64, err error) {
	if mark, err := in.Peek(len(bom)); err == nil && string(mark) == bom {
		_, _ = in.Discard(len(bom)) // it is buffered
	}
	lines := stdcsv.NewReader(in)
	lines.ReuseRecord = true
	for {
		_, err := lines.Read()
		switch {
		case errors.Is(err, io.EOF):
			return max(rows-1, 0), nil // less the header
		case err != nil:
			return 0, err
		}
		rows++
	}
}

func countJSON(in io.Reader, array bool) (rows int64, err error) {
	values := jsontext.NewDecoder(in)
	if array {
		if _, err := values.ReadToken(); err != nil {
			return 0, err
		}
	}
	for {
		if array && values.PeekKind() == ']' {
			_, err := values.ReadToken()
			return rows, err
		}
		err := values.SkipValue()
		switch {
		case errors.Is(err, io.EOF) && !array:
			return rows, nil
		case err != nil:
			return 0, err
		}
		rows++
	}
}

// countParquet reads every value: a footer alone shows nothing of the pages.
func countParquet(ctx context.Context, path string) (int64, error) {
	db, err := tables.Open(ctx, tables.Limits{Memory: memory, Threads: 1}, []string{path}, nil)
	if err != nil {
		return 0, err
	}
	row, err := db.One(ctx, "SELECT count(*), bit_xor(hash(COLUMNS(*))) FROM "+tables.From(tables.Parquet, path))
	if err = errors.Join(err, db.Close()); err != nil {
		return 0, err
	}
	return row.Values[0].(int64), nil
}

func countXLSX(ctx context.Context, path string) (rows int64, err error) {
	book, err := zip.OpenReader(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = book.Close() }() // it was only read
	for _, part := range book.File {
		n, err := countPart(ctx, part)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", part.Name, err)
		}
		if strings.HasPrefix(part.Name, "xl/worksheets/sheet") {
			rows += max(n-1, 0) // less the header
		}
	}
	return rows, nil
}

// countPart reads a part to its end, where its checksum is compared, and counts what only
// begins a row: in texts "<" is always escaped.
func countPart(ctx context.Context, part *zip.File) (rows int64, err error) {
	in, err := part.Open()
	if err != nil {
		return 0, err
	}
	mark := []byte("<row ")
	buffer := make([]byte, 1<<16)
	kept := 0 // bytes of the last piece, for a mark that lies across
	for {
		n, err := stopping{ctx, in}.Read(buffer[kept:])
		piece := buffer[:kept+n]
		rows += int64(bytes.Count(piece, mark))
		switch {
		case errors.Is(err, io.EOF):
			return rows, in.Close()
		case err != nil:
			return 0, errors.Join(err, in.Close())
		}
		kept = copy(buffer, piece[max(0, len(piece)-len(mark)+1):])
	}
}

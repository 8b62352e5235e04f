// Package write makes files of rows, in the formats that people and other programs open:
// CSV, XLSX, JSON, JSON lines and Parquet. Rows come one by one and are not kept in memory;
// XLSX and Parquet put them beside the file until they are all there. What a format cannot
// hold is an error that names its place: no value is changed silently.
package write

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"upkeep/internal/tables"
)

// Formats besides those of package tables.
const (
	XLSX tables.Format = "xlsx"
	JSON tables.Format = "json"
)

// FormatOf reads a format from the end of a name; "" is none that can be written.
func FormatOf(path string) tables.Format {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".xlsx":
		return XLSX
	case ".json":
		return JSON
	}
	return tables.FormatOf(path)
}

// Options are wishes for some formats.
type Options struct {
	BOM bool // CSV: the mark by which Excel knows UTF-8
	Raw bool // CSV: texts that a spreadsheet would take for formulas stay as they are
	Cut bool // XLSX: what no cell can hold is cut and counted, not refused
	// SheetRows is how many rows a sheet holds, with its header; 0 = what Excel holds.
	SheetRows int
}

// Writer takes the rows of one answer. A value is nil, bool, int64, float64, string or
// time.Time.
type Writer interface {
	// Head comes once, before any row; it is left out where an answer has no columns.
	Head(ctx context.Context, columns []string) error
	Row(values []any) error
	// Finish comes once, after all rows: only then the content is whole.
	Finish(ctx context.Context) (Done, error)
	// Close comes last, whatever went wrong before: it removes what lies beside the file, and
	// leaves the file open.
	Close() error
}

// Done is what a writer made.
type Done struct {
	Sheets int   // of XLSX
	Cut    int64 // cells that were cut
}

// New starts to write into an empty file.
func New(ctx context.Context, f tables.Format, out *os.File, o Options) (Writer, error) {
	switch f {
	case tables.CSV:
		return newCSV(out, o), nil
	case JSON:
		return newJSON(out, "[\n", ",\n", "\n]\n"), nil
	case tables.JSONLines:
		return newJSON(out, "", "\n", "\n"), nil
	case XLSX:
		return newXLSX(out, o)
	case tables.Parquet:
		return newParquet(ctx, out)
	}
	return nil, fmt.Errorf("%q cannot be written", f)
}

// CellError is a value that a format cannot hold. Rows are counted from 1, the header is
// none.
type CellError struct {
	Row    int64
	Column string
	Err    error
}

func (e *CellError) Error() string {
	return fmt.Sprintf("row %d, column %s: %v", e.Row, e.Column, e.Err)
}

// Unwrap returns one of the errors below.
func (e *CellError) Unwrap() error { return e.Err }

// What a format cannot hold.
var (
	ErrNoText    = errors.New("bytes that are no UTF-8")
	ErrTooLong   = errors.New("a text of more than 32,767 characters")
	ErrCharacter = errors.New("a character that XML has no form for")
	ErrTooWide   = errors.New("more than 16,384 columns")
	ErrTwice     = errors.New("two columns of one name")
	ErrNoColumns = errors.New("no columns")
)

// place counts rows and names the cell of an error.
type place struct {
	columns []string
	row     int64
}

func (p *place) at(i int, err error) error {
	name := fmt.Sprint(i + 1)
	if i < len(p.columns) {
		name = p.columns[i]
	}
	return &CellError{p.row, name, err}
}

// text judges what is to become text.
func (p *place) text(i int, s string) error {
	if !utf8.ValidString(s) {
		return p.at(i, ErrNoText)
	}
	return nil
}

// apart refuses names by which a reader could not tell columns apart.
func apart(columns []string) error {
	seen := map[string]bool{}
	for _, name := range columns {
		if seen[name] {
			return fmt.Errorf("%w: %s", ErrTwice, name)
		}
		seen[name] = true
	}
	return nil
}

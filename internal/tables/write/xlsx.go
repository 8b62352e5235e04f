package write

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/klauspost/compress/flate"
	"github.com/xuri/excelize/v2"
)

// exact is where whole numbers begin that a spreadsheet would round: it has floats only.
const exact = 1 << 53

// firstDay is where the calendars of spreadsheets and people agree: Excel has a 29 February 1900.
var firstDay = time.Date(1900, 3, 1, 0, 0, 0, 0, time.UTC)

// xlsx stands on excelize's stream, which puts rows into a file beside ours until they are
// all there. No cell of it is a formula: texts are inline strings, whatever they begin with.
type xlsx struct {
	place
	out           *os.File
	o             Options
	book          *excelize.File
	sheet         *excelize.StreamWriter
	sheets        int
	line          int // of the sheet
	bold, instant int // styles
	cut           int64
	cells         []any
}

func newXLSX(out *os.File, o Options) (*xlsx, error) {
	if o.SheetRows == 0 {
		o.SheetRows = excelize.TotalRows
	}
	w := &xlsx{out: out, o: o, book: excelize.NewFile(excelize.Options{TmpDir: filepath.Dir(out.Name())})}
	format := "yyyy-mm-dd hh:mm:ss"
	var errs [2]error
	w.bold, errs[0] = w.book.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}})
	w.instant, errs[1] = w.book.NewStyle(&excelize.Style{CustomNumFmt: &format})
	return w, errors.Join(errs[:]...)
}

func (w *xlsx) Head(_ context.Context, columns []string) error {
	w.columns = columns
	if len(columns) > excelize.MaxColumns {
		return ErrTooWide
	}
	if err := apart(columns); err != nil {
		return err
	}
	return w.begin()
}

// begin starts a sheet with the header.
func (w *xlsx) begin() (err error) {
	w.sheets++
	name := fmt.Sprintf("Sheet%d", w.sheets)
	if w.sheets > 1 { // a new book has the first
		if _, err := w.book.NewSheet(name); err != nil {
			return err
		}
	}
	if w.sheet, err = w.book.NewStreamWriter(name); err != nil {
		return err
	}
	if err := w.sheet.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return err
	}
	w.line, w.cells = 0, w.cells[:0]
	for i, column := range w.columns {
		name, err := w.fitting(i, column)
		if err != nil {
			return err
		}
		w.cells = append(w.cells, excelize.Cell{StyleID: w.bold, Value: name})
	}
	return w.put()
}

func (w *xlsx) Row(values []any) (err error) {
	w.row++
	if w.line == w.o.SheetRows {
		if err := errors.Join(w.sheet.Flush(), w.begin()); err != nil {
			return err
		}
	}
	w.cells = w.cells[:0]
	for i, v := range values {
		cell, err := w.cell(i, v)
		if err != nil {
			return err
		}
		w.cells = append(w.cells, cell)
	}
	return w.put()
}

func (w *xlsx) put() error {
	w.line++
	return w.sheet.SetRow(fmt.Sprintf("A%d", w.line), w.cells)
}

// cell is a value as a spreadsheet can hold it without loss.
func (w *xlsx) cell(i int, v any) (any, error) {
	switch v := v.(type) {
	case int64:
		if v > exact || v < -exact {
			return fmt.Sprint(v), nil
		}
	case float64:
		if name := odd(v); name != "" {
			return name, nil
		}
	case time.Time:
		if v.Before(firstDay) || v.Year() > 9999 {
			return stamp(v), nil
		}
		return excelize.Cell{StyleID: w.instant, Value: v.UTC()}, nil
	case string:
		return w.fitting(i, v)
	}
	return v, nil
}

// fitting is a text that a cell holds whole, or what is left of it where that is wanted.
func (w *xlsx) fitting(i int, s string) (string, error) {
	if err := w.text(i, s); err != nil {
		return "", err
	}
	short, why := s, error(nil)
	if strings.ContainsFunc(s, unwritable) {
		short, why = strings.Map(kept, short), ErrCharacter
	}
	if len(s) > excelize.TotalCellChars && length(short) > excelize.TotalCellChars {
		short, why = shortened(short), ErrTooLong
	}
	switch {
	case why == nil:
	case !w.o.Cut:
		return "", w.at(i, why)
	default:
		w.cut++
	}
	return short, nil
}

// unwritable are the characters that XML 1.0 cannot name.
func unwritable(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
}

func kept(r rune) rune {
	if unwritable(r) {
		return -1
	}
	return r
}

// length is in the units that Excel counts: a character beyond the basic plane is two.
func length(s string) (n int) {
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

func shortened(s string) string {
	n := 0
	for i, r := range s {
		if n += utf16.RuneLen(r); n > excelize.TotalCellChars {
			return s[:i]
		}
	}
	return s
}

// Finish packs the sheets straight into the file; by itself excelize would hold all of it
// in memory.
func (w *xlsx) Finish(ctx context.Context) (Done, error) {
	if w.sheet != nil {
		if err := w.sheet.Flush(); err != nil {
			return Done{}, err
		}
	}
	pack := newPack(ctx, w.out)
	w.book.SetZipWriter(func(io.Writer) excelize.ZipWriter { return pack })
	_, err := w.book.WriteToBuffer()
	return Done{Sheets: max(w.sheets, 1), Cut: w.cut}, errors.Join(err, pack.mark())
}

func (w *xlsx) Close() error { return w.book.Close() }

// pack is the archive of a book.
type pack struct {
	*zip.Writer
	out     *os.File
	at      counted
	entries []*entry
}

type entry struct {
	begins int64 // in the file
	counted
}

// counted also ends with its context: packing takes long.
type counted struct {
	ctx context.Context
	io.Writer
	n int64
}

func (c *counted) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.Writer.Write(p)
	c.n += int64(n)
	return n, err
}

func newPack(ctx context.Context, out *os.File) *pack {
	p := &pack{out: out, at: counted{ctx: ctx, Writer: out}}
	p.Writer = zip.NewWriter(&p.at)
	p.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.DefaultCompression) })
	return p
}

// Create starts one part of the book.
func (p *pack) Create(name string) (io.Writer, error) {
	if err := p.Flush(); err != nil {
		return nil, err
	}
	w, err := p.Writer.Create(name)
	e := &entry{p.at.n, counted{ctx: p.at.ctx, Writer: w}}
	p.entries = append(p.entries, e)
	return &e.counted, err
}

// mark says of parts above 4 GiB that they need a reader of ZIP64, which is only known when
// they are written; Excel looks for it.
func (p *pack) mark() error {
	for _, e := range p.entries {
		if e.n <= math.MaxUint32 {
			continue
		}
		if _, err := p.out.WriteAt([]byte{45, 0}, e.begins+4); err != nil {
			return err
		}
	}
	return nil
}

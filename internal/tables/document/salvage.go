package document

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

const byteOrderMark = "\ufeff"

// Content is a document without the byte order mark that some editors put before it.
func Content(from io.ReaderAt, size int64) *io.SectionReader {
	head := make([]byte, len(byteOrderMark))
	if n, err := from.ReadAt(head, 0); n == len(head) && (err == nil || errors.Is(err, io.EOF)) && string(head) == byteOrderMark {
		return io.NewSectionReader(from, int64(n), size-int64(n))
	}
	return io.NewSectionReader(from, 0, size)
}

// Saved is what a broken document still gives.
type Saved struct {
	Bytes int64  // of it that are kept; 0 = none
	Close string // what ends the objects that were open there
}

// Salvage measures the longest beginning of a document that can be closed to a whole one.
// Objects on the way to rows, which the patterns name, are closed behind the last row that
// is complete, or a member after it; everything else is kept whole or not at all.
func Salvage(from io.Reader, patterns []Pattern) (Saved, error) {
	s := &salvage{reader: reader{dec: jsontext.NewDecoder(from), patterns: patterns}}
	open := make([]match, len(patterns))
	for i := range patterns {
		open[i] = match{pattern: i}
	}
	_, err := s.value(open)
	var broken *Fault
	if err = s.fault(err); err != nil && !errors.As(err, &broken) {
		return Saved{}, fmt.Errorf("read the document: %w", err)
	}
	return s.saved, nil
}

type salvage struct {
	reader
	open  []byte // what closes the containers around
	rows  []bool // whether a row is complete in each of them
	saved Saved
}

// value reports whether a row lies in it or is it.
func (s *salvage) value(open []match) (row bool, err error) {
	kind := s.dec.PeekKind()
	row = kind == '{' && s.complete(open)
	if row || len(open) == 0 || kind != '{' && kind != '[' {
		err := s.dec.SkipValue()
		if err == nil && len(s.open) == 0 {
			s.keep()
		}
		return row, err
	}
	return s.within(open, kind == '{')
}

func (s *salvage) within(open []match, object bool) (row bool, err error) {
	if _, err := s.dec.ReadToken(); err != nil {
		return false, err
	}
	end := byte(']')
	if object {
		end = '}'
	}
	s.open, s.rows = append(s.open, end), append(s.rows, false)
	last := len(s.open) - 1
	for i := 0; ; i++ {
		if kind := s.dec.PeekKind(); kind == '}' || kind == ']' {
			break
		}
		if err := s.member(open, i, object); err != nil {
			return false, err
		}
	}
	if _, err := s.dec.ReadToken(); err != nil {
		return false, err
	}
	row = s.rows[last]
	s.open, s.rows = s.open[:last], s.rows[:last]
	if last == 0 {
		s.keep()
	}
	return row, nil
}

func (s *salvage) member(open []match, i int, object bool) error {
	key, err := s.key(i, object)
	if err != nil {
		return err
	}
	number := s.dec.PeekKind() == '0'
	row, err := s.value(s.further(open, key))
	if err != nil {
		return err
	}
	if row {
		s.rows[len(s.rows)-1] = true
	}
	if !number || !s.exhausted() {
		s.keep()
	}
	return nil
}

// exhausted reports whether nothing follows: a number there may lack digits.
func (s *salvage) exhausted() bool { return s.dec.PeekKind() == 0 && len(s.dec.UnreadBuffer()) == 0 }

// keep counts in what was read so far. A container without a row is none that can be
// closed: what its members say of it is not true of nothing.
func (s *salvage) keep() {
	if last := len(s.rows) - 1; last > 0 && !s.rows[last] {
		return
	}
	closing := slices.Clone(s.open)
	slices.Reverse(closing)
	s.saved = Saved{Bytes: s.dec.InputOffset(), Close: string(closing)}
}

// Write copies what is saved and closes it.
func (s Saved) Write(from io.Reader, to io.Writer) error {
	if _, err := io.CopyN(to, from, s.Bytes); err != nil {
		return err
	}
	_, err := io.Copy(to, strings.NewReader(s.Close+"\n"))
	return err
}

package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"upkeep/internal/service"
	"upkeep/internal/tables"
	"upkeep/internal/tables/document"
)

// reading is one pass over a document for all tables that lie in it.
type reading struct {
	path     string
	patterns []document.Pattern
	into     []target          // one per pattern
	odd      *document.Lenient // what is read through, where numbers may stand there that are none
}

// target is where the rows of a pattern go.
type target struct {
	table   string // of the declaration
	filler  *tables.Filler
	columns []string // fields that are asked for, after the captures
	created string   // field of the document itself, instead of a table
	rows    int64    // so far: the place of the next one among those of its pattern
}

// readDocuments makes tables of the rows and levels of every document.
func (s *store) readDocuments(ctx context.Context, v *service.Verdict) error {
	byPath := s.documents()
	for _, path := range slices.Sorted(maps.Keys(byPath)) {
		if err := s.readDocument(ctx, path, byPath[path], v); err != nil {
			return err
		}
	}
	return nil
}

// documents are the tables of each, in order.
func (s *store) documents() map[string][]string {
	byPath := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Tables)) {
		if t := s.cfg.Tables[name]; t.Document != "" && s.wants(name) {
			byPath[t.Document] = append(byPath[t.Document], name)
		}
	}
	return byPath
}

func (s *store) readDocument(ctx context.Context, path string, names []string, v *service.Verdict) error {
	info, err := os.Stat(s.file(path))
	if err != nil {
		if at := slices.IndexFunc(names, func(name string) bool { return !s.cfg.Tables[name].Optional }); at >= 0 {
			v.Crit("dataset.file-missing", path, service.Args{"table": names[at], "files": []string{path}, "dir": s.in.dir, "from": ""})
		}
		return nil
	}
	if !s.affords(info.Size()) {
		s.unread(path, info.Size(), v)
		return nil
	}
	r := &reading{path: path}
	for _, name := range names {
		if err := s.targets(ctx, r, name); err != nil {
			return err
		}
	}
	err = r.run(s)
	r.tellOdd(v)
	var fault *document.Fault
	if errors.As(err, &fault) {
		v.Crit("dataset.document-damaged", path, service.Args{"path": path, "reason": string(fault.Reason), "offset": fault.Offset,
			"way": fault.Way, "detail": fault.Detail, "size": info.Size()})
		s.faults[path] = fault
		if !s.how.broken {
			return nil
		}
		err = nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	for _, name := range names {
		s.asked[name] = true
		if err := s.face(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// targets lists what one table wants of its document: its rows, its levels, and when the
// document was made.
func (s *store) targets(ctx context.Context, r *reading, name string) error {
	t := s.cfg.Tables[name]
	columns := slices.Sorted(maps.Keys(t.Columns))
	var types []tables.Column
	for _, column := range columns {
		types = append(types, tables.Column{Name: column, Type: t.Columns[column].sql()})
	}
	if err := s.target(ctx, r, t.Rows, name, whole+name, types); err != nil {
		return err
	}
	for _, at := range slices.Sorted(maps.Keys(t.Levels)) {
		types = nil
		for _, field := range slices.Sorted(maps.Keys(t.Levels[at])) {
			types = append(types, tables.Column{Name: field, Type: "DOUBLE"})
		}
		if err := s.target(ctx, r, at, name, levelOf(name, at), types); err != nil {
			return err
		}
	}
	if s.how.branches == name {
		if err := s.branches(ctx, r, name); err != nil {
			return err
		}
	}
	if t.Created != "" {
		top, _ := document.ParsePattern("")
		r.patterns, r.into = append(r.patterns, top.Only(t.Created)), append(r.into, target{table: name, created: t.Created})
	}
	return nil
}

func levelOf(table, at string) string { return whole + table + " " + at }

func (s *store) target(ctx context.Context, r *reading, at, name, table string, fields []tables.Column) error {
	pattern, err := document.ParsePattern(at)
	if err != nil {
		return err
	}
	var columns []tables.Column
	for _, capture := range pattern.Captures() {
		columns = append(columns, tables.Column{Name: capture, Type: "VARCHAR"})
	}
	filler, err := s.db.Fill(ctx, table, slices.Concat(columns, fields, []tables.Column{{Name: nth, Type: "BIGINT"}}))
	if err != nil {
		return err
	}
	into := target{table: name, filler: filler}
	for _, f := range fields {
		into.columns = append(into.columns, f.Name)
	}
	r.patterns, r.into = append(r.patterns, pattern.Only(into.columns...)), append(r.into, into)
	return nil
}

func (r *reading) run(s *store) error {
	file, err := os.Open(s.file(r.path))
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	var from io.Reader = file
	if s.how.broken {
		if from, err = unmarked(file); err != nil {
			return err
		}
	}
	if from, r.odd, err = lenient(file, from); err != nil {
		return err
	}
	err = document.Read(from, r.patterns, func(row document.Row) error { return r.put(s, row) })
	for _, into := range r.into {
		if into.filler != nil {
			err = errors.Join(err, into.filler.Close())
			s.misfit(into.table, into.filler.Misfits)
		}
	}
	return err
}

// lenient is a document with what Python's json writes for numbers that are none, where it
// mentions any; else odd is nil.
func lenient(file *os.File, from io.Reader) (through io.Reader, odd *document.Lenient, err error) {
	info, err := file.Stat()
	if err != nil {
		return nil, nil, err
	}
	mentions, err := document.Mentions(io.NewSectionReader(file, 0, info.Size()))
	if err != nil || !mentions {
		return from, nil, err
	}
	odd = document.NewLenient(from)
	return odd, odd, nil
}

// tellOdd names numbers that are none: other readers refuse the whole document for them.
func (r *reading) tellOdd(v *service.Verdict) {
	if r.odd != nil && r.odd.N > 0 {
		v.Warn("dataset.no-json-number", r.path, service.Args{"path": r.path, "n": r.odd.N, "value": r.odd.Text, "offset": r.odd.Offset, "way": r.odd.Way})
	}
}

// unmarked is a document without a byte order mark.
func unmarked(file *os.File) (*io.SectionReader, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return document.Content(file, info.Size()), nil
}

func (r *reading) put(s *store, row document.Row) error {
	into := &r.into[row.Pattern]
	if into.filler == nil {
		if made := row.Fields[into.created]; made != nil {
			s.created[into.table] = fmt.Sprint(made)
		}
		return nil
	}
	values := make([]any, 0, len(row.Keys)+len(into.columns)+1)
	for _, key := range row.Keys {
		values = append(values, key)
	}
	for _, name := range into.columns {
		values = append(values, row.Fields[name])
	}
	into.rows++
	return into.filler.Add(append(values, into.rows-1)...)
}

func (s *store) misfit(table string, counts map[string]int64) {
	if s.misfits[table] == nil {
		s.misfits[table] = map[string]int64{}
	}
	for column, n := range counts {
		s.misfits[table][column] += n
	}
}

package dataset

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"upkeep/internal/service"
	"upkeep/internal/tables"
	"upkeep/internal/tables/footer"
)

// madeOf is the table that another one is a copy of and can be made of; "" is none.
func (s *store) madeOf(name string) string {
	for _, a := range s.cfg.Copies {
		if a.Copy == name && len(a.Columns) > 0 {
			return a.Source
		}
	}
	return ""
}

// readFiles makes a view of the readable files of every table that has files.
func (s *store) readFiles(ctx context.Context, v *service.Verdict) error {
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Tables)) {
		t := s.cfg.Tables[name]
		if t.Document != "" || !s.wants(name) {
			continue
		}
		if len(s.found[name]) == 0 {
			if !t.Optional {
				v.Crit("dataset.file-missing", name, service.Args{"table": name, "files": t.Files, "dir": s.in.dir, "from": s.madeOf(name)})
			}
			continue
		}
		readable, bytes := s.readable(ctx, name, v)
		if len(readable) == 0 {
			continue
		}
		if err := s.view(ctx, name, readable, v); err != nil {
			return err
		}
		if !s.affords(bytes) {
			s.unread(name, bytes, v)
			s.asked[name] = false
		}
	}
	return nil
}

// readable are the files of a table that are whole as far as they say themselves. The
// content of a Parquet file is read when it is asked.
func (s *store) readable(ctx context.Context, name string, v *service.Verdict) (files []string, bytes int64) {
	for _, path := range s.found[name] {
		size, err := s.look(ctx, path)
		if err != nil {
			s.partial[name] = true
			v.Crit("dataset.file-damaged", s.in.within(path), service.Args{"path": s.in.within(path), "table": name, "detail": plain(err, path)})
			continue
		}
		files, bytes = append(files, path), bytes+size
	}
	return files, bytes
}

// look reads the footer of a Parquet file; of others only that they are there.
func (s *store) look(ctx context.Context, path string) (int64, error) {
	if tables.FormatOf(path) == tables.Parquet {
		f, err := footer.Read(path)
		if err == nil && s.how.pages {
			_, err = footer.Walk(ctx, path)
		}
		return f.Size, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// plain leaves out what a finding says already.
func plain(err error, path string) string { return strings.ReplaceAll(err.Error(), path+": ", "") }

// view names the files as a table with the declared columns. What a column's type cannot
// hold becomes null and is counted by the rules.
func (s *store) view(ctx context.Context, name string, files []string, v *service.Verdict) error {
	from := tables.From(tables.FormatOf(files[0]), files...)
	there, err := s.columns(ctx, from)
	if err != nil {
		s.partial[name] = true
		v.Crit("dataset.file-damaged", name, service.Args{"path": strings.Join(s.cfg.Tables[name].Files, " "), "table": name, "detail": tables.Said(err)})
		return ctx.Err()
	}
	t := s.cfg.Tables[name]
	for _, column := range slices.Sorted(maps.Keys(t.Columns)) {
		if !there[column] && !t.Columns[column].optional() {
			v.Crit("dataset.column-missing", name+"."+column, service.Args{"table": name, "column": column, "there": slices.Sorted(maps.Keys(there))})
		}
	}
	if err := s.db.Do(ctx, "CREATE VIEW "+tables.Name(whole+name)+" AS SELECT "+t.typed(there)+" FROM "+from); err != nil {
		return fmt.Errorf("make a table of %s: %w", name, err)
	}
	s.asked[name] = true
	return s.face(ctx, name)
}

// typed are the declared columns by their types, each beside what lies in the file.
func (t Table) typed(there map[string]bool) string {
	var parts []string
	for _, column := range slices.Sorted(maps.Keys(t.Columns)) {
		name, raw, sql := tables.Name(column), tables.Name(raw+column), t.Columns[column].sql()
		if there[column] {
			parts = append(parts, fmt.Sprintf("try_cast(%[1]s AS %[3]s) AS %[1]s, %[1]s AS %[2]s", name, raw, sql))
		} else {
			parts = append(parts, fmt.Sprintf("NULL::%[3]s AS %[1]s, NULL AS %[2]s", name, raw, sql))
		}
	}
	return strings.Join(parts, ", ")
}

// Prefixes of names that queries of others do not need: the view with the columns as they
// lie in the files beside those of the declared types.
const (
	whole = "_upkeep "
	raw   = "_upkeep raw "
)

// face is the table as others ask it.
func (s *store) face(ctx context.Context, name string) error {
	columns := make([]string, 0, len(s.cfg.Tables[name].Columns))
	for _, column := range s.cfg.Tables[name].known() {
		columns = append(columns, tables.Name(column))
	}
	return s.db.Do(ctx, "CREATE VIEW "+tables.Name(name)+" AS SELECT "+strings.Join(columns, ", ")+" FROM "+tables.Name(whole+name))
}

func (s *store) columns(ctx context.Context, from string) (map[string]bool, error) {
	return described(ctx, s.db, from)
}

// described are the columns of what stands after FROM.
func described(ctx context.Context, db *tables.DB, from string) (map[string]bool, error) {
	there := map[string]bool{}
	for row, err := range db.Rows(ctx, "DESCRIBE SELECT * FROM "+from) {
		if err != nil {
			return nil, err
		}
		there[row.Values[0].(string)] = true
	}
	return there, nil
}

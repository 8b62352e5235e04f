package dataset

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"

	"upkeep/internal/tables"
	"upkeep/internal/tables/document"
	"upkeep/internal/tables/footer"
)

// Names of columns beside the declared ones.
const (
	nth = "_upkeep row"  // which row of its file it is, from 0
	was = "_upkeep was " // followed by a derived column: what is stored
)

// mendable are the columns of a table that follow from others.
func (t Table) mendable() (columns []string) {
	for _, column := range slices.Sorted(maps.Keys(t.Derived)) {
		if t.Columns[column] != "" {
			columns = append(columns, column)
		}
	}
	return columns
}

// mended gives the rows of a statement with derived columns as their own numbers give
// them, beside what is stored. One may follow from another: each pass settles one more.
func (t Table) mended(rows string) string {
	var stored, other []string
	for _, column := range t.mendable() {
		c, from, sql := tables.Name(column), t.Derived[column], t.Columns[column].sql()
		stored = append(stored, c+" AS "+tables.Name(was+column))
		other = append(other, fmt.Sprintf("CASE WHEN (%[1]s) AND try_cast((%[2]s) AS %[3]s) IS NOT NULL AND coalesce(isfinite(try_cast((%[2]s) AS DOUBLE)), true) THEN try_cast((%[2]s) AS %[3]s) ELSE %[4]s END AS %[4]s",
			derived(column, from).count, from, sql, c))
	}
	if len(stored) == 0 {
		return rows
	}
	rows = "SELECT *, " + strings.Join(stored, ", ") + " FROM (" + rows + ")"
	for range other {
		rows = "SELECT * REPLACE (" + strings.Join(other, ", ") + ") FROM (" + rows + ")"
	}
	return rows
}

func otherwise(column string) string {
	return tables.Name(column) + " IS DISTINCT FROM " + tables.Name(was+column)
}

// mendedOf names the view of the rows of a table that lie in one file.
func mendedOf(table, path string) string { return whole + "mended " + table + " " + path }

// mend makes the views of one file, of its tables.
func (s *store) mend(ctx context.Context, path string, names []string) error {
	for _, name := range names {
		t := s.cfg.Tables[name]
		rows := "FROM " + tables.Name(whole+name)
		if t.Document == "" {
			from := "read_parquet(" + tables.Text(s.file(path)) + ", file_row_number = true)"
			there, err := s.columns(ctx, from)
			if err != nil {
				return err
			}
			rows = fmt.Sprintf("SELECT file_row_number AS %s, %s FROM %s", tables.Name(nth), t.typed(there), from)
		}
		if err := s.db.Do(ctx, "CREATE VIEW "+tables.Name(mendedOf(name, path))+" AS "+t.mended(rows)); err != nil {
			return fmt.Errorf("compute the derived columns of %s: %w", name, err)
		}
	}
	return nil
}

// changes is what mending a file would change.
type changes struct {
	Places int64
	Left   int64 // that differ, too, but nothing gives what they should be
	Worst  worst
}

// worst is the place that is furthest off.
type worst struct {
	Place         string
	Before, After any
	off           float64
}

func (c *changes) add(n int64, w worst) {
	if c.Places += n; n > 0 && (c.Worst.Place == "" || w.off > c.Worst.off) {
		c.Worst = w
	}
}

// changes counts them. Its views are made by mend.
func (s *store) changes(ctx context.Context, path string, names []string) (c changes, err error) {
	for _, name := range names {
		for _, column := range s.cfg.Tables[name].mendable() {
			if err := s.derivedChanges(ctx, name, path, column, &c); err != nil {
				return c, err
			}
		}
		levels := s.cfg.Tables[name].Levels
		for _, at := range slices.Sorted(maps.Keys(levels)) {
			for _, field := range slices.Sorted(maps.Keys(levels[at])) {
				if err := s.levelChanges(ctx, name, path, at, field, &c); err != nil {
					return c, err
				}
			}
		}
	}
	return c, nil
}

func (s *store) derivedChanges(ctx context.Context, name, path, column string, c *changes) error {
	t := s.cfg.Tables[name]
	keys := make([]string, len(t.Key))
	for i, key := range t.Key {
		keys[i] = tables.Name(key) + "::VARCHAR"
	}
	off := fmt.Sprintf("coalesce(abs(try_cast(%s AS DOUBLE) - try_cast(%s AS DOUBLE)), 0)", tables.Name(column), tables.Name(was+column))
	row, err := s.db.One(ctx, fmt.Sprintf(`SELECT count(*) FILTER (c), arg_max(b, off) FILTER (c), arg_max(a, off) FILTER (c), max(off) FILTER (c), arg_max(k, off) FILTER (c), count(*) FILTER (d)
		FROM (SELECT %[1]s AS c, %[2]s AS off, %[3]s AS b, %[4]s AS a, concat_ws(', ', '', %[5]s) AS k, (%[6]s) AS d FROM %[7]s)`,
		otherwise(column), off, tables.Name(was+column), tables.Name(column), strings.Join(append(keys, "NULL"), ", "), derived(column, t.Derived[column]).count, tables.Name(mendedOf(name, path))))
	if err != nil {
		return fmt.Errorf("compute %s of %s: %w", column, name, err)
	}
	n, _ := row.Values[0].(int64)
	left, _ := row.Values[5].(int64)
	c.Left += left
	place := name + "." + column
	if key, _ := row.Values[4].(string); n > 0 && key != "" {
		place += " (" + strings.TrimPrefix(key, ", ") + ")"
	}
	c.add(n, worst{place, row.Values[1], row.Values[2], number(row.Values[3])})
	return nil
}

// level is how the sums of a level are compared with the rows below it.
type level struct {
	by     []string // captures
	fields []string
	from   string // a statement with n, the captures, and s0, c0, s1, c1 …: stored and computed
}

func (s *store) level(name, path, at string, fields []string) (level, error) {
	pattern, err := document.ParsePattern(at)
	if err != nil {
		return level{}, err
	}
	l := level{by: pattern.Captures(), fields: fields}
	keys := make([]string, len(l.by))
	for i, capture := range l.by {
		keys[i] = tables.Name(capture)
	}
	list := strings.Join(append(slices.Clone(keys), ""), ", ")
	group, join := "", "LEFT JOIN level ON true" // one that is not there can be made
	if len(keys) > 0 {
		all := strings.Join(keys, ", ")
		group, join = " GROUP BY "+all, "JOIN level USING ("+all+")"
	}
	var sums, stored []string
	for i, field := range fields {
		sums = append(sums, fmt.Sprintf("(%s) AS c%d", s.cfg.Tables[name].Levels[at][field], i))
		stored = append(stored, fmt.Sprintf("%s AS s%d", tables.Name(field), i))
	}
	l.from = fmt.Sprintf(`WITH below AS (SELECT %[1]s%[2]s FROM %[3]s%[4]s HAVING count(*) > 0), level AS (SELECT %[8]s AS n, %[1]s%[5]s FROM %[6]s)
		SELECT * REPLACE (coalesce(n, 0) AS n) FROM below %[7]s`, list, strings.Join(sums, ", "), tables.Name(mendedOf(name, path)), group, strings.Join(stored, ", "), tables.Name(levelOf(name, at)), join, tables.Name(nth))
	return l, nil
}

func (l level) differs(i int) string {
	return fmt.Sprintf("coalesce(isfinite(c%[1]d::DOUBLE) AND abs(coalesce(s%[1]d, 0) - c%[1]d::DOUBLE) > %[2]g * greatest(1, abs(c%[1]d::DOUBLE)), false)", i, tolerance)
}

func (s *store) levelChanges(ctx context.Context, name, path, at, field string, c *changes) error {
	l, err := s.level(name, path, at, []string{field})
	if err != nil {
		return err
	}
	shown := ""
	for _, capture := range l.by {
		shown += ", arg_max(" + tables.Name(capture) + ", off)"
	}
	row, err := s.db.One(ctx, "SELECT count(*), arg_max(s0, off), arg_max(c0, off), max(off)"+shown+" FROM (SELECT *, abs(coalesce(s0, 0) - c0::DOUBLE) AS off FROM ("+l.from+")) WHERE "+l.differs(0))
	if err != nil {
		return fmt.Errorf("compute %s of %s: %w", field, at, err)
	}
	judged, err := s.db.One(ctx, levelStatement(name, at, l.by, field, s.cfg.Tables[name].Levels[at][field]))
	if err != nil {
		return err
	}
	n, _ := row.Values[0].(int64)
	all, _ := judged.Values[0].(int64)
	c.Left += max(0, all-n)
	place := at
	for i, capture := range l.by {
		place = strings.ReplaceAll(place, "{"+capture+"}", fmt.Sprint(row.Values[4+i]))
	}
	c.add(n, worst{strings.TrimPrefix(place+"/"+field, "/"), row.Values[1], row.Values[2], number(row.Values[3])})
	return nil
}

// documentEdits are the edits of a document by the patterns of its rows and levels.
func (s *store) documentEdits(ctx context.Context, path string, names []string) (patterns []document.Pattern, edits []iter.Seq2[document.Edit, error], err error) {
	add := func(at string, all iter.Seq2[document.Edit, error]) error {
		pattern, err := document.ParsePattern(at)
		patterns, edits = append(patterns, pattern), append(edits, all)
		return err
	}
	for _, name := range names {
		t := s.cfg.Tables[name]
		if columns := t.mendable(); len(columns) > 0 {
			if err := add(t.Rows, s.rowEdits(ctx, name, path, columns)); err != nil {
				return nil, nil, err
			}
		}
		for _, at := range slices.Sorted(maps.Keys(t.Levels)) {
			l, err := s.level(name, path, at, slices.Sorted(maps.Keys(t.Levels[at])))
			if err != nil {
				return nil, nil, err
			}
			if err := add(at, s.levelEdits(ctx, l)); err != nil {
				return nil, nil, err
			}
		}
	}
	return patterns, edits, nil
}

func (s *store) rowEdits(ctx context.Context, name, path string, columns []string) iter.Seq2[document.Edit, error] {
	var parts, differ []string
	for _, column := range columns {
		parts = append(parts, "CASE WHEN "+otherwise(column)+" THEN "+tables.Name(column)+" END")
		differ = append(differ, otherwise(column))
	}
	return s.edits(ctx, fmt.Sprintf("SELECT %[1]s, %[2]s FROM %[3]s WHERE %[4]s ORDER BY %[1]s", tables.Name(nth), strings.Join(parts, ", "),
		tables.Name(mendedOf(name, path)), strings.Join(differ, " OR ")), columns)
}

func (s *store) levelEdits(ctx context.Context, l level) iter.Seq2[document.Edit, error] {
	var parts, differ []string
	for i := range l.fields {
		parts = append(parts, fmt.Sprintf("CASE WHEN %s THEN c%d END", l.differs(i), i))
		differ = append(differ, l.differs(i))
	}
	return s.edits(ctx, "SELECT n, "+strings.Join(parts, ", ")+" FROM ("+l.from+") WHERE "+strings.Join(differ, " OR ")+" ORDER BY n", l.fields)
}

// edits are those of a statement that gives which object, and its new values or null.
func (s *store) edits(ctx context.Context, statement string, fields []string) iter.Seq2[document.Edit, error] {
	return func(yield func(document.Edit, error) bool) {
		for row, err := range s.db.Rows(ctx, statement) {
			if err != nil {
				yield(document.Edit{}, err)
				return
			}
			e := document.Edit{Nth: row.Values[0].(int64), Fields: map[string]any{}}
			for i, field := range fields {
				if v := row.Values[i+1]; v != nil {
					e.Fields[field] = v
				}
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// cells are the other values of a Parquet file, by column.
func (s *store) cells(ctx context.Context, path string, names []string) map[string]iter.Seq2[footer.Cell, error] {
	all := map[string]iter.Seq2[footer.Cell, error]{}
	for _, name := range names {
		for _, column := range s.cfg.Tables[name].mendable() {
			all[column] = s.cellsOf(ctx, fmt.Sprintf("SELECT %[1]s, %[2]s FROM %[3]s WHERE %[4]s ORDER BY %[1]s",
				tables.Name(nth), tables.Name(column), tables.Name(mendedOf(name, path)), otherwise(column)))
		}
	}
	return all
}

func (s *store) cellsOf(ctx context.Context, statement string) iter.Seq2[footer.Cell, error] {
	return func(yield func(footer.Cell, error) bool) {
		for row, err := range s.db.Rows(ctx, statement) {
			if err != nil {
				yield(footer.Cell{}, err)
				return
			}
			if !yield(footer.Cell{Row: row.Values[0].(int64), Value: row.Values[1]}, nil) {
				return
			}
		}
	}
}

// measured is what a table holds beside what follows from it: no repair may change that.
func (s *store) measured(ctx context.Context, name, path string) (rows int64, digest string, err error) {
	parts := []string{tables.Name(nth)}
	mendable := s.cfg.Tables[name].mendable()
	for _, column := range s.cfg.Tables[name].known() {
		if !slices.Contains(mendable, column) {
			parts = append(parts, tables.Name(column))
		}
	}
	row, err := s.db.One(ctx, "SELECT count(*), coalesce(bit_xor(hash("+strings.Join(parts, ", ")+")), 0)::VARCHAR FROM "+tables.Name(mendedOf(name, path)))
	if err != nil {
		return 0, "", fmt.Errorf("count the rows of %s: %w", name, err)
	}
	return row.Values[0].(int64), row.Values[1].(string), nil
}

// totals are those of a table's rows in one file, as text: "tests 7".
func (s *store) totals(ctx context.Context, name, path string) (texts []string, err error) {
	t := s.cfg.Tables[name]
	var was past
	if s.in.env.State != nil {
		if was, err = s.in.past(ctx, name); err != nil {
			return nil, err
		}
	}
	for _, total := range slices.Sorted(maps.Keys(t.Totals)) {
		row, err := s.db.One(ctx, "SELECT ("+t.Totals[total]+") FROM "+tables.Name(mendedOf(name, path)))
		if err != nil {
			return nil, fmt.Errorf("sum up %s: %w", total, err)
		}
		text := fmt.Sprintf("%s %v", total, orZero(row.Values[0]))
		if most := was.Totals[total]; most > number(row.Values[0]) {
			text += fmt.Sprintf(" / %s", short(most))
		}
		texts = append(texts, text)
	}
	return texts, nil
}

func orZero(v any) any {
	if v == nil {
		return 0
	}
	return v
}

// short shows a whole number as one.
func short(n float64) string {
	if n == math.Trunc(n) {
		return fmt.Sprintf("%.0f", n)
	}
	return fmt.Sprint(n)
}

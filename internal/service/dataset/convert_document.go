package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"

	"upkeep/internal/tables"
	"upkeep/internal/tables/document"
)

// convertDocument writes a document anew: rows get the values that the copy has, others
// are made with all levels that lead to them, and then sums and shares are computed as a repair
// does. Rows of which the copy says nothing stay.
func (in *Instance) convertDocument(ctx context.Context, cfg Config, c *conversion) (done replaced, err error) {
	about := mending{Path: c.Onto.Path, Tables: cfg.in(c.Onto.Path), Was: c.Onto.state}
	from, repeated, err := in.original(about)
	if err != nil {
		return done, err
	}
	if err := errors.Join(in.unchanged(c.From...), in.noneWaits(cfg, cfg.Copies[c.Copy].Copy)); err != nil {
		return done, err
	}
	draft, err := in.draftDocument(ctx, about, c, from)
	if err != nil {
		return done, in.moved(err, *c)
	}
	defer func() { _ = os.Remove(draft) }() // gone once it has taken the place
	if err := in.proveDraft(ctx, *c, draft); err != nil {
		return done, in.moved(err, *c)
	}
	if err := in.unchanged(c.From...); err != nil {
		return done, err
	}
	return in.placed(about, draft, from, repeated)
}

// in are the tables of a document.
func (c Config) in(path string) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(c.Tables)) {
		if c.Tables[name].Document == path {
			names = append(names, name)
		}
	}
	return names
}

// draftDocument writes first the rows, then what follows from them.
func (in *Instance) draftDocument(ctx context.Context, about mending, c *conversion, from string) (draft string, err error) {
	var rows string
	err = in.convertingAt(ctx, *c, how{instead: map[string]string{c.Onto.Path: from}}, func(m *maker) (err error) {
		if c.Tally, err = m.tally(ctx); err != nil {
			return err
		}
		rows, err = in.draft(about, 1, func(to *os.File) error { return m.rewrite(ctx, from, to) })
		return err
	})
	if err != nil {
		return "", err
	}
	if draft, err = in.settled(ctx, about, rows); err != nil || draft != rows {
		return draft, errors.Join(err, os.Remove(rows))
	}
	return draft, nil
}

// settled computes sums and shares of a draft anew.
func (in *Instance) settled(ctx context.Context, about mending, rows string) (draft string, err error) {
	is, err := in.reading(ctx, about, rows)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, is.close()) }()
	if _, err := is.count(ctx, &about); err != nil {
		return "", err
	}
	if draft, err = is.recomputed(ctx, about, rows, true); err != nil {
		return "", err
	}
	if err := is.compare(ctx, about, draft); err != nil {
		if draft != rows {
			err = errors.Join(err, os.Remove(draft))
		}
		return "", err
	}
	return draft, nil
}

// rewrite copies the document with the rows as the copy has them.
func (m *maker) rewrite(ctx context.Context, path string, to io.Writer) error {
	if err := m.place(ctx); err != nil {
		return err
	}
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }() // it was only read
	info, err := from.Stat()
	if err != nil {
		return err
	}
	rows := m.cfg.Tables[m.onto].Rows
	at := append(prefixes(rows), rows)
	var patterns []document.Pattern
	var edits []iter.Seq2[document.Edit, error]
	for depth, text := range at {
		pattern, err := document.ParsePattern(text)
		if err != nil {
			return err
		}
		all := m.branchEdits(ctx, depth)
		if text == rows {
			all = m.changedRows(ctx)
		}
		patterns, edits = append(patterns, pattern), append(edits, all)
	}
	return document.Rewrite(from, info.Size(), to, patterns, edits)
}

// changedRows are those that lie there and have other values.
func (m *maker) changedRows(ctx context.Context) iter.Seq2[document.Edit, error] {
	var parts, differ, names []string
	for i, c := range m.columns {
		parts = append(parts, fmt.Sprintf("CASE WHEN %s THEN v%d::%s END", m.other(i), c.value, c.sql))
		differ, names = append(differ, m.other(i)), append(names, c.name)
	}
	return m.edits(ctx, fmt.Sprintf("SELECT %[1]s, %[2]s FROM %[3]s JOIN %[4]s USING (%[5]s) WHERE %[6]s ORDER BY %[1]s", tables.Name(nth), strings.Join(parts, ", "),
		m.usedGiven(), tables.Name(single), m.on(), strings.Join(differ, " OR ")), names)
}

// Tables of a conversion into a document.
const absentRows = "_upkeep absent" // rows that are not there, with the numbers a0, a1 … of the objects that lead to them

// place finds, for every row that the document lacks, which objects on the way to it are
// there, as the key folds.
func (m *maker) place(ctx context.Context) error {
	var numbers, joins []string
	for depth, at := range prefixes(m.cfg.Tables[m.onto].Rows) {
		captures, err := captured(at)
		if err != nil {
			return err
		}
		numbers = append(numbers, fmt.Sprintf("p%[1]d.n AS a%[1]d", depth))
		joins = append(joins, m.above(at, captures, depth))
	}
	return m.db.Do(ctx, fmt.Sprintf("CREATE TABLE %s AS SELECT g.*, %s FROM (SELECT * FROM %s ANTI JOIN %s USING (%s)) g %s", tables.Name(absentRows), strings.Join(numbers, ", "),
		m.usedGiven(), tables.Name(single), m.on(), strings.Join(joins, " ")))
}

// above joins the objects of one level, of those with one key the first.
func (m *maker) above(at string, captures []string, depth int) string {
	parts, on := []string{"min(" + tables.Name(nth) + ") AS n"}, []string{"true"}
	var group []string
	for i, folded := range m.cfg.Tables[m.onto].folded(captures) {
		parts = append(parts, fmt.Sprintf("(%s)::VARCHAR AS x%d", folded, i))
		group = append(group, folded)
		on = append(on, fmt.Sprintf("p%d.x%d = g.k%d", depth, i, slices.Index(m.a.By, captures[i])))
	}
	by := ""
	if len(group) > 0 {
		by = " GROUP BY " + strings.Join(group, ", ")
	}
	return fmt.Sprintf("LEFT JOIN (SELECT %s FROM %s%s) p%d ON %s", strings.Join(parts, ", "), tables.Name(prefixOf(m.onto, at)), by, depth, strings.Join(on, " AND "))
}

// branchEdits make what lacks below objects of one depth: those rows to which no deeper
// object leads, and fields of the levels that are made for them.
func (m *maker) branchEdits(ctx context.Context, depth int) iter.Seq2[document.Edit, error] {
	steps := strings.Split(m.cfg.Tables[m.onto].Rows, "/")
	where := fmt.Sprintf("a%d IS NOT NULL", depth)
	for deeper := depth + 1; deeper < len(steps); deeper++ {
		where += fmt.Sprintf(" AND a%d IS NULL", deeper)
	}
	lacking := fmt.Sprintf("(SELECT * FROM %s WHERE %s)", tables.Name(absentRows), where)
	var way, fields []string
	for i, step := range steps[depth:] {
		way = append(way, fmt.Sprintf("%s AS w%d", m.keyOf(step), i))
	}
	for _, c := range m.columns {
		fields = append(fields, fmt.Sprintf("v%d::%s AS %s", c.value, c.sql, tables.Name("field "+c.name)))
	}
	statement := fmt.Sprintf("SELECT a%d AS n, %s, %s FROM %s", depth, strings.Join(way, ", "), strings.Join(fields, ", "), lacking)
	for _, at := range slices.Sorted(maps.Keys(m.a.New)) {
		if to := strings.Count(at, "/") + 1; to > depth {
			statement += " UNION ALL BY NAME " + m.newLevel(at, steps[:to], depth, lacking)
		}
	}
	return m.branched(ctx, statement, len(steps)-depth)
}

// keyOf is a step of the way to a row, as it is written.
func (m *maker) keyOf(step string) string {
	if name, captures := strings.CutPrefix(step, "{"); captures {
		return fmt.Sprintf("s%d::VARCHAR", slices.Index(m.a.By, strings.TrimSuffix(name, "}")))
	}
	return tables.Text(step)
}

// newLevel are the fields of a level that is made, beside the way to it.
func (m *maker) newLevel(at string, steps []string, depth int, lacking string) string {
	var way, fields, keys []string
	for i, step := range steps[depth:] {
		way = append(way, fmt.Sprintf("w%d", i))
		keys = append(keys, fmt.Sprintf("%s AS w%d", m.keyOf(step), i))
	}
	for i, column := range m.a.By {
		keys = append(keys, fmt.Sprintf("s%d AS %s", i, tables.Name(column)))
	}
	for _, field := range slices.Sorted(maps.Keys(m.a.New[at])) {
		fields = append(fields, fmt.Sprintf("(%s) AS %s", m.a.New[at][field], tables.Name("field "+field)))
	}
	return fmt.Sprintf("SELECT n, %[1]s, %[2]s FROM (SELECT a%[3]d AS n, %[4]s FROM %[5]s) GROUP BY n, %[1]s", strings.Join(way, ", "), strings.Join(fields, ", "), depth, strings.Join(keys, ", "), lacking)
}

// branched are the edits of a statement that gives the number of an object, a way of so
// many steps, which may end before, and fields.
func (m *maker) branched(ctx context.Context, statement string, steps int) iter.Seq2[document.Edit, error] {
	order := []string{"n"}
	for i := range steps {
		order = append(order, fmt.Sprintf("w%d NULLS FIRST", i))
	}
	return func(yield func(document.Edit, error) bool) {
		for row, err := range m.db.Rows(ctx, statement+" ORDER BY "+strings.Join(order, ", ")) {
			if err != nil {
				yield(document.Edit{}, err)
				return
			}
			if !yield(branchOf(row, steps), nil) {
				return
			}
		}
	}
}

func branchOf(row tables.Row, steps int) document.Edit {
	e := document.Edit{Nth: row.Values[0].(int64), Fields: map[string]any{}}
	for _, step := range row.Values[1 : 1+steps] {
		if key, is := step.(string); is {
			e.Below = append(e.Below, key)
		}
	}
	for i, v := range row.Values[1+steps:] {
		if v != nil {
			e.Fields[strings.TrimPrefix(row.Columns[1+steps+i], "field ")] = v
		}
	}
	return e
}

// prefixes are the patterns of every level of a document above its rows, the whole first.
func prefixes(rows string) (all []string) {
	steps := strings.Split(rows, "/")
	for i := range steps {
		all = append(all, strings.Join(steps[:i], "/"))
	}
	return all
}

func prefixOf(table, at string) string { return whole + "above " + table + " " + at }

// branches lists every level of the document above the rows of a table.
func (s *store) branches(ctx context.Context, r *reading, name string) error {
	for _, at := range prefixes(s.cfg.Tables[name].Rows) {
		if err := s.target(ctx, r, at, name, prefixOf(name, at), nil); err != nil {
			return err
		}
	}
	return nil
}

// captured are the captures of a pattern of a document.
func captured(at string) ([]string, error) {
	pattern, err := document.ParsePattern(at)
	return pattern.Captures(), err
}

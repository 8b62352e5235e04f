package dataset

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"upkeep/internal/service"
	"upkeep/internal/tables"
)

// maker is one table of an agreement as the other gives it, beside what lies there. Keys are
// compared as both tables fold them; a row is made of all rows of the other with one key.
type maker struct {
	*store
	a          Agreement
	from, onto string // tables
	values     []string
	columns    []column // of what is written
}

// column is one of what is written.
type column struct {
	name  string
	sql   string // type
	key   int    // which part of the key it is, or -1
	value int    // which value of the other table gives it, or -1: it keeps what it has
	there bool   // in the file that is there
}

// Tables of the database of a conversion. Keys are k0, k1 …, as they are written s0, s1 …, the
// values that the other table gives v0, v1 …, those that lie there f0, f1 … by column.
const (
	given   = "_upkeep given"   // a view: what the other table gives, a row per key
	lying   = "_upkeep lying"   // a view: rows that lie there
	twice   = "_upkeep twice"   // those of them whose key stands in several; the last has n = 1
	single  = "_upkeep single"  // a view: the others
	filed   = "_upkeep filed "  // column of the file as it lies there; followed by its name
	gathers = "_upkeep gathers" // column: of how many rows one is made
)

// convertingAt opens the two tables of a conversion and compares them.
func (in *Instance) convertingAt(ctx context.Context, c conversion, h how, do func(*maker) error) (err error) {
	cfg, _, err := in.declare(ctx, in.dir)
	if err != nil {
		return err
	}
	a := cfg.Copies[c.Copy]
	from, onto := a.ends(c.Back)
	h.memory = memory{bytes: 512 << 20, threads: 2} // what groups and joins of any size do with
	h.budget, h.beside, h.only = -1, true, func(name string) bool { return name == from || name == onto }
	if c.Back {
		h.branches = onto
	}
	var v service.Verdict
	s, err := in.open(ctx, h, &v)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	m := &maker{store: s, a: a, from: from, onto: onto, values: slices.Sorted(maps.Keys(a.made(c.Back)))}
	m.values = slices.DeleteFunc(m.values, func(name string) bool { return slices.Contains(a.By, name) })
	if err := m.usable(&v); err != nil {
		return err
	}
	return m.misfitting(ctx, m.run(ctx, a.made(c.Back), do))
}

func (m *maker) run(ctx context.Context, made map[string]string, do func(*maker) error) error {
	if err := m.give(ctx, made); err != nil {
		return err
	}
	if err := m.lay(ctx); err != nil {
		return err
	}
	return do(m)
}

// usable refuses tables that could not be read in whole.
func (m *maker) usable(v *service.Verdict) error {
	document := m.cfg.Tables[m.onto].Document != ""
	for _, name := range []string{m.from, m.onto} {
		if m.asked[name] && !m.partial[name] || name == m.onto && !document {
			continue
		}
		detail := ""
		for _, f := range v.Findings {
			if f.Args["table"] == name || f.Subject == m.cfg.Tables[name].Document {
				detail = f.Subject
			}
		}
		return m.in.unconverted("unreadable", service.Args{"table": m.onto, "from": name, "path": detail})
	}
	return nil
}

// misfitting gives an expression that does not fit the tables words of its own.
func (m *maker) misfitting(ctx context.Context, err error) error {
	switch {
	case err == nil || ctx.Err() != nil || tables.Full(err):
		return err
	case tables.Misused(err):
		return &service.Fault{ID: "dataset.bad-expression", Args: service.Args{"table": m.onto, "detail": tables.Said(err)}, Err: fmt.Errorf("make %s of %s: %w: %w", m.onto, m.from, err, service.ErrUnsupported)}
	case tables.Damaged(err):
		return m.in.unconverted("unreadable", service.Args{"table": m.onto, "from": m.file(), "path": tables.Said(err)})
	}
	return err
}

// file is the table whose files are read as they are: only those turn out to be damaged late.
func (m *maker) file() string {
	if m.cfg.Tables[m.from].Document == "" {
		return m.from
	}
	return m.onto
}

// give computes what the table that is read gives, once. Rows without a whole key, and a
// table without rows, are refused: neither says anything that could be written.
func (m *maker) give(ctx context.Context, made map[string]string) error {
	var parts []string
	folded := m.cfg.Tables[m.from].folded(m.a.By)
	for i, column := range m.a.By {
		written := "min(" + tables.Name(column) + ")"
		switch {
		case made[column] != "":
			written = "(" + made[column] + ")"
		case m.cfg.Tables[m.from].Fold[column] == "":
			written = tables.Name(column) // DuckDB keeps texts of aggregates in memory, whatever its limit
		}
		parts = append(parts, fmt.Sprintf("(%s)::VARCHAR AS k%d, %s AS s%d", folded[i], i, written, i))
	}
	for i, name := range m.values {
		parts = append(parts, fmt.Sprintf("(%s) AS v%d", made[name], i))
	}
	statement := fmt.Sprintf("SELECT count(*) AS %s, %s FROM %s GROUP BY %s", tables.Name(gathers), strings.Join(parts, ", "), tables.Name(whole+m.from), strings.Join(folded, ", "))
	if err := m.layAside(ctx, statement); err != nil {
		return err
	}
	row, err := m.db.One(ctx, fmt.Sprintf("SELECT count(*), coalesce(sum(%s) FILTER (WHERE %s), 0)::BIGINT FROM %s", tables.Name(gathers), nulls(m.keys()), tables.Name(given)))
	if err != nil {
		return err
	}
	if row.Values[0] == int64(0) {
		return m.in.unconverted("empty", service.Args{"table": m.onto, "from": m.from})
	}
	if n, _ := row.Values[1].(int64); n > 0 {
		return m.in.unconverted("keyless", service.Args{"table": m.onto, "from": m.from, "n": n, "key": m.a.By})
	}
	return m.meaning(ctx)
}

// layAside writes the rows of a statement down and reads them from there: a table in memory
// costs some of it for every row, also of those that do not fit.
func (m *maker) layAside(ctx context.Context, statement string) error {
	types, names, err := typesOf(ctx, m.db, "("+statement+")")
	if err != nil {
		return err
	}
	for i, name := range names {
		names[i] = fmt.Sprintf("%[1]s::%[2]s AS %[1]s", tables.Name(name), kept(types[name]))
	}
	file := asideIn(m.scratch)
	if err := m.db.Do(ctx, fmt.Sprintf("COPY (SELECT %s FROM (%s)) TO %s (FORMAT parquet)", strings.Join(names, ", "), statement, tables.Text(file))); err != nil {
		return err
	}
	return m.db.Do(ctx, "CREATE VIEW "+tables.Name(given)+" AS FROM "+tables.From(tables.Parquet, file))
}

// asideIn is the file of a scratch directory to which rows are laid.
func asideIn(scratch string) string { return filepath.Join(scratch, "aside.parquet") }

// meaning refuses a copy whose rows are not what the declaration provides.
func (m *maker) meaning(ctx context.Context) error {
	if m.a.Provided == "" || !m.asked[m.a.Copy] {
		return nil
	}
	row, err := m.db.One(ctx, "SELECT count(*) FILTER (WHERE NOT coalesce(("+m.a.Provided+"), false)) FROM "+tables.Name(whole+m.a.Copy))
	if err != nil {
		return err
	}
	if n, _ := row.Values[0].(int64); n > 0 {
		return m.in.unconverted("meaning", service.Args{"table": m.onto, "from": m.a.Copy, "n": n, "detail": m.a.Provided})
	}
	return nil
}

// keys are the columns of a key.
func (m *maker) keys() (names []string) {
	for i := range m.a.By {
		names = append(names, fmt.Sprintf("k%d", i))
	}
	return names
}

func (m *maker) on() string { return strings.Join(m.keys(), ", ") }

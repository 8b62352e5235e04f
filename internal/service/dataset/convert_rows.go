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

// lay lists the rows that lie there, and of those with one key all but the last.
func (m *maker) lay(ctx context.Context) error {
	rows, err := m.lies(ctx)
	if err != nil {
		return err
	}
	if err := m.db.Do(ctx, "CREATE VIEW "+tables.Name(lying)+" AS "+rows); err != nil {
		return err
	}
	var order []string
	for i := range m.cfg.Tables[m.onto].Order {
		order = append(order, fmt.Sprintf("o%d DESC NULLS LAST", i))
	}
	order = append(order, tables.Name(nth)+" DESC")
	statement := fmt.Sprintf(`CREATE TABLE %[1]s AS WITH r AS NOT MATERIALIZED (SELECT * FROM %[2]s WHERE NOT (%[3]s)), several AS (SELECT %[4]s FROM r GROUP BY ALL HAVING count(*) > 1)
		SELECT %[5]s, row_number() OVER (PARTITION BY %[4]s ORDER BY %[6]s) AS n, %[4]s FROM r SEMI JOIN several USING (%[4]s)`,
		tables.Name(twice), tables.Name(lying), nulls(m.keys()), m.on(), tables.Name(nth), strings.Join(order, ", "))
	if err := m.db.Do(ctx, statement); err != nil {
		return err
	}
	later := "n > 1"
	if m.document() {
		later = "true" // which of several places is meant, nobody can say
	}
	return m.db.Do(ctx, fmt.Sprintf("CREATE VIEW %s AS SELECT * FROM %s ANTI JOIN (SELECT %s FROM %s WHERE %s) USING (%[3]s)", tables.Name(single), tables.Name(lying), tables.Name(nth), tables.Name(twice), later))
}

func (m *maker) document() bool { return m.cfg.Tables[m.onto].Document != "" }

// lies is the statement of the rows that lie there.
func (m *maker) lies(ctx context.Context) (string, error) {
	if m.document() {
		return m.liesInDocument(), nil
	}
	types, names, err := m.lyingTypes(ctx)
	if err != nil {
		return "", err
	}
	if m.columns, err = m.written(ctx, types, names); err != nil {
		return "", err
	}
	if len(names) == 0 {
		return m.liesNowhere(), nil
	}
	t, there := m.cfg.Tables[m.onto], map[string]bool{}
	var raws []string
	for _, name := range names {
		there[name] = true
		raws = append(raws, tables.Name(name)+" AS "+tables.Name(filed+name))
	}
	rows := fmt.Sprintf("SELECT file_row_number AS %s, %s, %s FROM read_parquet(%s, file_row_number = true)", tables.Name(nth), t.typed(there), strings.Join(raws, ", "), tables.Text(m.lyingFile()))
	return m.liesIn(rows, func(c column) string {
		if !c.there {
			return "NULL::" + c.sql
		}
		return tables.Name(filed + c.name)
	}), nil
}

// liesIn picks what a conversion needs of rows: number, key, order and the columns.
func (m *maker) liesIn(rows string, value func(column) string) string {
	t, parts := m.cfg.Tables[m.onto], []string{tables.Name(nth)}
	for i, folded := range t.folded(m.a.By) {
		parts = append(parts, fmt.Sprintf("(%s)::VARCHAR AS k%d", folded, i))
	}
	for i, name := range t.Order {
		parts = append(parts, fmt.Sprintf("%s AS o%d", tables.Name(name), i))
	}
	for i, c := range m.columns {
		parts = append(parts, fmt.Sprintf("%s AS f%d", value(c), i))
	}
	return "SELECT " + strings.Join(parts, ", ") + " FROM (" + rows + ")"
}

// liesNowhere is that of a file that is not there, or of which nothing can be read.
func (m *maker) liesNowhere() string {
	parts := []string{"NULL::BIGINT AS " + tables.Name(nth)}
	for _, key := range m.keys() {
		parts = append(parts, "NULL::VARCHAR AS "+key)
	}
	for i := range m.cfg.Tables[m.onto].Order {
		parts = append(parts, fmt.Sprintf("NULL AS o%d", i))
	}
	for i, c := range m.columns {
		parts = append(parts, fmt.Sprintf("NULL::%s AS f%d", c.sql, i))
	}
	return "SELECT " + strings.Join(parts, ", ") + " LIMIT 0"
}

func (m *maker) liesInDocument() string {
	t := m.cfg.Tables[m.onto]
	for i, name := range m.values {
		m.columns = append(m.columns, column{name: name, sql: t.Columns[name].sql(), key: -1, value: i, there: true})
	}
	return m.liesIn("FROM "+tables.Name(whole+m.onto), func(c column) string { return tables.Name(c.name) })
}

// lyingFile is the one that can be read, or "".
func (m *maker) lyingFile() string {
	if !m.asked[m.onto] || len(m.found[m.onto]) != 1 {
		return ""
	}
	return m.found[m.onto][0]
}

// lyingTypes are the columns of the file, in its order.
func (m *maker) lyingTypes(ctx context.Context) (types map[string]string, names []string, err error) {
	file := m.lyingFile()
	if file == "" {
		return nil, nil, nil
	}
	return typesOf(ctx, m.db, tables.From(tables.Parquet, file))
}

func typesOf(ctx context.Context, db *tables.DB, from string) (types map[string]string, names []string, err error) {
	types = map[string]string{}
	for row, err := range db.Rows(ctx, "DESCRIBE SELECT * FROM "+from) {
		if err != nil {
			return nil, nil, err
		}
		name := row.Values[0].(string)
		names, types[name] = append(names, name), row.Values[1].(string)
	}
	return types, names, nil
}

// written are the columns of the file that is written: those that are there, and what it
// lacks of the key and of what is declared; all that can be given, where there is no file.
func (m *maker) written(ctx context.Context, types map[string]string, names []string) (all []column, err error) {
	given, _, err := typesOf(ctx, m.db, tables.Name(given))
	if err != nil {
		return nil, err
	}
	t := m.cfg.Tables[m.onto]
	for _, name := range slices.Concat(names, m.lacking(names)) {
		c := column{name: name, sql: types[name], key: slices.Index(m.a.By, name), value: slices.Index(m.values, name)}
		c.there = c.sql != ""
		gives := ""
		if c.value >= 0 {
			gives = kept(given[fmt.Sprintf("v%d", c.value)])
		}
		switch {
		case !c.there && t.Columns[name] != "":
			c.sql = t.Columns[name].sql()
		case !c.there:
			c.sql = gives
		case coarse(c.sql) && gives == "DOUBLE":
			c.sql = gives // a writer had only whole or short numbers to store
		}
		all = append(all, c)
	}
	return all, nil
}

// lacking are columns that the file does not have.
func (m *maker) lacking(names []string) (more []string) {
	t := m.cfg.Tables[m.onto]
	add := func(name string) {
		if !slices.Contains(names, name) && !slices.Contains(more, name) {
			more = append(more, name)
		}
	}
	for _, name := range m.a.By {
		add(name)
	}
	for _, name := range m.values {
		if c := t.Columns[name]; len(names) == 0 || c != "" && !c.optional() {
			add(name)
		}
	}
	for _, name := range t.known() {
		if len(names) == 0 {
			add(name)
		}
	}
	return more
}

// kept is the type in which a value is stored that an expression gives: sums of whole numbers
// are wider than any file wants.
func kept(sql string) string {
	switch {
	case sql == "HUGEINT", sql == "INTEGER", sql == "UBIGINT":
		return "BIGINT"
	case sql == "FLOAT", strings.HasPrefix(sql, "DECIMAL"):
		return "DOUBLE"
	}
	return sql
}

// coarse reports whether a type cannot hold every share.
func coarse(sql string) bool {
	return strings.HasPrefix(sql, "DECIMAL") || slices.Contains([]string{"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}, sql)
}

// other is true where a column has another value than the other table gives. Where that
// gives none, the column keeps its own.
func (m *maker) other(i int) string {
	c := m.columns[i]
	if c.value < 0 {
		return "false"
	}
	is, was := fmt.Sprintf("v%d::%s", c.value, c.sql), fmt.Sprintf("f%d::%s", i, c.sql)
	differs := fmt.Sprintf("v%d IS NOT NULL AND %s IS DISTINCT FROM %s", c.value, is, was)
	if c.sql == "DOUBLE" || c.sql == "FLOAT" {
		differs += fmt.Sprintf(" AND coalesce(abs((%s)::DOUBLE - (%s)::DOUBLE) > %g * greatest(1, abs((%s)::DOUBLE)), true)", is, was, tolerance, is)
	}
	return "(" + differs + ")"
}

// tally counts what a conversion changes.
func (m *maker) tally(ctx context.Context) (t tally, err error) {
	anyOf, counts := []string{"false"}, ""
	for i := range m.columns {
		anyOf = append(anyOf, m.other(i))
		counts += fmt.Sprintf(", count(*) FILTER (WHERE _g AND _l AND %s)", m.other(i))
	}
	row, err := m.db.One(ctx, fmt.Sprintf(`SELECT coalesce(sum(%[1]s), 0)::BIGINT, count(*) FILTER (WHERE _g AND _l IS NULL), count(*) FILTER (WHERE _g AND _l AND (%[2]s)), count(*) FILTER (WHERE _g IS NULL), count(*)%[3]s
		FROM (SELECT *, true AS _g FROM %[4]s) FULL JOIN (SELECT *, true AS _l FROM %[5]s) USING (%[6]s)`,
		tables.Name(gathers), strings.Join(anyOf, " OR "), counts, m.usedGiven(), tables.Name(single), m.on()))
	if err != nil {
		return t, err
	}
	n := func(i int) int64 { v, _ := row.Values[i].(int64); return v }
	t = tally{In: n(0), New: n(1), Changed: n(2), Alone: n(3), Fields: map[string]int64{}}
	for i, c := range m.columns {
		if n(5+i) > 0 {
			t.Fields[c.name] = n(5 + i)
		}
	}
	return m.rest(ctx, t, n(4))
}

// rest counts the rows that stand there twice.
func (m *maker) rest(ctx context.Context, t tally, keys int64) (tally, error) {
	row, err := m.db.One(ctx, fmt.Sprintf("SELECT (SELECT count(*) FROM %[1]s), (SELECT count(*) FILTER (WHERE n > 1) FROM %[1]s), (SELECT count(*) FROM %[2]s)", tables.Name(twice), tables.Name(lying)))
	if err != nil {
		return t, err
	}
	several, _ := row.Values[0].(int64)
	t.Before, _ = row.Values[2].(int64)
	if m.document() {
		t.After = keys + several
		return t, m.unclear(ctx)
	}
	t.Doubled, _ = row.Values[1].(int64)
	t.After = keys - t.Alone
	t.Unread = len(m.found[m.onto]) > 0 && m.lyingFile() == ""
	return t, nil
}

// usedGiven are the given rows that are used: in a document none for which there are several
// places.
func (m *maker) usedGiven() string {
	if !m.document() {
		return tables.Name(given)
	}
	return fmt.Sprintf("%s ANTI JOIN (SELECT DISTINCT %s FROM %s) USING (%[2]s)", tables.Name(given), m.on(), tables.Name(twice))
}

// unclear refuses a document in which a key stands in several places and has other numbers.
func (m *maker) unclear(ctx context.Context) error {
	judged, _ := m.judged(m.a)
	var keys []string
	for i, column := range m.a.By {
		keys = append(keys, fmt.Sprintf("k%d AS %s", i, tables.Name(column)))
	}
	names := make([]string, len(m.a.By))
	for i, column := range m.a.By {
		names[i] = tables.Name(column)
	}
	row, err := m.db.One(ctx, fmt.Sprintf("%s SELECT count(*), min(_key) FROM judged SEMI JOIN (SELECT %s FROM %s) USING (%s) WHERE _is = 'differ'", judged, strings.Join(keys, ", "), tables.Name(twice), strings.Join(names, ", ")))
	if err != nil {
		return err
	}
	if n, _ := row.Values[0].(int64); n > 0 {
		return m.in.unconverted("unclear", service.Args{"table": m.onto, "from": m.from, "n": n, "detail": fmt.Sprint(row.Values[1])})
	}
	return nil
}

// agrees is an error where nothing is to be written and the numbers differ all the same.
func (m *maker) agrees(ctx context.Context, c conversion) error {
	lacks, extra, differ, example, err := m.compared(ctx)
	if c.Back {
		lacks = 0 // rows of the source alone stay
	}
	if err != nil || lacks+extra+differ == 0 {
		return err
	}
	return m.in.unconverted("disagree", service.Args{"table": m.onto, "from": m.from, "n": lacks + extra + differ, "detail": example})
}

// whole is an error where the source holds less than it held at the last check: what its
// copy has more may be all that is left.
func (m *maker) whole(ctx context.Context) error {
	if m.in.env.State == nil {
		return nil
	}
	was, err := m.in.past(ctx, m.from)
	if err != nil || was.At.IsZero() {
		return err
	}
	measured := map[string]any{}
	for name, total := range m.cfg.Tables[m.from].Totals {
		row, err := m.db.One(ctx, "SELECT ("+total+") FROM "+tables.Name(whole+m.from))
		if err != nil {
			return err
		}
		measured[name] = row.Values[0]
	}
	now, err := m.present(ctx, m.from, measured)
	var v service.Verdict
	if err != nil || !was.judge(m.from, now, &v) {
		return err
	}
	return m.in.unconverted("lost", service.Args{"table": m.onto, "from": m.from, "detail": v.Findings[0].Subject, "n": len(v.Findings)})
}

// compared judges both tables by what must be the same.
func (m *maker) compared(ctx context.Context) (lacks, extra, differ int64, example string, err error) {
	row, err := m.db.One(ctx, m.copyStatement(m.a))
	if err != nil {
		return 0, 0, 0, "", err
	}
	n := func(i int) int64 { v, _ := row.Values[i].(int64); return v }
	return n(0), n(1), n(2), fmt.Sprintf("%v: %v", row.Values[4], row.Values[5]), nil
}

package dataset

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"upkeep/internal/tables"
)

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

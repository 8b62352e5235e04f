package dataset

import (
	"context"
	"fmt"
	"strings"

	"upkeep/internal/service"
	"upkeep/internal/tables"
)

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

package dataset

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"upkeep/internal/service"
	"upkeep/internal/tables"
)

// tolerance is how far a derived number may be from what it follows from, as a share of
// the larger one: a float32 has seven digits.
const tolerance = 1e-6

// rule is one count over all rows of a table: of those that break it.
type rule struct {
	slug     string
	name     string
	count    string                           // condition of rows that break it
	show     []string                         // expressions of an example
	args     func(example []any) service.Args // what the finding says beside rows and name
	critical bool
}

// rules lists what every row of a table must keep.
func (s *store) rules(name string) (all []rule) {
	t := s.cfg.Tables[name]
	for _, column := range slices.Sorted(maps.Keys(t.Derived)) {
		all = append(all, derived(column, t.Derived[column]))
	}
	for _, name := range slices.Sorted(maps.Keys(t.Invariants)) {
		all = append(all, holds("dataset.invariant-broken", name, t.Invariants[name], true))
	}
	for _, name := range slices.Sorted(maps.Keys(t.Usual)) {
		all = append(all, holds("dataset.row-unusual", name, t.Usual[name], false))
	}
	if len(t.Key) > 0 {
		all = append(all, rule{slug: "dataset.key-null", name: "", count: "(" + nulls(t.Key) + ")",
			args: func([]any) service.Args { return service.Args{"key": t.Key} }})
	}
	if t.Document == "" {
		for _, column := range slices.Sorted(maps.Keys(t.Columns)) {
			all = append(all, misfit(column, t.Columns[column]))
		}
	}
	return all
}

func derived(column, from string) rule {
	c := tables.Name(column)
	differs := fmt.Sprintf("%[1]s IS NOT NULL AND (%[2]s) IS NOT NULL AND (%[2]s) IS DISTINCT FROM %[1]s", c, from)
	differs += fmt.Sprintf(" AND coalesce(abs(try_cast(%[1]s AS DOUBLE) - try_cast((%[2]s) AS DOUBLE)) > %[3]g * greatest(1, abs(try_cast(%[1]s AS DOUBLE))), true)", c, from, tolerance)
	return rule{slug: "dataset.derived-differs", name: column, count: differs, show: []string{c, "(" + from + ")"},
		args: func(example []any) service.Args {
			return service.Args{"column": column, "rule": from, "stored": fmt.Sprint(example[0]), "computed": fmt.Sprint(example[1])}
		}}
}

// holds is a rule of the declaration's own. A row of which it cannot be told keeps it.
func holds(slug, name, condition string, critical bool) rule {
	return rule{slug: slug, name: name, count: "NOT (" + condition + ")", critical: critical,
		args: func([]any) service.Args { return service.Args{"rule": condition, "name": name} }}
}

func misfit(column string, c Column) rule {
	there := tables.Name(raw + column)
	return rule{slug: "dataset.value-type", name: column, count: there + " IS NOT NULL AND " + tables.Name(column) + " IS NULL", show: []string{there},
		args: func(example []any) service.Args {
			return service.Args{"column": column, "type": strings.TrimSuffix(string(c), "?"), "value": fmt.Sprint(example[0])}
		}}
}

func nulls(columns []string) string {
	parts := make([]string, len(columns))
	for i, column := range columns {
		parts[i] = tables.Name(column) + " IS NULL"
	}
	return strings.Join(parts, " OR ")
}

// judgeRows counts in one pass over a table what breaks its rules, and takes the totals.
func (s *store) judgeRows(ctx context.Context, name string, v *service.Verdict) (map[string]any, error) {
	t, all := s.cfg.Tables[name], s.rules(name)
	parts := []string{"count(*)"}
	for _, r := range all {
		parts = append(parts, "count(*) FILTER (WHERE "+r.count+")")
	}
	totals := slices.Sorted(maps.Keys(t.Totals))
	for _, total := range totals {
		parts = append(parts, t.Totals[total])
	}
	row, err := s.db.One(ctx, "SELECT "+strings.Join(parts, ", ")+" FROM "+tables.Name(whole+name))
	if err != nil {
		return nil, s.unanswered(ctx, name, err, v)
	}
	for i, r := range all {
		if n, _ := row.Values[i+1].(int64); n > 0 {
			if err := s.broken(ctx, name, r, n, row.Values[0], v); err != nil {
				return nil, err
			}
		}
	}
	for column, n := range s.misfits[name] {
		v.Warn("dataset.value-type", name+"."+column, service.Args{"table": name, "column": column, "rows": n, "type": strings.TrimSuffix(string(t.Columns[column]), "?"), "value": ""})
	}
	measured := map[string]any{"rows": row.Values[0]}
	for i, total := range totals {
		measured[total] = row.Values[1+len(all)+i]
	}
	return measured, nil
}

// unanswered tells what a file turned out to be when its rows were read; what is wrong
// with the declaration is an error.
func (s *store) unanswered(ctx context.Context, name string, err error, v *service.Verdict) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case tables.Misused(err):
		return &service.Fault{ID: "dataset.bad-expression", Args: service.Args{"table": name, "detail": tables.Said(err)},
			Err: fmt.Errorf("judge table %s: %w: %w", name, err, service.ErrUnsupported)}
	case !tables.Damaged(err):
		return err
	}
	s.partial[name], s.asked[name] = true, false
	v.Crit("dataset.file-damaged", name, service.Args{"path": strings.Join(s.cfg.Tables[name].Files, " "), "table": name, "detail": tables.Said(err)})
	return nil
}

// broken makes the finding, with one row that breaks the rule.
func (s *store) broken(ctx context.Context, name string, r rule, n int64, of any, v *service.Verdict) error {
	key := s.cfg.Tables[name].Key
	show := slices.Clone(r.show)
	for _, column := range key {
		show = append(show, tables.Name(column))
	}
	if len(show) == 0 {
		show = []string{"1"}
	}
	row, err := s.db.One(ctx, "SELECT "+strings.Join(show, ", ")+" FROM "+tables.Name(whole+name)+" WHERE "+r.count+" LIMIT 1")
	if err != nil {
		return fmt.Errorf("look at a row of %s: %w", name, err)
	}
	args := r.args(row.Values)
	args["table"], args["rows"], args["of"], args["example"] = name, n, of, exampleOf(key, row.Values[len(r.show):])
	judge := v.Warn
	if r.critical {
		judge = v.Crit
	}
	judge(r.slug, strings.TrimSuffix(name+"."+r.name, "."), args)
	return nil
}

// exampleOf names a row by its key: "model=qwen, prompt=cot".
func exampleOf(key []string, values []any) string {
	parts := make([]string, len(key))
	for i, column := range key {
		parts[i] = fmt.Sprintf("%s=%v", column, values[i])
	}
	return strings.Join(parts, ", ")
}

// judgeKeys counts keys that stand in more than one row. Null is equal to nothing.
func (s *store) judgeKeys(ctx context.Context, name string, v *service.Verdict) error {
	t := s.cfg.Tables[name]
	if len(t.Key) == 0 {
		return nil
	}
	folded := t.folded(t.Key)
	statement := fmt.Sprintf("SELECT count(*), sum(n - 1), any_value(e) FROM (SELECT count(*) AS n, any_value(concat_ws(', ', %s)) AS e FROM %s WHERE NOT (%s) GROUP BY %s HAVING n > 1)",
		strings.Join(folded, ", "), tables.Name(whole+name), nulls(t.Key), strings.Join(folded, ", "))
	row, err := s.db.One(ctx, statement)
	if err != nil {
		return s.unanswered(ctx, name, err, v)
	}
	if n, _ := row.Values[0].(int64); n > 0 {
		v.Warn("dataset.key-twice", name, service.Args{"table": name, "key": t.Key, "keys": n, "extra": row.Values[1], "example": fmt.Sprint(row.Values[2])})
	}
	return nil
}

// folded are columns as the table compares them.
func (t Table) folded(columns []string) []string {
	parts := make([]string, len(columns))
	for i, column := range columns {
		parts[i] = tables.Name(column)
		if fold := t.Fold[column]; fold != "" {
			parts[i] = "(" + fold + ")"
		}
	}
	return parts
}

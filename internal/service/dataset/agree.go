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

// judgeCopies compares every copy of a table with its source, row by row as their keys
// fold.
func (s *store) judgeCopies(ctx context.Context, v *service.Verdict) error {
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Copies)) {
		a := s.cfg.Copies[name]
		if !s.asked[a.Source] || !s.asked[a.Copy] || s.partial[a.Source] || s.partial[a.Copy] {
			continue // that one cannot be read is a finding already
		}
		if err := s.judgeCopy(ctx, name, a, v); err != nil {
			return err
		}
	}
	return nil
}

// judgeCopy counts keys of one side alone, and those whose numbers differ, and shows the
// first of each.
func (s *store) judgeCopy(ctx context.Context, name string, a Agreement, v *service.Verdict) error {
	row, err := s.db.One(ctx, s.copyStatement(a))
	if err != nil {
		return s.unanswered(ctx, a.Copy, err, v)
	}
	lacks, extra, differ := row.Values[0].(int64), row.Values[1].(int64), row.Values[2].(int64)
	if lacks+extra+differ == 0 {
		return nil
	}
	v.Crit("dataset.copy-differs", name, service.Args{"source": a.Source, "copy": a.Copy, "lacks": lacks, "extra": extra, "differ": differ,
		"of": row.Values[3], "example": fmt.Sprint(row.Values[4]), "numbers": fmt.Sprint(row.Values[5])})
	return nil
}

func (s *store) copyStatement(a Agreement) string {
	judged, numbers := s.judged(a)
	return judged + `
		SELECT count(*) FILTER (WHERE _is = 'lacks'), count(*) FILTER (WHERE _is = 'extra'), count(*) FILTER (WHERE _is = 'differ'), count(*),
			arg_min(_key, _key) FILTER (WHERE _is IS NOT NULL), arg_min(concat_ws(', ', ` + numbers + `), _key) FILTER (WHERE _is IS NOT NULL) FROM judged`
}

// judged begins a statement: every key of both, and what it is; numbers shows those of one.
func (s *store) judged(a Agreement) (with, numbers string) {
	var keys, differs, shown []string
	for _, column := range a.By {
		keys = append(keys, tables.Name(column))
	}
	for i, source := range slices.Sorted(maps.Keys(a.Same)) {
		differs = append(differs, fmt.Sprintf("abs(coalesce(s%[1]d, 0) - coalesce(c%[1]d, 0)) > %[2]g * greatest(1, abs(coalesce(s%[1]d, 0)))", i, tolerance))
		shown = append(shown, fmt.Sprintf("concat(%s, ' ', coalesce(s%d, 0), ' : ', coalesce(c%d, 0))", tables.Text(source), i, i))
	}
	all, differ := strings.Join(keys, ", "), "("+strings.Join(differs, " OR ")+")"
	return fmt.Sprintf(`WITH joined AS (SELECT *, concat_ws(', ', %[1]s) AS _key FROM (%[2]s) FULL JOIN (%[3]s) USING (%[1]s)),
		judged AS (SELECT *, CASE WHEN _c IS NULL THEN 'lacks' WHEN _s IS NULL THEN 'extra' WHEN %[4]s THEN 'differ' END AS _is FROM joined)`,
		all, s.side(a.Source, a.By, slices.Sorted(maps.Keys(a.Same)), "s"), s.side(a.Copy, a.By, inOrder(a.Same), "c"), differ), strings.Join(shown, ", ")
}

// inOrder are the values of a map in the order of its keys.
func inOrder(same map[string]string) (values []string) {
	for _, key := range slices.Sorted(maps.Keys(same)) {
		values = append(values, same[key])
	}
	return values
}

// side is one of the two tables, a row per key, with the numbers that are compared.
func (s *store) side(name string, by, numbers []string, letter string) string {
	var parts, group []string
	for i, folded := range s.cfg.Tables[name].folded(by) {
		parts = append(parts, "("+folded+")::VARCHAR AS "+tables.Name(by[i]))
		group = append(group, folded)
	}
	for i, number := range numbers {
		parts = append(parts, fmt.Sprintf("(%s)::DOUBLE AS %s%d", number, letter, i))
	}
	return "SELECT " + strings.Join(parts, ", ") + ", true AS _" + letter + " FROM " + tables.Name(whole+name) + " GROUP BY " + strings.Join(group, ", ")
}

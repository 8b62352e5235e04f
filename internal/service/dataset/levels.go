package dataset

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"upkeep/internal/service"
	"upkeep/internal/tables"
	"upkeep/internal/tables/document"
)

// judgeLevels compares the sums that a document keeps further up with the rows below
// them.
func (s *store) judgeLevels(ctx context.Context, name string, v *service.Verdict) error {
	t := s.cfg.Tables[name]
	for _, at := range slices.Sorted(maps.Keys(t.Levels)) {
		for _, field := range slices.Sorted(maps.Keys(t.Levels[at])) {
			if err := s.judgeLevel(ctx, name, at, field, t.Levels[at][field], v); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *store) judgeLevel(ctx context.Context, name, at, field, sum string, v *service.Verdict) error {
	pattern, err := document.ParsePattern(at)
	if err != nil {
		return err
	}
	by := pattern.Captures()
	row, err := s.db.One(ctx, levelStatement(name, at, by, field, sum))
	if err != nil {
		return s.unanswered(ctx, name, err, v)
	}
	n, _ := row.Values[0].(int64)
	if n == 0 {
		return nil
	}
	place := at
	for i, capture := range by {
		place = strings.ReplaceAll(place, "{"+capture+"}", fmt.Sprint(row.Values[3+i]))
	}
	v.Crit("dataset.level-differs", at+"/"+field, service.Args{"table": name, "level": at, "field": field, "rule": sum, "places": n,
		"place": strings.TrimPrefix(place+"/"+field, "/"), "stored": row.Values[1], "computed": row.Values[2]})
	return nil
}

// levelStatement counts the places that differ and shows the one that is furthest off.
// Where the document says nothing, it says 0.
func levelStatement(name, at string, by []string, field, sum string) string {
	keys := make([]string, len(by))
	for i, column := range by {
		keys[i] = tables.Name(column)
	}
	list := strings.Join(append(keys, ""), ", ")
	group, join, shown := "", "CROSS JOIN below", ""
	if len(by) > 0 {
		all := strings.Join(keys, ", ")
		group, join = " GROUP BY "+all, "FULL JOIN below USING ("+all+")"
	}
	for _, key := range keys {
		shown += ", arg_max(" + key + ", off)"
	}
	return `WITH below AS (SELECT ` + list + `(` + sum + `)::DOUBLE AS computed FROM ` + tables.Name(whole+name) + group + `),
		level AS (SELECT ` + list + `any_value(` + tables.Name(field) + `)::DOUBLE AS stored FROM ` + tables.Name(levelOf(name, at)) + group + `),
		joined AS (SELECT ` + list + `coalesce(stored, 0) AS stored, coalesce(computed, 0) AS computed, abs(coalesce(stored, 0) - coalesce(computed, 0)) AS off FROM level ` + join + `)
		SELECT count(*), arg_max(stored, off), arg_max(computed, off)` + shown + ` FROM joined WHERE off > ` + fmt.Sprint(tolerance) + ` * greatest(1, abs(computed))`
}

package dataset

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"upkeep/internal/service"
	"upkeep/internal/tables"
)

// past is what a table held when it held most, as the state of the target keeps it.
type past struct {
	At      time.Time           `json:"at"`
	Totals  map[string]float64  `json:"totals,omitempty"`
	Lasting map[string][]string `json:"lasting,omitempty"` // values by column
	Created string              `json:"created,omitempty"`
}

const (
	stateOfPast = "past" // key of the state; followed by the name of a table
	// mostLasting bounds the values of a column that are kept: models, prompts, not IDs.
	mostLasting = 1000
)

// judgePast compares totals and lasting values with the most there ever was, and
// keeps the larger ones. What fell stays a finding until it is back or the owner says
// that it is right.
func (s *store) judgePast(ctx context.Context, name string, measured map[string]any, v *service.Verdict) error {
	t := s.cfg.Tables[name]
	if s.in.env.State == nil || s.partial[name] || len(t.Totals)+len(t.Lasting) == 0 && t.Created == "" {
		return nil
	}
	now, err := s.present(ctx, name, measured)
	if err != nil {
		return err
	}
	was, err := s.in.past(ctx, name)
	if err != nil {
		return err
	}
	lost := was.judge(name, now, v)
	if !lost {
		was.Created = now.Created
	}
	return s.in.keep(ctx, name, was.with(now))
}

func (s *store) present(ctx context.Context, name string, measured map[string]any) (past, error) {
	t := s.cfg.Tables[name]
	now := past{At: s.in.env.Now(), Totals: map[string]float64{}, Lasting: map[string][]string{}, Created: s.created[name]}
	for total := range t.Totals {
		now.Totals[total] = number(measured[total])
	}
	for _, column := range t.Lasting {
		statement := fmt.Sprintf("SELECT DISTINCT %[1]s::VARCHAR FROM %[2]s WHERE %[1]s IS NOT NULL ORDER BY 1 LIMIT %[3]d", tables.Name(column), tables.Name(whole+name), mostLasting)
		for row, err := range s.db.Rows(ctx, statement) {
			if err != nil {
				return now, fmt.Errorf("list %s of %s: %w", column, name, err)
			}
			now.Lasting[column] = append(now.Lasting[column], row.Values[0].(string))
		}
	}
	return now, nil
}

func number(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	return 0
}

// judge reports whether something is less than it was.
func (was past) judge(table string, now past, v *service.Verdict) (lost bool) {
	since := was.At.Format(time.RFC3339)
	for _, total := range slices.Sorted(maps.Keys(now.Totals)) {
		if before := was.Totals[total]; now.Totals[total] < before {
			lost = true
			v.Crit("dataset.total-fell", table+"."+total, service.Args{"table": table, "total": total, "before": before, "now": now.Totals[total], "since": since})
		}
	}
	for _, column := range slices.Sorted(maps.Keys(was.Lasting)) {
		if gone := without(was.Lasting[column], now.Lasting[column]); len(gone) > 0 && len(now.Lasting[column]) < mostLasting {
			lost = true
			v.Crit("dataset.value-vanished", table+"."+column, service.Args{"table": table, "column": column, "values": gone, "since": since})
		}
	}
	if was.Created != "" && now.Created != was.Created {
		args := service.Args{"table": table, "before": was.Created, "now": now.Created, "since": since}
		if lost {
			v.Crit("dataset.made-anew", table, args)
		} else {
			v.Warn("dataset.made-anew", table, args)
		}
	}
	return lost
}

func without(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(one string) bool { return slices.Contains(some, one) })
}

// with keeps the most of both. It is as old as the last time that nothing was less.
func (was past) with(now past) past {
	most := past{At: now.At, Totals: map[string]float64{}, Lasting: map[string][]string{}, Created: was.Created}
	for total, n := range now.Totals {
		most.Totals[total] = max(n, was.Totals[total])
		if n < was.Totals[total] {
			most.At = was.At
		}
	}
	for column, values := range now.Lasting {
		values = slices.Concat(values, was.Lasting[column])
		slices.Sort(values)
		most.Lasting[column] = slices.Compact(values)
		if len(most.Lasting[column]) > len(now.Lasting[column]) {
			most.At = was.At
		}
	}
	return most
}

func (in *Instance) past(ctx context.Context, table string) (p past, err error) {
	text, err := in.env.State.Get(ctx, stateOfPast+" "+table)
	if err != nil || text == "" {
		return p, err
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return p, fmt.Errorf("read what %s held: %w", table, err)
	}
	return p, nil
}

func (in *Instance) keep(ctx context.Context, table string, p past) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return in.env.State.Set(ctx, stateOfPast+" "+table, string(text))
}

package dataset

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"upkeep/internal/service"
	"upkeep/internal/tables"
)

// past is the most that a table ever held, as the state of the target keeps it.
type past struct {
	At      time.Time                    `json:"at"` // when nothing was less for the last time
	Totals  totals                       `json:"totals,omitempty"`
	Groups  map[string]map[string]totals `json:"groups,omitempty"` // by name of lasting, by value
	Created string                       `json:"created,omitempty"`
	// Lessened names the de-duplication whose doubles were taken out of it at last.
	Lessened string `json:"lessened,omitempty"`
}

// totals are numbers by their names.
type totals map[string]float64

const (
	stateOfPast = "past" // key of the state; followed by the name of a table
	// mostGroups bounds what is kept: models and prompts, not IDs.
	mostGroups = 1000
)

// judgePast compares what a table holds with the most it ever held. What fell stays a
// finding until it is back or waived.
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
	if was.At.IsZero() {
		return s.in.remember(ctx, name, now)
	}
	return s.in.remember(ctx, name, was.with(now, was.judge(name, now, v)))
}

func (s *store) present(ctx context.Context, name string, measured map[string]any) (past, error) {
	t := s.cfg.Tables[name]
	now := past{At: s.in.env.Now(), Totals: totals{}, Groups: map[string]map[string]totals{}, Created: s.created[name]}
	for total := range t.Totals {
		now.Totals[total] = number(measured[total])
	}
	for group := range t.Lasting {
		found, err := s.groups(ctx, name, t.Lasting[group])
		if err != nil {
			return now, fmt.Errorf("list %s of %s: %w", group, name, err)
		}
		now.Groups[group] = found
	}
	return now, nil
}

// groups are the totals by the value of an expression.
func (s *store) groups(ctx context.Context, name, by string) (map[string]totals, error) {
	t := s.cfg.Tables[name]
	names := slices.Sorted(maps.Keys(t.Totals))
	parts := []string{"(" + by + ")::VARCHAR AS g"}
	for _, total := range names {
		parts = append(parts, t.Totals[total])
	}
	statement := fmt.Sprintf("SELECT %s FROM %s WHERE (%s) IS NOT NULL GROUP BY g ORDER BY g LIMIT %d", strings.Join(parts, ", "), tables.Name(whole+name), by, mostGroups)
	found := map[string]totals{}
	for row, err := range s.db.Rows(ctx, statement) {
		if err != nil {
			return nil, err
		}
		of := totals{}
		for i, total := range names {
			of[total] = number(row.Values[i+1])
		}
		found[row.Values[0].(string)] = of
	}
	return found, nil
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

// with keeps the most of both.
func (was past) with(now past, lost bool) past {
	now.Lessened = was.Lessened
	if !lost {
		return now
	}
	most := past{At: was.At, Totals: was.Totals.most(now.Totals), Groups: map[string]map[string]totals{}, Created: was.Created, Lessened: was.Lessened}
	for name, groups := range now.Groups {
		most.Groups[name] = maps.Clone(was.Groups[name])
		if most.Groups[name] == nil {
			most.Groups[name] = map[string]totals{}
		}
		for value, of := range groups {
			most.Groups[name][value] = was.Groups[name][value].most(of)
		}
	}
	return most
}

func (t totals) most(other totals) totals {
	both := totals{}
	for name, n := range other {
		both[name] = max(n, t[name])
	}
	return both
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

func (in *Instance) remember(ctx context.Context, table string, p past) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return in.env.State.Set(ctx, stateOfPast+" "+table, string(text))
}

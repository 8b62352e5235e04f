package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"upkeep/internal/service"
	"upkeep/internal/tables"
)

// measured are the metrics of one table, from one state of its files: as long as they
// rest, nothing is read.
type measured struct {
	Of     string             `json:"of"` // the state of the files, and what was asked
	At     time.Time          `json:"at"`
	Values map[string]float64 `json:"values"` // null is left out
}

const stateOfMetrics = "metrics" // key of the state; followed by the name of a table

// measured gives the metrics of a table. One that is larger than a check reads, and of
// which nobody has seen this state, is an error.
func (in *Instance) measured(ctx context.Context, cfg Config, table string) (m measured, err error) {
	of, err := in.stateFor(cfg, table)
	if err != nil {
		return m, err
	}
	if m, err = in.lastMeasured(ctx, table); err != nil || m.Of == of {
		return m, err
	}
	m = measured{Of: of, At: in.env.Now(), Values: map[string]float64{}}
	if err := in.measureNow(ctx, cfg, table, &m); err != nil {
		return m, err
	}
	if in.env.State == nil {
		return m, nil
	}
	text, err := json.Marshal(m)
	if err != nil {
		return m, err
	}
	return m, in.env.State.Set(ctx, stateOfMetrics+" "+table, string(text))
}

// stateFor is the state of a table's files together with what is asked of it.
func (in *Instance) stateFor(cfg Config, table string) (string, error) {
	t := cfg.Tables[table]
	paths, err := in.find(t.Files)
	if err != nil {
		return "", err
	}
	if t.Document != "" {
		paths = []string{in.path(t.Document)}
	}
	parts := []string{fmt.Sprint(cfg.asked(table))}
	for _, path := range paths {
		s, err := in.see(path)
		if err != nil {
			return "", err
		}
		parts = append(parts, s.mark())
	}
	return strings.Join(parts, "\n"), nil
}

// asked are the expressions of the metrics of a table, by their names.
func (c Config) asked(table string) map[string]string {
	asked := map[string]string{}
	for name, m := range c.Metrics {
		if m.Table == table && m.Value != "" {
			asked[name] = m.Value
		}
	}
	return asked
}

func (in *Instance) lastMeasured(ctx context.Context, table string) (m measured, err error) {
	if in.env.State == nil {
		return m, nil
	}
	text, err := in.env.State.Get(ctx, stateOfMetrics+" "+table)
	if err != nil || text == "" {
		return m, err
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return m, fmt.Errorf("read what %s was measured to be: %w", table, err)
	}
	return m, nil
}

func (in *Instance) measureNow(ctx context.Context, cfg Config, table string, m *measured) (err error) {
	var v service.Verdict
	s, err := in.open(ctx, how{budget: int64(cfg.ReadAtCheck), only: func(name string) bool { return name == table }}, &v)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if !s.asked[table] || s.partial[table] {
		return fmt.Errorf("table %s cannot be measured, see upkeep check %s: %w", table, in.env.Target, service.ErrUnsupported)
	}
	asked := cfg.asked(table)
	names := slices.Sorted(maps.Keys(asked))
	expressions := make([]string, len(names))
	for i, name := range names {
		expressions[i] = "(" + asked[name] + ")::DOUBLE"
	}
	row, err := s.db.One(ctx, "SELECT "+strings.Join(expressions, ", ")+" FROM "+tables.Name(whole+table))
	if err != nil {
		return fmt.Errorf("measure table %s: %s: %w", table, tables.Said(err), service.ErrUnsupported)
	}
	for i, name := range names {
		if row.Values[i] != nil {
			m.Values[name] = number(row.Values[i])
		}
	}
	return nil
}

package dataset

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"upkeep/internal/service"
	"upkeep/internal/tables"
)

// lessen takes what a de-duplication has removed out of the most that its table ever held: a
// check that has seen the doubles would call it a loss. What was lost before stays lost.
func (in *Instance) lessen(ctx context.Context, w uniting, done replaced) error {
	if w.Work != service.Dedup || in.env.State == nil {
		return nil
	}
	was, err := in.past(ctx, w.Table)
	if err != nil || was.At.IsZero() || was.Lessened == w.id() {
		return err
	}
	before, err := in.holds(ctx, w.Table, map[string]string{done.Path: in.path(done.Kept)})
	if err != nil {
		return err
	}
	after, err := in.holds(ctx, w.Table, nil)
	if err != nil {
		return err
	}
	was = was.less(before, after)
	was.Lessened = w.id()
	return in.remember(ctx, w.Table, was)
}

// holds measures one table, some of its files read in the place of others.
func (in *Instance) holds(ctx context.Context, name string, instead map[string]string) (now past, err error) {
	var v service.Verdict // what is wrong with the rows is not asked
	s, err := in.open(ctx, how{budget: -1, instead: instead, only: func(table string) bool { return table == name }}, &v)
	if err != nil {
		return now, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	names := slices.Sorted(maps.Keys(s.cfg.Tables[name].Totals))
	parts := []string{"count(*)"}
	for _, total := range names {
		parts = append(parts, s.cfg.Tables[name].Totals[total])
	}
	row, err := s.db.One(ctx, "SELECT "+strings.Join(parts, ", ")+" FROM "+tables.Name(whole+name))
	if err != nil {
		return now, err
	}
	measured := map[string]any{}
	for i, total := range names {
		measured[total] = row.Values[i+1]
	}
	return s.present(ctx, name, measured)
}

// less is without what is no longer there.
func (was past) less(before, after past) past {
	was.Totals = was.Totals.less(before.Totals, after.Totals)
	groups := map[string]map[string]totals{}
	for name, values := range was.Groups {
		groups[name] = map[string]totals{}
		for value, of := range values {
			groups[name][value] = of.less(before.Groups[name][value], after.Groups[name][value])
		}
	}
	was.Groups = groups
	return was
}

func (t totals) less(before, after totals) totals {
	left := totals{}
	for name, n := range t {
		left[name] = n - max(before[name]-after[name], 0)
	}
	return left
}

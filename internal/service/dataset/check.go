package dataset

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"upkeep/internal/service"
)

// Check judges the store as far as it can be read in seconds: of tables larger than
// read_at_check what their files say of themselves.
func (in *Instance) Check(ctx context.Context) (service.Verdict, error) {
	cfg, _, err := in.declare(ctx, in.dir)
	if err != nil {
		return service.Verdict{}, err
	}
	return in.judge(ctx, how{budget: int64(cfg.ReadAtCheck)})
}

// Diagnose reads every page and every value.
func (in *Instance) Diagnose(ctx context.Context, r service.Report) (service.Verdict, error) {
	return in.judge(ctx, how{budget: -1, pages: true})
}

func (in *Instance) judge(ctx context.Context, how how) (v service.Verdict, err error) {
	s, err := in.open(ctx, how, &v)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Tables)) {
		if err := s.judgeTable(ctx, name, &v); err != nil {
			return v, fmt.Errorf("table %s: %w", name, err)
		}
	}
	return v, errors.Join(s.judgeCopies(ctx, &v), s.judgeWaiting(&v))
}

func (s *store) judgeTable(ctx context.Context, name string, v *service.Verdict) error {
	if err := s.judgeIncrements(ctx, name, v); err != nil || !s.asked[name] {
		return err
	}
	measured, err := s.judgeRows(ctx, name, v)
	if err != nil || measured == nil {
		return err
	}
	for what, n := range measured {
		v.Set(name+"_"+what, n)
	}
	return errors.Join(s.judgeKeys(ctx, name, v), s.judgeLevels(ctx, name, v), s.judgePast(ctx, name, measured, v))
}

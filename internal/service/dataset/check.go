package dataset

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"upkeep/internal/service"
)

// Check judges the store as far as it can be read in seconds: of tables larger than
// read_at_check what their files say of themselves.
func (in *Instance) Check(ctx context.Context) (service.Verdict, error) {
	return in.judgeAll(ctx, how{brief: true})
}

// Diagnose reads every page and every value.
func (in *Instance) Diagnose(ctx context.Context, r service.Report) (service.Verdict, error) {
	return in.judgeAll(ctx, how{budget: -1, pages: true})
}

// A file that is found damaged while somebody writes to it is looked at again, so often
// and after so long: writers that write in place take milliseconds.
const (
	looks     = 4
	lookAgain = 150 * time.Millisecond
	// fresh is the age under which a file may still be written to.
	fresh = time.Second
)

// judgeAll judges what lies in the store, then what is about it.
func (in *Instance) judgeAll(ctx context.Context, how how) (service.Verdict, error) {
	v, err := in.judge(ctx, how)
	if err != nil {
		return v, err
	}
	err = errors.Join(in.judgeLocks(ctx, &v), in.judgeQuarantine(&v), in.tellKept(&v))
	return v, err
}

func (in *Instance) judge(ctx context.Context, how how) (service.Verdict, error) {
	for look := 1; ; look++ {
		v, moving, err := in.judgeOnce(ctx, how)
		if err != nil || !moving || look == looks {
			return v, err
		}
		select {
		case <-ctx.Done():
			return v, ctx.Err()
		case <-time.After(lookAgain):
		}
	}
}

// judgeOnce also reports whether what is damaged may be half of somebody's writing.
func (in *Instance) judgeOnce(ctx context.Context, how how) (v service.Verdict, moving bool, err error) {
	s, err := in.open(ctx, how, &v)
	if err != nil {
		return v, false, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Tables)) {
		if err := s.judgeTable(ctx, name, &v); err != nil {
			return v, false, fmt.Errorf("table %s: %w", name, err)
		}
	}
	err = errors.Join(s.judgeCopies(ctx, &v), s.judgeWaiting(&v))
	return v, damaged(v) && s.moving(), err
}

func damaged(v service.Verdict) bool {
	return slices.ContainsFunc(v.Findings, func(f service.Finding) bool {
		return slices.Contains([]string{"dataset.file-damaged", "dataset.document-damaged", "dataset.increment-damaged"}, f.ID)
	})
}

// moving reports whether a file of a table is another one than when the store was opened,
// or was written to just before.
func (s *store) moving() bool {
	for path, was := range s.states {
		now, err := stateOf(path)
		if err != nil || now != was || s.in.env.Now().Sub(time.Unix(0, now.Time)).Abs() < fresh {
			return true
		}
	}
	return false
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
	return errors.Join(s.judgePast(ctx, name, measured, v), s.judgeKeys(ctx, name, v), s.judgeLevels(ctx, name, v))
}

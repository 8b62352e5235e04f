package dataset

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"upkeep/internal/service"
)

var _ service.Recoverer = (*Instance)(nil)

// Writers are those that are declared.
func (in *Instance) Writers(ctx context.Context) ([]string, error) {
	cfg, _, err := in.declare(ctx, in.dir)
	return cfg.Writers, err
}

// recovering is a choice among what a unit can be brought back from.
type recovering struct {
	in      *Instance
	cfg     Config
	unit    unit
	wanted  service.Wanted
	present *save
	saves   []*save // newest first
}

// Recovery judges what is there and all copies of it, and lists what brings back the
// newest that is right.
func (in *Instance) Recovery(ctx context.Context, w service.Wanted) (steps []service.Step, err error) {
	cfg, _, err := in.declare(ctx, in.dir)
	if err != nil {
		return nil, err
	}
	units := cfg.units()
	if len(units) == 0 {
		return nil, &service.Fault{ID: "dataset.no-single-file", Args: service.Args{"target": in.env.Target},
			Err: fmt.Errorf("no table lies in one file: %w", service.ErrUnsupported)}
	}
	var lacks error // of units of which there is nothing
	for _, u := range units {
		r := &recovering{in: in, cfg: cfg, unit: u, wanted: w}
		if err := r.judge(ctx); err != nil {
			return nil, fmt.Errorf("judge the copies of %s: %w", u.Path, err)
		}
		more, err := r.steps(ctx)
		switch {
		case errors.Is(err, service.ErrNotFound) && lacks == nil:
			lacks = err
		case err != nil && !errors.Is(err, service.ErrNotFound):
			return nil, err
		}
		steps = append(steps, more...)
	}
	if len(steps) == 0 {
		return nil, lacks
	}
	return steps, nil
}

// judge reads everything, and holds each to what those before it held.
func (r *recovering) judge(ctx context.Context) (err error) {
	if r.present, err = r.in.judgePresent(ctx, r.unit); err != nil {
		return err
	}
	all, err := r.in.saves(ctx, r.cfg, r.unit, r.wanted)
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.Sum != "" && s.Sum == r.present.Sum {
			r.present.Also = append(append(r.present.Also, s.Name), s.Also...)
			continue
		}
		if err := r.in.judgeSave(ctx, r.unit, s); err != nil {
			return err
		}
		r.saves = append(r.saves, s)
	}
	slices.SortStableFunc(r.saves, func(a, b *save) int { return b.At.Compare(a.At) })
	return r.follow(ctx)
}

// follow goes through the saves as they were made, the oldest first: what once was there
// and is not in a later one was lost. What a check has seen counts from then on.
func (r *recovering) follow(ctx context.Context) error {
	known, seen := map[string]past{}, map[string]bool{}
	for _, s := range slices.Backward(r.newestFirst()) {
		if !s.usable(r.wanted.Accepted) {
			continue
		}
		for _, table := range s.tables {
			if err := r.recall(ctx, table, s, known, seen); err != nil {
				return err
			}
			known[table] = s.compare(table, known[table], r.wanted.Accepted)
		}
	}
	return nil
}

// newestFirst are all of them with what is there, which comes before others of its time.
func (r *recovering) newestFirst() []*save {
	all := append([]*save{r.present}, r.saves...)
	slices.SortStableFunc(all, func(a, b *save) int { return b.At.Compare(a.At) })
	return all
}

// recall adds what a check has seen before a save was made.
func (r *recovering) recall(ctx context.Context, table string, s *save, known map[string]past, seen map[string]bool) error {
	if r.in.env.State == nil || seen[table] {
		return nil
	}
	noted, err := r.in.past(ctx, table)
	if err != nil || noted.At.IsZero() || s.At.Before(noted.At) {
		return err
	}
	seen[table] = true
	known[table] = known[table].and(noted)
	return nil
}

// and keeps the most of both.
func (was past) and(other past) past {
	if was.At.IsZero() {
		return other
	}
	return was.with(other, true)
}

// compare holds a table of a save to what was known before it, and gives what is known
// after it.
func (s *save) compare(table string, known past, accepted func(service.Finding) bool) past {
	now := s.holds[table]
	now.At = s.At
	var v service.Verdict
	if known.At.IsZero() || !known.judge(table, now, &v) {
		return now
	}
	before := len(s.faults)
	for _, f := range v.Findings {
		if f.Severity == service.Critical && !accepted(f) {
			s.faults = append(s.faults, f)
		}
	}
	return known.with(now, len(s.faults) > before)
}

// steps are none where the newest that is right is what is there.
func (r *recovering) steps(ctx context.Context) (steps []service.Step, err error) {
	if r.wanted.From != "" {
		chosen, err := r.named()
		if err != nil {
			return nil, err
		}
		return r.putting(ctx, chosen)
	}
	for _, s := range r.newestFirst() {
		why, against := s.against(r.wanted.Accepted)
		switch {
		case against && s != r.present:
			steps = append(steps, r.passedOver(s, why, len(steps)))
		case s == r.present && !against:
			return nil, nil
		case !against:
			more, err := r.putting(ctx, s)
			return append(shown(steps), more...), err
		}
	}
	return nil, r.nothing()
}

// mostPassed bounds the copies that a plan says were passed over.
const mostPassed = 20

func shown(steps []service.Step) []service.Step { return steps[:min(len(steps), mostPassed)] }

// named finds the one that is asked for.
func (r *recovering) named() (*save, error) {
	var found []*save
	for _, s := range r.newestFirst() {
		if slices.ContainsFunc(append([]string{s.Name}, s.Also...), r.called) {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		return nil, r.unknown(len(found))
	}
	why, against := found[0].against(r.wanted.Accepted)
	if against || found[0] == r.present {
		return nil, r.unfit(found[0], why)
	}
	return found[0], nil
}

// called reports whether somebody means a copy: by its path or the end of that, or by its
// point or the beginning of that.
func (r *recovering) called(name string) bool {
	if slices.ContainsFunc(r.wanted.Points, func(t service.Taken) bool { return t.Point == name }) {
		return strings.HasPrefix(name, r.wanted.From)
	}
	path, from := r.in.path(name), filepath.Clean(r.wanted.From)
	return path == from || strings.HasSuffix(path, string(filepath.Separator)+from)
}

func (r *recovering) unknown(n int) error {
	var names []string
	for _, s := range r.newestFirst() {
		if s != r.present {
			names = append(names, s.Name)
		}
	}
	return &service.Fault{ID: "dataset.save-unknown", Args: service.Args{"from": r.wanted.From, "n": n, "names": bounded(names), "target": r.in.env.Target},
		Err: fmt.Errorf("%d copies are called %q: %w", n, r.wanted.From, service.ErrNotFound)}
}

func (r *recovering) unfit(s *save, why service.Finding) error {
	args := r.reason(s, why)
	args["target"] = r.in.env.Target
	return &service.Fault{ID: "dataset.save-unfit", Args: args, Err: fmt.Errorf("%s cannot be used: %v: %w", s.Name, why.ID, service.ErrRefused)}
}

// nothing names what was looked at.
func (r *recovering) nothing() error {
	var looked []string
	for _, s := range r.newestFirst() {
		why, _ := s.against(r.wanted.Accepted)
		looked = append(looked, fmt.Sprintf("%s (%s)", s.Name, strings.TrimPrefix(why.ID, "dataset.")))
	}
	return &service.Fault{ID: "dataset.nothing-right", Args: service.Args{"path": r.unit.Path, "looked": bounded(looked), "n": len(looked) - 1, "target": r.in.env.Target},
		Err: errors.Join(fmt.Errorf("%d copies of %s and none that is right: %w", len(looked)-1, r.unit.Path, service.ErrNotFound))}
}

// bounded shows the first of many.
func bounded(names []string) []string {
	const most = 12
	if len(names) <= most {
		return names
	}
	return append(slices.Clone(names[:most]), fmt.Sprintf("… +%d", len(names)-most))
}

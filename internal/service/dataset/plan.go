package dataset

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"upkeep/internal/service"
	"upkeep/internal/tables"
	"upkeep/internal/tables/document"
	"upkeep/internal/tables/footer"
)

// planRepair lists what can be mended, a step per file, and what cannot.
func (in *Instance) planRepair(ctx context.Context) (steps []service.Step, err error) {
	var v service.Verdict // diagnosis is another verb
	s, err := in.open(ctx, how{budget: -1, broken: true}, &v)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	documents, files := s.documents(), s.files()
	for _, path := range slices.Sorted(maps.Keys(documents)) {
		more, err := s.planDocument(ctx, mending{Path: path, Tables: documents[path]})
		if err != nil {
			return nil, fmt.Errorf("plan the repair of %s: %w", path, err)
		}
		steps = append(steps, more...)
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		more, err := s.planFile(ctx, mending{Path: path, Tables: files[path]})
		if err != nil {
			return nil, fmt.Errorf("plan the repair of %s: %w", path, err)
		}
		steps = append(steps, more...)
	}
	rescues, err := in.planRescue(ctx, s.cfg)
	return append(steps, rescues...), err
}

// files are the tables of every file that is no document.
func (s *store) files() map[string][]string {
	byPath := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Tables)) {
		for _, path := range s.found[name] {
			byPath[s.in.within(path)] = append(byPath[s.in.within(path)], name)
		}
	}
	return byPath
}

// refusal is a step that only says why something stays as it is.
func refusal(path, reason string, more service.Args) []service.Step {
	args := service.Args{"path": path, "reason": reason, "detail": "", "left": 0}
	maps.Copy(args, more)
	return []service.Step{step(opRefuse, service.ReadOnly, path, args, service.Message{ID: opRefuse, Args: args})}
}

// planDocument mends sums and derived values, or saves the beginning of a broken
// document. One without a row is left alone: it would be made an empty one.
func (s *store) planDocument(ctx context.Context, m mending) (steps []service.Step, err error) {
	if refused := s.in.refuseLink(s.in.path(m.Path)); len(refused) > 0 {
		return refused, nil
	}
	if m.Was, err = stateOf(s.in.path(m.Path)); errors.Is(err, service.ErrNotFound) {
		return refusal(m.Path, "missing", nil), nil
	}
	if err != nil {
		return nil, err
	}
	if err := s.mend(ctx, m.Path, m.Tables); err != nil {
		return nil, err
	}
	rows, err := s.count(ctx, &m)
	if err != nil {
		return nil, err
	}
	fault, err := s.fault(m.Path)
	if err != nil {
		return nil, err
	}
	if fault == nil {
		return s.planMending(ctx, m)
	}
	if m.Why = string(fault.Reason); fault.Reason == document.Empty || fault.Reason == document.Twice {
		return refusal(m.Path, m.Why, service.Args{"detail": fault.Way}), nil
	}
	if rows == 0 {
		return refusal(m.Path, "nothing-readable", service.Args{"detail": fault.Detail}), nil
	}
	return s.planSalvage(ctx, m, fault)
}

// fault is what is wrong with a document. A byte order mark before it, which most readers
// refuse, was passed over by ours.
func (s *store) fault(path string) (*document.Fault, error) {
	if fault := s.faults[path]; fault != nil {
		return fault, nil
	}
	file, err := os.Open(s.in.path(path))
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	if err != nil || document.Content(file, info.Size()).Size() == info.Size() {
		return nil, err
	}
	return &document.Fault{Reason: document.ByteOrder}, nil
}

// count fills in how many rows each table has in the file.
func (s *store) count(ctx context.Context, m *mending) (all int64, err error) {
	for _, name := range m.Tables {
		n, _, err := s.measured(ctx, name, m.Path)
		if err != nil {
			return 0, err
		}
		m.Rows, all = append(m.Rows, n), all+n
	}
	return all, nil
}

func (s *store) planMending(ctx context.Context, m mending) (steps []service.Step, err error) {
	c, err := s.changes(ctx, m.Path, m.Tables)
	if err != nil {
		return nil, err
	}
	if c.Places > 0 {
		steps = append(steps, step(opRepair, service.Reversible, m.Path, m, service.Message{ID: opRepair, Args: service.Args{"path": m.Path, "places": c.Places,
			"worst": c.Worst.Place, "before": shownValue(c.Worst.Before), "after": shownValue(c.Worst.After)}}))
	}
	if c.Left > 0 {
		steps = append(steps, refusal(m.Path, "nothing-gives-it", service.Args{"left": c.Left})...)
	}
	return steps, nil
}

func shownValue(v any) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprint(v)
}

func (s *store) planSalvage(ctx context.Context, m mending, fault *document.Fault) ([]service.Step, error) {
	file, err := os.Open(s.in.path(m.Path))
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	saved, err := saves(s.cfg, m.Tables, file)
	if err != nil {
		return nil, err
	}
	kept, err := s.keeps(ctx, m)
	if err != nil {
		return nil, err
	}
	return []service.Step{step(opSalvage, service.Reversible, m.Path, m, service.Message{ID: "salvage-document", Args: service.Args{"path": m.Path,
		"kept": kept, "bytes": saved.Bytes, "of": m.Was.Size, "share": float64(saved.Bytes) / float64(m.Was.Size), "reason": m.Why, "offset": fault.Offset, "way": fault.Way}})}, nil
}

// keeps says what tables hold of a file: "leaves: 2, tests 7 / 10", where more was known.
func (s *store) keeps(ctx context.Context, m mending) (all []string, err error) {
	for i, name := range m.Tables {
		totals, err := s.totals(ctx, name, m.Path)
		if err != nil {
			return nil, err
		}
		text := fmt.Sprintf("%s %d", name, m.Rows[i])
		for _, total := range totals {
			text += ", " + total
		}
		all = append(all, text)
	}
	return all, nil
}

// planFile is that of a file that is no document.
func (s *store) planFile(ctx context.Context, m mending) (steps []service.Step, err error) {
	if refused := s.in.refuseLink(s.in.path(m.Path)); len(refused) > 0 {
		return refused, nil
	}
	if m.Was, err = stateOf(s.in.path(m.Path)); err != nil {
		return nil, err
	}
	if !m.parquet() {
		return s.planOther(ctx, m)
	}
	groups, whole, err := s.readableGroups(ctx, s.in.path(m.Path))
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return refusal(m.Path, "torn", service.Args{"detail": plain(err, s.in.path(m.Path))}), nil
	}
	if !whole {
		return s.planGroups(m, groups), nil
	}
	if err := s.mend(ctx, m.Path, m.Tables); err != nil {
		return nil, err
	}
	if _, err := s.count(ctx, &m); err != nil {
		return nil, err
	}
	return s.planMending(ctx, m)
}

// planGroups keeps the row groups that can be read.
func (s *store) planGroups(m mending, groups []footer.Group) []service.Step {
	var kept int64
	var damaged []string
	for i, g := range groups {
		if g.Damaged == nil {
			m.Groups, kept = append(m.Groups, i), kept+g.Rows
			continue
		}
		m.Lost += g.Rows
		damaged = append(damaged, fmt.Sprintf("%d (%d)", i, g.Rows))
	}
	if len(m.Groups) == 0 {
		return refusal(m.Path, "nothing-readable", service.Args{"detail": groups[0].Damaged.Error()})
	}
	for range m.Tables {
		m.Rows = append(m.Rows, kept)
	}
	m.Why = "damaged-pages"
	return []service.Step{step(opSalvage, service.Reversible, m.Path, m, service.Message{ID: "salvage-groups", Args: service.Args{"path": m.Path,
		"rows": kept, "lost": m.Lost, "groups": damaged, "of": len(groups)}})}
}

// planOther is about files that nothing is written into.
func (s *store) planOther(ctx context.Context, m mending) (steps []service.Step, err error) {
	var left int64
	for _, name := range m.Tables {
		t := s.cfg.Tables[name]
		for _, column := range t.mendable() {
			if !s.asked[name] {
				continue
			}
			row, err := s.db.One(ctx, "SELECT count(*) FILTER (WHERE "+derived(column, t.Derived[column]).count+") FROM "+tables.Name(whole+name))
			if err != nil {
				return nil, err
			}
			n, _ := row.Values[0].(int64)
			left += n
		}
	}
	if left == 0 {
		return nil, nil
	}
	return refusal(m.Path, "format", service.Args{"left": left}), nil
}

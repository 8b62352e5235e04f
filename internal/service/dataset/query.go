package dataset

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"upkeep/internal/service"
	"upkeep/internal/tables"
)

// Query answers one SELECT over the declared tables, in DuckDB's dialect. It reaches the
// files of the tables and no other; what is more or other than one SELECT is refused.
func (in *Instance) Query(ctx context.Context, statement string) iter.Seq2[service.Row, error] {
	return func(yield func(service.Row, error) bool) {
		if err := tables.OneSelect(ctx, statement); err != nil {
			yield(service.Row{}, refused(err, nil))
			return
		}
		var v service.Verdict
		s, err := in.asked(ctx, statement, &v)
		if err != nil {
			yield(service.Row{}, err)
			return
		}
		defer func() { _ = s.close() }() // it was only read
		for row, err := range s.db.Select(ctx, statement) {
			if !yield(service.Row(row), refused(err, v.Findings)) {
				return
			}
		}
	}
}

// asked opens the tables that a statement names. One of which something cannot be read
// is none: its answer would be of the rest.
func (in *Instance) asked(ctx context.Context, statement string, v *service.Verdict) (*store, error) {
	named := func(table string) bool { return strings.Contains(strings.ToLower(statement), strings.ToLower(table)) }
	s, err := in.open(ctx, how{budget: -1, only: named}, v)
	if err != nil {
		return nil, err
	}
	for name := range s.partial {
		if err := s.db.Do(ctx, "DROP VIEW IF EXISTS "+tables.Name(name)); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

// refused adds what could not be read to the reason why a statement has no answer.
func refused(err error, unread []service.Finding) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, tables.ErrNotSelect):
		return &service.Fault{ID: "dataset.not-select", Err: fmt.Errorf("%w: %w", err, service.ErrRefused)}
	}
	var lacks []string
	for _, f := range unread {
		lacks = append(lacks, f.Subject)
	}
	return &service.Fault{ID: "dataset.query-failed", Args: service.Args{"detail": tables.Said(err), "lacks": strings.Join(lacks, ", ")},
		Err: fmt.Errorf("ask the tables: %s: %w", tables.Said(err), service.ErrUnsupported)}
}

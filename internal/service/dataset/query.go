package dataset

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
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
		lacking, err := in.answer(ctx, statement, little, yield)
		if lacking {
			_, err = in.answer(ctx, statement, usual, yield)
		}
		if err != nil {
			yield(service.Row{}, err)
		}
	}
}

// memory is what an answer may take; every thread needs some of it. What is larger goes to
// the scratch directory.
type memory struct {
	bytes   int64
	threads int
}

// The little is for most answers, which are read, and maybe written to a file, beside it. Many
// wide columns need more.
var little, usual = memory{80 << 20, 2}, memory{}

// answer yields rows. That it lacks memory shows before the first one.
func (in *Instance) answer(ctx context.Context, statement string, m memory, yield func(service.Row, error) bool) (lacking bool, err error) {
	var v service.Verdict
	s, err := in.asked(ctx, statement, m, &v)
	if err != nil {
		return false, err
	}
	defer func() { _ = s.close() }() // it was only read
	for row, err := range s.db.Select(ctx, statement) {
		if err != nil {
			return tables.Exhausted(err), refused(err, v.Findings)
		}
		if !yield(service.Row(row), nil) {
			return false, nil
		}
	}
	return false, nil
}

// Columns names those of the answer to a statement.
func (in *Instance) Columns(ctx context.Context, statement string) (names []string, err error) {
	for row, err := range in.Query(ctx, "DESCRIBE "+statement) {
		if err != nil {
			return nil, err
		}
		names = append(names, row.Values[0].(string))
	}
	return names, nil
}

// Holds reports whether a file would lie in the store, wherever links lead.
func (in *Instance) Holds(path string) bool {
	dir, err := filepath.EvalSymlinks(in.dir)
	if err != nil {
		return false // there is no store
	}
	folder, err := filepath.Abs(filepath.Dir(path))
	if err == nil {
		folder, err = filepath.EvalSymlinks(folder)
	}
	within, relErr := filepath.Rel(dir, folder)
	return err == nil && relErr == nil && filepath.IsLocal(within)
}

// asked opens the tables that a statement names. One of which something cannot be read
// is none: its answer would be of the rest.
func (in *Instance) asked(ctx context.Context, statement string, m memory, v *service.Verdict) (*store, error) {
	named := func(table string) bool { return strings.Contains(strings.ToLower(statement), strings.ToLower(table)) }
	s, err := in.open(ctx, how{budget: -1, only: named, memory: m}, v)
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

package control

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"upkeep/internal/capability/data"
	"upkeep/internal/engine"
	"upkeep/internal/inventory"
	"upkeep/internal/service"
	"upkeep/internal/tables/write"
)

// diagnoseOp judges stores of data files value by value.
func (a *App) diagnoseOp(_ context.Context, _ string, req Request) (operation, error) {
	targets, err := a.offering("diagnose", req.Targets)
	if err != nil {
		return operation{}, err
	}
	d := data.Diagnose{Targets: targets}
	return operation{work: engine.Work{Steps: d.Steps(), Do: d.Do}}, nil
}

// offering selects the targets that offer a capability. One that was named and does not is
// an error; without names it is just not among them.
func (a *App) offering(capability string, names []string) ([]inventory.Target, error) {
	targets, err := a.Inventory.Select(names)
	if err != nil {
		return nil, err
	}
	can := slices.DeleteFunc(slices.Clone(targets), func(t inventory.Target) bool { return !t.Kind.Offers(capability) })
	if len(can) == 0 || len(names) > 0 && len(can) < len(targets) {
		return nil, fmt.Errorf("not every target of %v offers %s: %w", names, capability, service.ErrUnsupported)
	}
	return can, nil
}

// Query answers one read-only statement about one target, row by row. Nothing is
// recorded.
func (a *App) Query(ctx context.Context, target, statement string) iter.Seq2[service.Row, error] {
	return func(yield func(service.Row, error) bool) {
		err := a.query(ctx, target, statement, func(row service.Row) bool { return yield(row, nil) })
		if err != nil {
			yield(service.Row{}, err)
		}
	}
}

func (a *App) query(ctx context.Context, target, statement string, yield func(service.Row) bool) (err error) {
	targets, err := a.offering("query", []string{target})
	if err != nil {
		return err
	}
	in, err := targets[0].Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	queryer, err := service.As[service.Queryer](in)
	if err != nil {
		return err
	}
	for row, err := range queryer.Query(ctx, statement) {
		if err != nil {
			return err
		}
		if !yield(row) {
			return nil
		}
	}
	return nil
}

// DataExport asks for an answer as a file: of a statement, or of a whole table.
type DataExport struct {
	Target, Table, Statement, File string
	Force, BOM, Raw, Cut           bool
}

// DataExported is what was written.
type DataExported struct {
	Rows, Bytes int64
	Sheets      int   // of XLSX
	Cut         int64 // cells
}

// ExportData writes what one target answers as a file. Nothing is recorded: the target
// stays as it is.
func (a *App) ExportData(ctx context.Context, ask DataExport) (DataExported, error) {
	targets, err := a.offering("query", []string{ask.Target})
	if err != nil {
		return DataExported{}, err
	}
	e := data.Export{Target: targets[0], Statement: ask.Statement, File: ask.File, Force: ask.Force,
		Options: write.Options{BOM: ask.BOM, Raw: ask.Raw, Cut: ask.Cut}}
	if ask.Table != "" {
		e.Statement = data.Everything(ask.Table)
	}
	tell := a.telling(targets[0].Name, service.Message{ID: "data.export", Args: service.Args{"target": targets[0].Name, "file": ask.File}})
	tell(engine.Started, 0)
	done, err := e.Write(ctx, service.Report{Progress: func(n, _ int64) { tell(engine.Moving, n) }})
	tell(engine.Finished, 0)
	return DataExported{Rows: done.Rows, Bytes: done.Bytes, Sheets: done.Sheets, Cut: done.Cut}, err
}

// telling tells whoever looks of work that no engine runs.
func (a *App) telling(target string, title service.Message) func(engine.State, int64) {
	return func(state engine.State, done int64) {
		if a.opt.Watch != nil {
			a.opt.Watch(engine.Event{Step: title.ID, Target: target, Verb: "data", Title: title, State: state, Done: done})
		}
	}
}

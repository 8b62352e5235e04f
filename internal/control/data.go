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

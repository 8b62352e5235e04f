package control

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"upkeep/internal/capability/reconcile"
	"upkeep/internal/config"
	"upkeep/internal/consistency"
	"upkeep/internal/database"
	"upkeep/internal/engine"
	"upkeep/internal/inventory"
	"upkeep/internal/service"
)

// reconcileOp compares the stores with each other. req.Targets are names of rules;
// none = all.
func (a *App) reconcileOp(_ context.Context, _ string, req Request) (operation, error) {
	rules, err := a.Inventory.Rules(req.Targets, func(string) bool { return true })
	if err == nil && len(rules) == 0 {
		err = fmt.Errorf("there is no rule under reconcile: in %s: %w", a.Config.File, service.ErrUndeclared)
	}
	if err != nil {
		return operation{}, err
	}
	books := &books{app: a}
	r := reconcile.Reconcile{Inventory: a.Inventory, Rules: rules, Ledger: books.open}
	return operation{close: books.close, work: engine.Work{Steps: r.Steps(), Do: r.Do}}, nil
}

// reconcileAfter compares by the rules that restored targets take part in.
func (a *App) reconcileAfter(targets []inventory.Target, books *books) (reconcile.Reconcile, error) {
	all, err := a.Inventory.Rules(nil, func(string) bool { return true })
	rules := slices.DeleteFunc(all, func(r config.Rule) bool {
		return !slices.ContainsFunc(targets, func(t inventory.Target) bool { return t.Name == r.Rows.Target || t.Name == r.Things() })
	})
	return reconcile.Reconcile{Inventory: a.Inventory, Rules: rules, Ledger: books.open}, err
}

// books are a ledger on the scratch disk, from the first time that it is asked for
// until the end of the run.
type books struct {
	app    *App
	ledger *consistency.Ledger
	shut   func() error
}

func (b *books) open(ctx context.Context) (*consistency.Ledger, error) {
	if b.ledger != nil {
		return b.ledger, nil
	}
	dir, remove, err := b.app.scratch.Dir(ledgerOwner, "ledger")
	if err != nil {
		return nil, err
	}
	db, err := database.Open(ctx, filepath.Join(dir, "ledger.db"), nil)
	if err != nil {
		return nil, errors.Join(err, remove())
	}
	b.shut = func() error { return errors.Join(db.Close(), remove()) }
	ledger, err := consistency.NewLedger(ctx, db)
	if err != nil {
		return nil, err
	}
	b.ledger = ledger
	return ledger, nil
}

// ledgerOwner stands where scratch directories name a target: no target can have
// this name.
const ledgerOwner = "upkeep"

func (b *books) close(context.Context) error {
	if b.shut == nil {
		return nil
	}
	if err := b.shut(); err != nil {
		return fmt.Errorf("remove the ledger: %w", err)
	}
	return nil
}

package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"upkeep/internal/service"
)

// replaceRows empties the tables and fills them from the copy, in one transaction.
// Triggers of users do not fire: their work is in the copy already.
func (r *restoring) replaceRows(ctx context.Context, conn *pgx.Conn, chosen []service.Entry, encoding string) error {
	names := make([]string, len(chosen))
	for i, e := range chosen {
		names[i] = quote(e.Attrs[attrSchema], e.Attrs[attrTable])
	}
	err := execute(ctx, conn, "BEGIN", fmt.Sprintf("SET LOCAL lock_timeout TO %d", lockPatience.Milliseconds()))
	if err != nil {
		return err
	}
	if err := unreferenced(ctx, conn, names); err != nil {
		return err
	}
	if err := execute(ctx, conn, "TRUNCATE ONLY "+strings.Join(names, ", ONLY ")); err != nil {
		return fmt.Errorf("empty the tables: %w", err)
	}
	enable, err := disableTriggers(ctx, conn, names)
	if err != nil {
		return fmt.Errorf("disable triggers: %w", err)
	}
	for i, e := range chosen {
		if err := r.copyIn(ctx, conn, e, encoding, ""); err != nil {
			return fmt.Errorf("load table %s: %w", names[i], err)
		}
	}
	if err := execute(ctx, conn, append(enable, "COMMIT")...); err != nil {
		return fmt.Errorf("complete the tables: %w", err)
	}
	return nil
}

// unreferenced refuses tables that others refer to: to empty them would need to
// empty those too.
func unreferenced(ctx context.Context, conn *pgx.Conn, names []string) error {
	type reference struct{ Name, Table string }
	found, err := collect[reference](ctx, conn, `
		SELECT conrelid::regclass::text AS name, confrelid::regclass::text AS table
		FROM pg_constraint
		WHERE contype = 'f' AND confrelid = ANY ($1::text[]::regclass[]) AND conrelid <> ALL ($1::text[]::regclass[])
		ORDER BY 1 LIMIT 1`, names)
	if err != nil {
		return fmt.Errorf("look for references: %w", err)
	}
	if len(found) > 0 {
		return &service.Fault{ID: "postgres.table-referenced",
			Args: service.Args{"table": found[0].Table, "by": found[0].Name},
			Err:  fmt.Errorf("table %s is referenced by %s: %w", found[0].Table, found[0].Name, service.ErrRefused)}
	}
	return nil
}

// disableTriggers switches off the users' triggers and returns the statements that
// put each into the state it had.
func disableTriggers(ctx context.Context, conn *pgx.Conn, names []string) (enable []string, err error) {
	enable, err = values[string](ctx, conn, `
		SELECT format('ALTER TABLE ONLY %s ENABLE %s TRIGGER %I', tgrelid::regclass,
		              CASE tgenabled WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' ELSE '' END, tgname)
		FROM pg_trigger
		WHERE NOT tgisinternal AND tgenabled <> 'D' AND tgrelid = ANY ($1::text[]::regclass[])`, names)
	if err != nil || len(enable) == 0 {
		return nil, err
	}
	for _, name := range names {
		if err := execute(ctx, conn, "ALTER TABLE ONLY "+name+" DISABLE TRIGGER USER"); err != nil {
			return nil, err
		}
	}
	return enable, nil
}

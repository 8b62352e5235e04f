package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// globals brings back roles that are missing, with passwords, and memberships, in
// one transaction: a role that a killed run left half made would look like one that
// is to be kept. Tablespaces follow outside of it; a scratch server has none.
//
// Statements hold passwords' digests, so they are in no error.
func (r *restoring) globals(ctx context.Context, conn *pgx.Conn) error {
	var script strings.Builder
	if err := r.whole(ctx, globalsName, &script); err != nil {
		return err
	}
	present, err := roles(ctx, conn)
	if err != nil {
		return err
	}
	kept := map[string]bool{}
	for _, role := range present {
		kept[role.Name] = true
	}
	var spaces []string
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, statement := range statements(script.String()) {
			if strings.Contains(statement, "TABLESPACE ") && !strings.Contains(statement, " ROLE ") {
				spaces = append(spaces, statement)
				continue
			}
			if err := applyRole(ctx, tx, statement, kept); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.tablespaces(ctx, conn, spaces)
}

// aboutRoles begin the statements about one role.
var aboutRoles = []string{"CREATE ROLE ", "ALTER ROLE ", "COMMENT ON ROLE ", "SECURITY LABEL ON ROLE "}

func applyRole(ctx context.Context, tx pgx.Tx, statement string, kept map[string]bool) error {
	for _, prefix := range aboutRoles {
		name, about := identifierAfter(statement, prefix)
		if !about {
			continue
		}
		if kept[name] {
			return nil
		}
		if _, err := tx.Exec(ctx, statement); err != nil {
			return fmt.Errorf("role %q: %w", name, fault(err))
		}
		return nil
	}
	if strings.HasPrefix(statement, "GRANT ") {
		return applyGrant(ctx, tx, statement)
	}
	if _, err := tx.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%.20s: %w", statement, fault(err))
	}
	return nil
}

// applyGrant makes a membership. Who granted it may not be able to on this server
// (from 16 on only its first superuser always is): then we grant it.
func applyGrant(ctx context.Context, tx pgx.Tx, statement string) error {
	try := func(sql string) error {
		return pgx.BeginFunc(ctx, tx, func(inner pgx.Tx) error {
			_, err := inner.Exec(ctx, sql)
			return err
		})
	}
	err := try(statement)
	if at := strings.LastIndex(statement, " GRANTED BY "); err != nil && at > 0 {
		err = try(statement[:at])
	}
	if err != nil {
		return fmt.Errorf("%s: %w", statement, fault(err))
	}
	return nil
}

func (r *restoring) tablespaces(ctx context.Context, conn *pgx.Conn, statements []string) error {
	if r.in.scratch != nil {
		return nil
	}
	for _, statement := range statements {
		err := execute(ctx, conn, statement)
		if err != nil && state(err) != stateDuplicate {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// sequence is one sequence with the value it stands at.
type sequence struct {
	Schema string
	Name   string
	Owner  string
	// The table that a column owning it belongs to, or "".
	OwnerSchema string
	OwnerTable  string
	Last        int64
	Called      bool
}

const sequencesSQL = `
SELECT n.nspname::text AS schema, c.relname::text AS name, pg_get_userbyid(c.relowner)::text AS owner,
       coalesce(o.schema, '') AS owner_schema, coalesce(o.name, '') AS owner_table,
       0::bigint AS last, false AS called
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
  SELECT tn.nspname::text AS schema, t.relname::text AS name
  FROM pg_depend d JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = t.relnamespace
  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
    AND d.refclassid = 'pg_class'::regclass LIMIT 1) o ON true
WHERE c.relkind = 'S' AND ` + userSchema + `
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`

// sequencesAtOnce bounds the length of one statement.
const sequencesAtOnce = 100

// sequences lists them with their present values: those are outside of any
// snapshot, so they are read after it and are never behind the rows in it.
func sequences(ctx context.Context, conn *pgx.Conn) ([]sequence, error) {
	found, err := collect[sequence](ctx, conn, sequencesSQL)
	if err != nil {
		return nil, fmt.Errorf("list sequences: %w", err)
	}
	for from := 0; from < len(found); from += sequencesAtOnce {
		batch := found[from:min(from+sequencesAtOnce, len(found))]
		if err := readSequences(ctx, conn, batch); err != nil {
			return nil, fmt.Errorf("read sequences: %w", err)
		}
	}
	return found, nil
}

func readSequences(ctx context.Context, conn *pgx.Conn, batch []sequence) error {
	each := make([]string, len(batch))
	for i, s := range batch {
		each[i] = fmt.Sprintf("SELECT %d AS place, last_value AS last, is_called AS called FROM %s", i, quote(s.Schema, s.Name))
	}
	type reading struct {
		Place  int
		Last   int64
		Called bool
	}
	readings, err := collect[reading](ctx, conn, strings.Join(each, " UNION ALL "))
	if err != nil {
		return err
	}
	for _, r := range readings {
		batch[r.Place].Last, batch[r.Place].Called = r.Last, r.Called
	}
	return nil
}

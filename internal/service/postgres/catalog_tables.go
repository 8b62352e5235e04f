package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// table is one relation that holds rows, is a parent of such, or stands for rows
// elsewhere.
type table struct {
	OID         uint32
	Schema      string
	Name        string
	Kind        string // relkind: r, p (partitioned: its leaves have the rows), f (foreign)
	Owner       string
	Columns     []string // without dropped and generated ones, in order
	Extension   string   // whose configuration table it is, or ""
	Condition   string   // of an extension's configuration table: which rows are the user's
	Constraints []string // by name, NOT NULL left out: before 18 it was no constraint
	Unvalidated []string
	Indexes     []string
	Triggers    []string
	References  []uint32 // OIDs of other tables that its foreign keys point to
}

// userSchema keeps to what users made; objects of an extension come back with it.
const userSchema = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`

// tablesSQL lists tables as pg_dump chooses them. deptype e marks what belongs to
// an extension: of that, only configuration tables have rows to copy.
const tablesSQL = `
SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind,
       pg_get_userbyid(c.relowner)::text AS owner,
       ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
             ORDER BY a.attnum) AS columns,
       coalesce(x.extname::text, '') AS extension, coalesce(x.condition, '') AS condition,
       ARRAY(SELECT conname::text FROM pg_constraint WHERE conrelid = c.oid AND contype <> 'n' ORDER BY 1) AS constraints,
       ARRAY(SELECT conname::text FROM pg_constraint
             WHERE conrelid = c.oid AND contype <> 'n' AND NOT convalidated ORDER BY 1) AS unvalidated,
       ARRAY(SELECT i.relname::text FROM pg_index d JOIN pg_class i ON i.oid = d.indexrelid
             WHERE d.indrelid = c.oid AND d.indisvalid ORDER BY 1) AS indexes,
       ARRAY(SELECT tgname::text FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal ORDER BY 1) AS triggers,
       ARRAY(SELECT DISTINCT confrelid FROM pg_constraint
             WHERE conrelid = c.oid AND contype = 'f' AND confrelid <> c.oid) AS references
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
  SELECT e.extname, e.extcondition[cfg.place] AS condition
  FROM pg_extension e, unnest(e.extconfig) WITH ORDINALITY AS cfg(relation, place)
  WHERE cfg.relation = c.oid) x ON true
WHERE c.relkind IN ('r', 'p', 'f') AND ` + userSchema + `
  AND (x.extname IS NOT NULL OR NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`

func tables(ctx context.Context, conn *pgx.Conn) ([]table, error) {
	found, err := collect[table](ctx, conn, tablesSQL)
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	return found, nil
}

// copyOut is the statement that reads the rows of a table: those of its own, not
// those of its children, in the database's own encoding.
func copyOut(schema, name string, columns []string, condition, encoding string) string {
	options := " TO STDOUT (FORMAT text, ENCODING " + literal(encoding) + ")"
	if condition == "" {
		return "COPY " + quote(schema, name) + columnList(columns) + options
	}
	return "COPY (SELECT " + strings.Join(quoteAll(columns), ", ") + " FROM ONLY " + quote(schema, name) +
		" " + condition + ")" + options
}

// columnList is empty for a table without columns: COPY wants no () there.
func columnList(columns []string) string {
	if len(columns) == 0 {
		return ""
	}
	return " (" + strings.Join(quoteAll(columns), ", ") + ")"
}

func quoteAll(names []string) []string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quote(name)
	}
	return quoted
}

package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"upkeep/internal/service"
)

// Size is what the target's databases take on disk, indexes included: more than a
// copy reads.
func (in *Instance) Size(ctx context.Context) (int64, error) {
	conn, _, err := in.connectServer(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = goodbye(ctx, conn) }()
	found, _, err := in.databases(ctx, conn)
	if err != nil {
		return 0, err
	}
	var total int64
	for _, d := range found {
		size, err := databaseSize(ctx, conn, d)
		if err != nil {
			return 0, err
		}
		total += size
	}
	return total, nil
}

func databaseSize(ctx context.Context, conn *pgx.Conn, d database) (int64, error) {
	size, err := value[int64](ctx, conn, "SELECT pg_database_size($1::oid)", d.OID)
	if err != nil {
		return 0, fmt.Errorf("size of database %q: %w", d.Name, err)
	}
	return size, nil
}

// tableSize is one of the biggest tables. It is found by OID: no spelling of a
// name can hide it.
type tableSize struct {
	Database string `json:"database"`
	Schema   string `json:"schema"`
	Name     string `json:"name"`
	Total    int64  `json:"total_bytes"`
	Table    int64  `json:"table_bytes"`
	Index    int64  `json:"index_bytes"`
	Toast    int64  `json:"toast_bytes"`
	Rows     int64  `json:"rows_estimate"`
}

// biggest is how many tables of each database are facts.
const biggest = 20

// Sizes are unknown (null) for a table that is dropped while they are read.
const tableSizesSQL = `
SELECT current_database()::text AS database, n.nspname::text AS schema, c.relname::text AS name,
       coalesce(pg_total_relation_size(c.oid), 0) AS total,
       coalesce(pg_relation_size(c.oid), 0) AS table,
       coalesce(pg_indexes_size(c.oid), 0) AS index,
       CASE WHEN c.reltoastrelid = 0 THEN 0 ELSE coalesce(pg_total_relation_size(c.reltoastrelid), 0) END AS toast,
       greatest(c.reltuples, 0)::bigint AS rows
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND ` + userSchema + `
ORDER BY total DESC, n.nspname, c.relname LIMIT $1`

// checkSizes records the sizes of databases and of their biggest tables.
func (in *Instance) checkSizes(ctx context.Context, conn *pgx.Conn, found []database, v *service.Verdict) error {
	type databaseFact struct {
		Name string `json:"name"`
		Size int64  `json:"size_bytes"`
	}
	var total int64
	facts := []databaseFact{}
	for _, d := range found {
		size, err := databaseSize(ctx, conn, d)
		if errors.Is(err, service.ErrDenied) {
			v.Unsure("no-pg-monitor", "", service.Args{"what": "sizes"})
			return nil
		}
		if err != nil {
			return err
		}
		total += size
		facts = append(facts, databaseFact{d.Name, size})
	}
	v.Set("size_bytes", total)
	v.Set("databases", facts)
	return nil
}

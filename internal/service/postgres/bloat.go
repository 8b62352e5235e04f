package postgres

import (
	"context"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"upkeep/internal/quantity"
	"upkeep/internal/service"
)

// Reindex says which indexes are built anew. Invalid ones always are.
type Reindex struct {
	Bloat quantity.Share `yaml:"bloat"` // estimated share of an index that holds nothing; 0 switches it off
	Size  quantity.Bytes `yaml:"size"`  // smaller indexes are left alone
}

// btreeIndex is one index with what its size is estimated from.
type btreeIndex struct {
	OID        uint32
	Parent     uint32 // OID of its table
	Schema     string
	Table      string
	Name       string
	Label      string
	Filenode   uint32
	Exclusion  bool // of an exclusion constraint: it cannot be built anew beside its work
	Allowed    bool
	Size       int64
	Block      int64
	Rows       float64
	Fillfactor int
	Known      bool // every column has statistics
	Width      float64
	Nulls      bool
}

// btreesSQL reads the statistics of an index's columns: those of the table, or of
// the index itself where it is over an expression. pg_stats shows only what the
// role may read.
func btreesSQL(major int) string {
	return `
SELECT x.oid, parent, schema, "table", name, label, filenode, exclusion, ` + mayReindex(major, "relowner", "parent") + ` AS allowed, size, block, rows, fillfactor,
       coalesce(count(w.avg_width) = columns, false) AS known,
       coalesce(sum((1 - w.null_frac) * w.avg_width), 0)::float8 AS width, coalesce(max(w.null_frac) > 0, false) AS nulls
FROM (SELECT c.oid, i.indrelid AS parent, n.nspname::text AS schema, t.relname::text AS "table", c.relname::text AS name,
             format('%I.%I', n.nspname, c.relname) AS label, coalesce(pg_relation_filenode(c.oid), 0)::oid AS filenode,
             i.indisexclusion AS exclusion, c.relowner, pg_relation_size(c.oid) AS size,
             current_setting('block_size')::bigint AS block, c.reltuples::float8 AS rows, i.indnatts::int AS columns, i.indkey,
             coalesce((SELECT option_value::int FROM pg_options_to_table(c.reloptions) WHERE option_name = 'fillfactor'), 90) AS fillfactor
      FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_am m ON m.oid = c.relam
      WHERE m.amname = 'btree' AND c.relkind = 'i' AND c.relpersistence <> 't' AND i.indisvalid AND ` + userSchema + `) x
CROSS JOIN LATERAL generate_series(1, columns) k
LEFT JOIN pg_attribute a ON a.attrelid = CASE WHEN indkey[k - 1] = 0 THEN x.oid ELSE parent END
                        AND a.attnum = CASE WHEN indkey[k - 1] = 0 THEN k ELSE indkey[k - 1] END
LEFT JOIN pg_stats w ON w.schemaname = schema AND w.attname = a.attname AND NOT w.inherited
                    AND w.tablename = CASE WHEN indkey[k - 1] = 0 THEN name ELSE "table" END
WHERE size >= greatest($1::bigint, 1) AND rows >= 0
GROUP BY x.oid, parent, schema, "table", name, label, filenode, exclusion, relowner, size, block, rows, fillfactor, columns
ORDER BY schema COLLATE "C", name COLLATE "C"`
}

// bloat estimates which share of the index holds nothing: its size against that of
// a fresh one with as many rows of the average width. The formula is that of
// ioguix's btree_bloat.sql (github.com/ioguix/pgsql-bloat-estimation). Its limits:
// it knows the row count of the last VACUUM or ANALYZE, no alignment between
// columns and no inner pages, which make up about one per cent; and it does not
// know that equal keys are stored once (from version 13 on), so that an index with
// many of them looks emptier of air than it is and is built anew too late, never
// too early. An index without statistics is not judged: ANALYZE is due first.
func (b btreeIndex) bloat() float64 {
	const align, pageHeader, pageEnd, linePointer, tupleHeader, nullMap = 8, 24, 16, 4, 8, 8
	if !b.Known || b.Size == 0 {
		return 0
	}
	tuple := linePointer + tupleHeader + math.Ceil(b.Width/align)*align
	if b.Nulls {
		tuple += nullMap
	}
	perPage := math.Floor(float64(b.Block-pageHeader-pageEnd) * float64(b.Fillfactor) / 100 / tuple)
	pages := 1 + math.Ceil(b.Rows/math.Max(perPage, 1)) // with the meta page
	return math.Max(0, 1-pages*float64(b.Block)/float64(b.Size))
}

func (b btreeIndex) args() careArgs {
	return careArgs{Schema: b.Schema, Table: b.Table, Index: b.Name, OID: b.OID, TableOID: b.Parent, Filenode: b.Filenode}
}

// bloated lists the indexes that are over the declared limits.
func (in *Instance) bloated(ctx context.Context, conn *pgx.Conn, major int) ([]btreeIndex, error) {
	limit := in.cfg.Reindex
	if limit.Bloat == 0 {
		return nil, nil
	}
	all, err := collect[btreeIndex](ctx, conn, btreesSQL(major), int64(limit.Size))
	if err != nil {
		return nil, fmt.Errorf("estimate the bloat of indexes: %w", err)
	}
	var found []btreeIndex
	for _, b := range all {
		if b.bloat() >= float64(limit.Bloat) {
			found = append(found, b)
		}
	}
	return found, nil
}

// mayReindex is the server's own rule for REINDEX.
func mayReindex(major int, owner, table string) string {
	rule := "(pg_has_role(" + owner + ", 'USAGE')"
	if major >= 17 {
		rule += " OR has_table_privilege(" + table + ", 'MAINTAIN')"
	}
	return rule + ")"
}

// windowIndexes names bloated indexes that a plan leaves alone: that of an exclusion
// constraint can only be built anew while its table is locked.
func (c *checking) windowIndexes(ctx context.Context, conn *pgx.Conn, d database) error {
	found, err := c.in.bloated(ctx, conn, c.server.Major)
	if err != nil {
		return err
	}
	for _, b := range found {
		if b.Exclusion {
			c.verdict.Warn("index-needs-window", d.Name+"."+b.Label, service.Args{
				"index": b.Label, "database": d.Name, "bytes": b.Size, "share": b.bloat()})
		}
	}
	return nil
}

package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"upkeep/internal/service"
)

// databases looks into every database of the target.
func (c *checking) databases(ctx context.Context) error {
	var failed []error
	sizes := []tableSize{}
	for _, d := range c.found {
		found, err := c.database(ctx, d)
		if err != nil {
			failed = append(failed, fmt.Errorf("check database %q: %w", d.Name, err))
			continue
		}
		sizes = append(sizes, found...)
	}
	slices.SortStableFunc(sizes, func(a, b tableSize) int { return cmp.Compare(b.Total, a.Total) })
	c.verdict.Set("tables", sizes[:min(len(sizes), biggest)])
	return errors.Join(failed...)
}

func (c *checking) database(ctx context.Context, d database) (sizes []tableSize, err error) {
	conn, err := c.in.connect(ctx, d.Name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = goodbye(ctx, conn) }()
	if sizes, err = collect[tableSize](ctx, conn, tableSizesSQL, biggest); err != nil {
		return nil, fmt.Errorf("read sizes: %w", err)
	}
	return sizes, errors.Join(c.invalidIndexes(ctx, conn, d), c.windowIndexes(ctx, conn, d))
}

// invalidIndexes are left by a CREATE INDEX or REINDEX CONCURRENTLY that failed:
// they cost writes and serve no query. One that is being built is not meant.
func (c *checking) invalidIndexes(ctx context.Context, conn *pgx.Conn, d database) error {
	type index struct {
		Name string
		Size int64
	}
	found, err := collect[index](ctx, conn, `
		SELECT format('%I.%I', n.nspname, c.relname) AS name, coalesce(pg_relation_size(c.oid), 0) AS size
		FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE NOT i.indisvalid AND c.relkind = 'i'
		  AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.relid = i.indrelid)
		ORDER BY 1`)
	if err != nil {
		return fmt.Errorf("look for invalid indexes: %w", err)
	}
	for _, i := range found {
		c.verdict.Warn("invalid-index", d.Name+"."+i.Name, service.Args{"index": i.Name, "database": d.Name, "bytes": i.Size})
	}
	return nil
}

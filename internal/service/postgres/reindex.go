package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"upkeep/internal/service"
)

// brokenIndex is one that is not valid.
type brokenIndex struct {
	OID       uint32
	TableOID  uint32
	Schema    string
	Table     string
	Name      string
	Label     string
	Filenode  uint32
	Size      int64
	Exclusion bool
	Leftover  bool
	Owner     bool // may drop it
	Allowed   bool // may build it anew
}

// brokenSQL lists invalid indexes that nobody is building. A leftover has the name
// that a rebuild gives and a twin on the same table, so that nothing is lost with
// it. A session that is not ours to watch hides its table (null).
func brokenSQL(major int) string {
	return `
SELECT c.oid, i.indrelid AS tableoid, n.nspname::text AS schema, t.relname::text AS "table", c.relname::text AS name,
       format('%I.%I', n.nspname, c.relname) AS label, coalesce(pg_relation_filenode(c.oid), 0)::oid AS filenode,
       coalesce(pg_relation_size(c.oid), 0) AS size, i.indisexclusion AS exclusion,
       c.relname ~ '_cc(new|old)[0-9]*$' AND EXISTS (
         SELECT FROM pg_index o JOIN pg_class oc ON oc.oid = o.indexrelid
         WHERE o.indrelid = i.indrelid AND o.indexrelid <> i.indexrelid AND oc.relam = c.relam
           AND o.indkey = i.indkey AND o.indclass = i.indclass AND o.indcollation = i.indcollation AND o.indoption = i.indoption
           AND pg_get_expr(o.indexprs, o.indrelid) IS NOT DISTINCT FROM pg_get_expr(i.indexprs, i.indrelid)
           AND pg_get_expr(o.indpred, o.indrelid) IS NOT DISTINCT FROM pg_get_expr(i.indpred, i.indrelid)
           AND oc.relname !~ '_cc(new|old)[0-9]*$') AS leftover,
       pg_has_role(c.relowner, 'USAGE') AS owner, ` + mayReindex(major, "c.relowner", "i.indrelid") + ` AS allowed
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND c.relkind = 'i' AND c.relpersistence <> 't' AND ` + userSchema + `
  AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p
                  WHERE p.datname = current_database() AND coalesce(p.relid, i.indrelid) = i.indrelid)
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`
}

func (p *planning) broken(ctx context.Context) ([]brokenIndex, error) {
	found, err := collect[brokenIndex](ctx, p.conn, brokenSQL(p.server.Major))
	if err != nil {
		return nil, fmt.Errorf("look for invalid indexes: %w", err)
	}
	return found, nil
}

// leftovers plans to drop what failed rebuilds have left.
func (p *planning) leftovers(ctx context.Context) error {
	found, err := p.broken(ctx)
	for _, i := range found {
		switch {
		case !i.Leftover:
		case i.Owner:
			err = errors.Join(err, p.add(opSweep, i.args(), service.Args{"index": i.Label, "bytes": i.Size}))
		default:
			p.denied = append(p.denied, i.Label)
		}
	}
	return err
}

func (i brokenIndex) args() careArgs {
	return careArgs{Schema: i.Schema, Table: i.Table, Index: i.Name, OID: i.OID, TableOID: i.TableOID, Filenode: i.Filenode}
}

// indexes plans to build invalid and bloated indexes anew. That of an exclusion
// constraint cannot be built beside its work: the check names it.
func (p *planning) indexes(ctx context.Context) error {
	broken, err := p.broken(ctx)
	if err != nil {
		return err
	}
	bloated, err := p.in.bloated(ctx, p.conn, p.server.Major)
	if err != nil {
		return err
	}
	_, known := dataDirectory(ctx, p.conn, p.server.System)
	for _, i := range broken {
		if i.Leftover || i.Exclusion {
			continue
		}
		title := service.Args{"valid": false, "share": 0.0, "limit": 0.0, "space_known": known}
		err = errors.Join(err, p.index(i.args(), i.Label, i.Allowed, i.Size, title))
	}
	for _, b := range bloated {
		if b.Exclusion {
			continue
		}
		title := service.Args{"valid": true, "share": b.bloat(), "limit": float64(p.in.cfg.Reindex.Bloat), "space_known": known}
		err = errors.Join(err, p.index(b.args(), b.Label, b.Allowed, b.Size, title))
	}
	return err
}

func (p *planning) index(a careArgs, label string, allowed bool, size int64, title service.Args) error {
	if !allowed {
		p.denied = append(p.denied, label)
		return nil
	}
	title["index"], title["bytes"] = label, size
	return p.add(opReindex, a, title)
}

// indexState is what Do compares.
type indexState struct {
	OID      uint32
	Schema   string
	Name     string
	Label    string
	Filenode uint32
	Valid    bool
	Leftover bool
	Bytes    int64
	Space    uint32 // OID of its tablespace, 0 for the database's own
}

const indexStateSQL = `
SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, format('%I.%I', n.nspname, c.relname) AS label,
       coalesce(pg_relation_filenode(c.oid), 0)::oid AS filenode, i.indisvalid AS valid, c.relname ~ '_cc(new|old)[0-9]*$' AS leftover,
       coalesce(pg_relation_size(c.oid), 0) AS bytes, c.reltablespace AS space
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.indrelid = $1 AND c.relkind = 'i'`

func (c *caring) indexesOfTable(ctx context.Context) ([]indexState, error) {
	found, err := collect[indexState](ctx, c.conn, indexStateSQL, c.TableOID)
	if err != nil {
		return nil, fmt.Errorf("look at the indexes of table %q: %w", c.Table, err)
	}
	return found, nil
}

// sweep drops one leftover, and only while it is one.
func (c *caring) sweep(ctx context.Context) error {
	all, err := c.indexesOfTable(ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(all, func(i indexState) bool { return i.OID == c.OID })
	if at < 0 {
		c.already(opSweep)
		return nil
	}
	if all[at].Valid || !all[at].Leftover {
		return fmt.Errorf("index %q is in use since it was planned: %w", c.Index, service.ErrStale)
	}
	if err := c.drop(ctx, all[at]); err != nil {
		return err
	}
	c.verdict.Set("done", c.op)
	c.verdict.Set("bytes_before", all[at].Bytes)
	c.verdict.Set("bytes_after", 0)
	return nil
}

func (c *caring) drop(ctx context.Context, i indexState) error {
	if err := execute(ctx, c.conn, "DROP INDEX CONCURRENTLY IF EXISTS "+quote(i.Schema, i.Name)); err != nil {
		return fmt.Errorf("drop %s: %w", i.Label, err)
	}
	return nil
}

// reindex builds one index anew beside its work. The new one has another OID under
// the old name, so a name with another OID is work that is done.
func (c *caring) reindex(ctx context.Context) error {
	all, err := c.indexesOfTable(ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(all, func(i indexState) bool { return i.OID == c.OID })
	if at < 0 {
		return c.replaced(all)
	}
	before := all[at]
	if before.Filenode != c.Filenode && before.Valid {
		c.already(opReindex)
		return nil
	}
	if err := c.room(ctx, before); err != nil {
		return err
	}
	err = c.watched(ctx, indexProgressSQL, c.TableOID, func() error {
		return execute(ctx, c.conn, "REINDEX INDEX CONCURRENTLY "+quote(before.Schema, before.Name))
	})
	if err != nil {
		return errors.Join(c.explained(before, err), c.tidy(ctx, all))
	}
	return c.rebuilt(ctx, before)
}

// replaced looks for the planned index under another OID.
func (c *caring) replaced(all []indexState) error {
	for _, i := range all {
		if i.Name == c.Index && i.Valid {
			c.already(opReindex)
			return nil
		}
	}
	return fmt.Errorf("index %q has gone since it was planned: %w", c.Index, service.ErrStale)
}

// rebuilt believes it when it sees a valid index of that name.
func (c *caring) rebuilt(ctx context.Context, before indexState) error {
	all, err := c.indexesOfTable(ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(all, func(i indexState) bool { return i.Name == before.Name })
	if at < 0 || !all[at].Valid || all[at].Filenode == before.Filenode {
		return fmt.Errorf("index %s is not valid after it was built anew: %w", before.Label, service.ErrChanged)
	}
	c.verdict.Set("done", c.op)
	c.verdict.Set("bytes_before", before.Bytes)
	c.verdict.Set("bytes_after", all[at].Bytes)
	return nil
}

func (c *caring) explained(i indexState, err error) error {
	if state(err) != stateUnique {
		return err
	}
	// The server's detail names the value; only its message is in the error.
	return &service.Fault{ID: "postgres.index-not-unique", Args: service.Args{"index": i.Label, "database": c.Database},
		Err: fmt.Errorf("%w: %w", service.ErrRefused, err)}
}

// tidy drops what our own failed attempt has left. What it cannot drop, the next
// plan does.
func (c *caring) tidy(ctx context.Context, before []indexState) error {
	if ctx.Err() != nil || c.conn.IsClosed() {
		return nil
	}
	now, err := c.indexesOfTable(ctx)
	for _, i := range now {
		ours := !slices.ContainsFunc(before, func(b indexState) bool { return b.OID == i.OID })
		if ours && i.Leftover && !i.Valid {
			err = errors.Join(err, c.drop(ctx, i))
		}
	}
	return err
}

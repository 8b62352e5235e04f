package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"upkeep/internal/service"
)

func (v *verifying) sequences(ctx context.Context, conn *pgx.Conn, database string) error {
	present, err := sequences(ctx, conn)
	if err != nil {
		return err
	}
	found := map[relation]sequence{}
	for _, s := range present {
		found[relation{s.Schema, s.Name}] = s
	}
	for _, e := range entriesOf(v.manifest, isSequence, database) {
		s, there := found[relation{e.Attrs[attrSchema], e.Attrs["sequence"]}]
		subject := database + "." + e.Attrs[attrSchema] + "." + e.Attrs["sequence"]
		switch {
		case !there:
			v.crit("sequence-missing", subject, service.Args{"sequence": subject})
		case s.Last != e.Count || strconv.FormatBool(s.Called) != e.Attrs["called"]:
			v.crit("sequence-differs", subject, service.Args{"sequence": subject, "expected": e.Count, "found": s.Last})
		default:
			v.count("sequences", 1)
		}
	}
	return nil
}

func (v *verifying) extensions(ctx context.Context, conn *pgx.Conn, database string) error {
	present, err := extensions(ctx, conn)
	if err != nil {
		return err
	}
	for _, e := range entriesOf(v.manifest, isExtension, database) {
		name := e.Attrs["extension"]
		subject := database + "." + name
		i := slices.IndexFunc(present, func(x extension) bool { return x.Name == name })
		switch {
		case i < 0:
			v.crit("extension-missing", subject, service.Args{"extension": name, "database": database})
		case present[i].Version != e.Attrs["version"]:
			// CREATE EXTENSION takes the newest version that the machine has.
			args := service.Args{"extension": name, "database": database, "expected": e.Attrs["version"], "found": present[i].Version}
			v.judge(func(all *service.Verdict) { all.Warn("extension-version", subject, args) })
		default:
			v.count("extensions", 1)
		}
	}
	return nil
}

func (v *verifying) largeObjects(ctx context.Context, conn *pgx.Conn, database string) error {
	present, err := value[int64](ctx, conn, "SELECT count(*) FROM pg_largeobject_metadata")
	if err != nil {
		return fmt.Errorf("count large objects: %w", err)
	}
	var expected service.Entry
	if entries := entriesOf(v.manifest, isLargeObjects, database); len(entries) > 0 {
		expected = entries[0]
	}
	digest := ""
	if present > 0 {
		if err := execute(ctx, conn, "BEGIN READ ONLY"); err != nil { // lo_open wants a transaction
			return err
		}
		if digest, err = digestLargeObjects(ctx, conn); err != nil {
			return err
		}
		if err := execute(ctx, conn, "COMMIT"); err != nil {
			return err
		}
	}
	if present != expected.Count || digest != expected.Digest {
		v.crit("large-objects-differ", database, service.Args{"database": database, "expected": expected.Count, "found": present})
		return nil
	}
	v.count("large_objects", present)
	return nil
}

// btree is one index that amcheck can check.
type btree struct {
	OID  uint32
	Name string
}

// SQLSTATEs of amcheck for what it looks for.
const (
	stateIndexCorrupted = "XX002"
	stateDataCorrupted  = "XX001"
)

// indexes lets amcheck compare every B-tree index with its table.
func (v *verifying) indexes(ctx context.Context, conn *pgx.Conn, database string) error {
	schema, err := v.amcheck(ctx, conn)
	if err != nil {
		return err
	}
	switch {
	case schema == "" && v.in.scratch == nil: // nothing is added to somebody's server to look at it
		v.judge(func(all *service.Verdict) { all.Set("indexes_unchecked", true) })
		return nil
	case schema == "":
		v.judge(func(all *service.Verdict) { all.Unsure("no-amcheck", database, service.Args{"database": database}) })
		return nil
	}
	found, err := collect[btree](ctx, conn, `
		SELECT c.oid, c.oid::regclass::text AS name FROM pg_index i
		JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am am ON am.oid = c.relam
		WHERE am.amname = 'btree' AND c.relkind = 'i' AND c.relpersistence <> 't' AND i.indisvalid AND i.indisready
		ORDER BY c.oid`)
	if err != nil {
		return fmt.Errorf("list indexes: %w", err)
	}
	for _, index := range found {
		if err := v.index(ctx, conn, schema, database, index); err != nil {
			return fmt.Errorf("check index %s: %w", index.Name, err)
		}
	}
	return nil
}

// index needs an argument of type regclass, which an oid becomes by itself.
func (v *verifying) index(ctx context.Context, conn *pgx.Conn, schema, database string, index btree) error {
	_, err := conn.Exec(ctx, fmt.Sprintf("SELECT %s.bt_index_check(%d::pg_catalog.oid::pg_catalog.regclass, true)", quote(schema), index.OID))
	var told *pgconn.PgError
	if errors.As(err, &told) && (told.Code == stateIndexCorrupted || told.Code == stateDataCorrupted) {
		subject := database + "." + index.Name
		v.crit("index-corrupt", subject, service.Args{"index": subject, "message": told.Message})
		return nil
	}
	if err != nil {
		return fault(err)
	}
	v.count("indexes", 1)
	return nil
}

// amcheck returns the schema of the extension, or "" where it cannot be had. Only
// a scratch server is changed for it.
func (v *verifying) amcheck(ctx context.Context, conn *pgx.Conn) (string, error) {
	if v.in.scratch != nil {
		available, err := value[bool](ctx, conn, "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'amcheck')")
		if err != nil {
			return "", err
		}
		if available {
			if err := execute(ctx, conn, "CREATE EXTENSION IF NOT EXISTS amcheck WITH SCHEMA pg_catalog"); err != nil {
				return "", fmt.Errorf("add amcheck: %w", err)
			}
		}
	}
	schemas, err := values[string](ctx, conn,
		"SELECT n.nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'amcheck'")
	if err != nil || len(schemas) == 0 {
		return "", err
	}
	usable, err := value[bool](ctx, conn, "SELECT coalesce(bool_or(has_function_privilege(p.oid, 'EXECUTE')), false) FROM pg_proc p WHERE p.proname = 'bt_index_check'")
	if err != nil || !usable {
		return "", err
	}
	return schemas[0], nil
}

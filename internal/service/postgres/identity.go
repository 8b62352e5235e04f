package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// shapeSQL lists the schema by name, without OIDs and without the text of
// expressions: PostgreSQL writes some of those differently after a restore.
const shapeSQL = `
SELECT line FROM (
  SELECT format('relation %I.%I %s %s', n.nspname, c.relname, c.relkind, c.relpersistence) AS line
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S', 'c', 'i', 'I') AND ` + userSchema + `
  UNION ALL
  SELECT format('column %I.%I.%I %s %s %s %s %s', n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
                a.attnotnull, a.attidentity, a.attgenerated, a.atthasdef)
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'c') AND ` + userSchema + `
  UNION ALL
  SELECT format('constraint %I.%I %s %s %s', n.nspname, k.conname, k.conrelid::regclass, k.contype, k.convalidated)
  FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace
  WHERE k.contype <> 'n' AND ` + userSchema + `
  UNION ALL
  SELECT format('trigger %s %I %s', t.tgrelid::regclass, t.tgname, t.tgenabled)
  FROM pg_trigger t WHERE NOT t.tgisinternal
  UNION ALL
  SELECT format('policy %s %I', p.polrelid::regclass, p.polname) FROM pg_policy p
  UNION ALL
  SELECT format('function %I.%I(%s) %s', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid), md5(p.prosrc))
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE ` + userSchema + `
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
  UNION ALL
  SELECT format('enum %I.%I %s', n.nspname, t.typname, (SELECT string_agg(quote_literal(e.enumlabel), ',' ORDER BY e.enumsortorder)
                FROM pg_enum e WHERE e.enumtypid = t.oid))
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype = 'e' AND ` + userSchema + `
  UNION ALL
  SELECT format('domain %I.%I %s %s', n.nspname, t.typname, format_type(t.typbasetype, t.typtypmod), t.typnotnull)
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype = 'd' AND ` + userSchema + `
  UNION ALL
  SELECT format('extension %I %s', extname, extversion) FROM pg_extension
) shape ORDER BY line COLLATE "C"`

// shape digests the schema of a database. The connection is a steady one: an
// empty search_path makes every name in it complete.
func shape(ctx context.Context, conn *pgx.Conn) (string, error) {
	rows, err := conn.Query(ctx, shapeSQL)
	if err != nil {
		return "", fault(err)
	}
	digest := sha256.New()
	var line string
	_, err = pgx.ForEachRow(rows, []any{&line}, func() error {
		_, err := fmt.Fprintln(digest, line)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read the schema: %w", fault(err))
	}
	return hex.EncodeToString(digest.Sum(nil)), nil
}

// identity is "15/7312…, databases cotdb,postgres, schema 1a2b3c4d5e6f".
func identity(s server, databases []database, shapes []string) string {
	names := make([]string, len(databases))
	for i, d := range databases {
		names[i] = escape(d.Name)
	}
	all := sha256.Sum256([]byte(strings.Join(shapes, "")))
	return fmt.Sprintf("%s, databases %s, schema %s", systemOf(s), strings.Join(names, ","), hex.EncodeToString(all[:6]))
}

// systemOf is the part of an identity that no other server has.
func systemOf(s server) string { return fmt.Sprintf("%d/%s", s.Major, s.System) }

// Identity names the server by the identifier that initdb gave it, its major
// version, the target's databases and a digest of their schemas.
func (in *Instance) Identity(ctx context.Context) (string, error) {
	conn, _, err := in.connectServer(ctx)
	if err != nil {
		return "", err
	}
	s, err := describeServer(ctx, conn)
	found, _, listing := in.databases(ctx, conn)
	_ = goodbye(ctx, conn)
	if err := errors.Join(err, listing); err != nil {
		return "", err
	}
	shapes := make([]string, len(found))
	for i, d := range found {
		if shapes[i], err = in.shapeOf(ctx, d); err != nil {
			return "", fmt.Errorf("identify database %q: %w", d.Name, err)
		}
	}
	return identity(s, found, shapes), nil
}

func (in *Instance) shapeOf(ctx context.Context, d database) (string, error) {
	conn, err := in.steady(ctx, d.Name, d.Encoding)
	if err != nil {
		return "", err
	}
	defer func() { _ = goodbye(ctx, conn) }()
	return shape(ctx, conn)
}

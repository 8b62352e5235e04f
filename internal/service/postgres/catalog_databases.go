package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"upkeep/internal/service"
)

// database is one database as the server describes it.
type database struct {
	OID       uint32
	Name      string
	Owner     string
	Encoding  string
	Collate   string
	Ctype     string
	Provider  string // c, i or b: libc, ICU, builtin
	Locale    string // of ICU and builtin
	Rules     string // of ICU
	Template  bool
	Connlimit int32
	ACL       []string // rights, the default ones spelt out
	Settings  []string // of the database itself, "name=value"
}

// Columns that only some versions have are read through the row as JSON.
const databasesSQL = `
SELECT d.oid, d.datname::text AS name, pg_get_userbyid(d.datdba)::text AS owner,
       pg_encoding_to_char(d.encoding)::text AS encoding,
       d.datcollate::text AS collate, d.datctype::text AS ctype,
       coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') AS provider,
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', '') AS locale,
       coalesce(to_jsonb(d) ->> 'daticurules', '') AS rules,
       d.datistemplate AS template, d.datconnlimit AS connlimit,
       ARRAY(SELECT a::text FROM unnest(coalesce(d.datacl, acldefault('d', d.datdba))) a ORDER BY 1) AS acl,
       coalesce((SELECT s.setconfig FROM pg_db_role_setting s
                 WHERE s.setrole = 0 AND s.setdatabase = d.oid), '{}') AS settings
FROM pg_database d
WHERE d.datallowconn AND d.datname NOT IN ('template0', 'template1')
ORDER BY d.datname COLLATE "C"`

// databases lists the target's databases by name: those declared, or all that
// allow connections, without the two that every server has as its templates, and
// without those that a restore of ours is building or replacing.
func (in *Instance) databases(ctx context.Context, conn *pgx.Conn) (found []database, missing []string, err error) {
	all, err := collect[database](ctx, conn, databasesSQL)
	if err != nil {
		return nil, nil, fmt.Errorf("list databases: %w", err)
	}
	for _, d := range all {
		declared := len(in.cfg.Databases) == 0 || slices.Contains(in.cfg.Databases, d.Name)
		if declared && !in.cfg.leavesOut(d.Name) && !isOurs(d.Name) {
			found = append(found, d)
		}
	}
	for _, name := range in.cfg.Databases {
		if !slices.ContainsFunc(found, func(d database) bool { return d.Name == name }) && !in.cfg.leavesOut(name) {
			missing = append(missing, name)
		}
	}
	return found, missing, nil
}

// entry describes the database in a manifest.
func (d database) entry() service.Entry {
	return service.Entry{Name: "databases/" + escape(d.Name), Attrs: map[string]string{
		attrIs: isDatabase, attrDatabase: d.Name, "owner": d.Owner, "encoding": d.Encoding,
		"collate": d.Collate, "ctype": d.Ctype, "provider": d.Provider, "locale": d.Locale, "rules": d.Rules,
		"connection_limit": strconv.Itoa(int(d.Connlimit)), "template": strconv.FormatBool(d.Template),
		"rights": list(d.ACL), "settings": list(d.Settings),
	}}
}

// create is the statement that makes an empty database of the same encoding and
// locale under another name. Its owner and options follow from the copy's schema.
func createDatabase(name string, e service.Entry, major int) string {
	at := e.Attrs
	sql := "CREATE DATABASE " + quote(name) + " TEMPLATE template0 ENCODING " + literal(at["encoding"]) +
		" LC_COLLATE " + literal(at["collate"]) + " LC_CTYPE " + literal(at["ctype"])
	if major < 15 || at["provider"] == "c" {
		return sql
	}
	if at["provider"] == "b" {
		return sql + " LOCALE_PROVIDER builtin BUILTIN_LOCALE " + literal(at["locale"])
	}
	sql += " LOCALE_PROVIDER icu ICU_LOCALE " + literal(at["locale"])
	if at["rules"] != "" {
		sql += " ICU_RULES " + literal(at["rules"])
	}
	return sql
}

package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"upkeep/internal/service"
)

// role is one role; of its password it has only a digest.
type role struct {
	Name       string
	Attributes string   // "superuser inherit login limit=-1 until=…"
	Members    []string // roles it is a member of, "(admin)" behind those it may pass on
	Settings   []string // of the role itself, "name=value"
	Password   string   `db:"-"` // "sha256:…", "none", or empty where it may not be read
}

const rolesSQL = `
SELECT r.rolname::text AS name,
       concat_ws(' ', CASE WHEN r.rolsuper THEN 'superuser' END, CASE WHEN r.rolinherit THEN 'inherit' END,
         CASE WHEN r.rolcreaterole THEN 'createrole' END, CASE WHEN r.rolcreatedb THEN 'createdb' END,
         CASE WHEN r.rolcanlogin THEN 'login' END, CASE WHEN r.rolreplication THEN 'replication' END,
         CASE WHEN r.rolbypassrls THEN 'bypassrls' END, 'limit=' || r.rolconnlimit,
         'until=' || (r.rolvaliduntil AT TIME ZONE 'UTC')::text) AS attributes,
       ARRAY(SELECT g.rolname || CASE WHEN m.admin_option THEN '(admin)' ELSE '' END
             FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
             WHERE m.member = r.oid GROUP BY 1 ORDER BY 1) AS members,
       coalesce((SELECT s.setconfig FROM pg_db_role_setting s
                 WHERE s.setrole = r.oid AND s.setdatabase = 0), '{}') AS settings
FROM pg_roles r WHERE r.rolname !~ '^pg_'
ORDER BY r.rolname COLLATE "C"`

func roles(ctx context.Context, conn *pgx.Conn) ([]role, error) {
	found, err := collect[role](ctx, conn, rolesSQL)
	if err != nil {
		return nil, fmt.Errorf("list roles: %w", err)
	}
	return found, nil
}

// addPasswords completes roles with the digests of their passwords. What the
// server keeps of one is salted already; this tells whether it is the same.
func addPasswords(ctx context.Context, conn *pgx.Conn, roles []role) error {
	type password struct{ Name, Digest string }
	found, err := collect[password](ctx, conn, `
		SELECT rolname::text AS name, 'sha256:' || encode(sha256(convert_to(rolpassword, 'UTF8')), 'hex') AS digest
		FROM pg_authid WHERE rolpassword IS NOT NULL`)
	if err != nil {
		return fmt.Errorf("compare the passwords of roles: %w", err)
	}
	for i := range roles {
		roles[i].Password = "none"
		if at := slices.IndexFunc(found, func(p password) bool { return p.Name == roles[i].Name }); at >= 0 {
			roles[i].Password = found[at].Digest
		}
	}
	return nil
}

// entry describes the role in a manifest.
func (r role) entry() service.Entry {
	e := service.Entry{Name: "roles/" + escape(r.Name), Attrs: map[string]string{
		attrIs: isRole, "role": r.Name, "attributes": r.Attributes,
		"member_of": list(r.Members), "settings": list(r.Settings),
	}}
	if r.Password != "" {
		e.Attrs["password"] = r.Password
	}
	return e
}

// extension is one installed extension.
type extension struct {
	Name    string
	Version string
}

func extensions(ctx context.Context, conn *pgx.Conn) ([]extension, error) {
	found, err := collect[extension](ctx, conn,
		`SELECT extname::text AS name, extversion AS version FROM pg_extension ORDER BY extname COLLATE "C"`)
	if err != nil {
		return nil, fmt.Errorf("list extensions: %w", err)
	}
	return found, nil
}

// server is what concerns all databases of a server.
type server struct {
	Version   string // "15.20"
	Major     int
	System    string // system identifier: made by initdb, kept for life
	Bootstrap string // the role that initdb made
	Superuser bool   // whether our role is one
	Passwords bool   // whether our role may read the roles' passwords
	Libraries string // shared_preload_libraries
	Me        string
	Standby   bool
}

const serverSQL = `
SELECT split_part(current_setting('server_version'), ' ', 1) AS version,
       current_setting('server_version_num')::int / 10000 AS major,
       (SELECT system_identifier::text FROM pg_control_system()) AS system,
       pg_get_userbyid(10)::text AS bootstrap,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser,
       has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS passwords,
       coalesce((SELECT setting FROM pg_settings WHERE name = 'shared_preload_libraries'), '') AS libraries,
       current_user::text AS me, pg_is_in_recovery() AS standby`

func describeServer(ctx context.Context, conn *pgx.Conn) (server, error) {
	rows, err := conn.Query(ctx, serverSQL)
	if err != nil {
		return server{}, fault(err)
	}
	s, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[server])
	if err != nil {
		return server{}, fmt.Errorf("describe the server: %w", fault(err))
	}
	if s.Major < oldest {
		return server{}, fmt.Errorf("PostgreSQL %s: this kind needs %d or later: %w", s.Version, oldest, service.ErrUnsupported)
	}
	return s, nil
}

// oldest major version whose catalogs this package reads.
const oldest = 13

// list keeps several names in one attribute, as a JSON array: any text may stand
// in a name.
func list(names []string) string {
	if len(names) == 0 {
		return ""
	}
	text, err := json.Marshal(names)
	if err != nil {
		panic(err) // strings always marshal
	}
	return string(text)
}

// unlist is the reverse of list.
func unlist(text string) (names []string, err error) {
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &names); err != nil {
		return nil, fmt.Errorf("read a list of the manifest: %w", err)
	}
	return names, nil
}

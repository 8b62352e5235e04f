package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// patience bounds one attempt to connect; the caller's deadline may be shorter.
	patience = 10 * time.Second
	// parting bounds the goodbye to a server that may have gone away.
	parting = 2 * time.Second
)

// settings reads the URL and resolves the password. The text of the URL is in no
// error: it may hold a password.
func (in *Instance) settings(ctx context.Context) (*pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(in.cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("read the url: %w", err)
	}
	password, err := in.password(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the password: %w", err)
	}
	if password != "" {
		cfg.Password = password
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = patience
	}
	// Named statements would not survive a pooler between us and the server.
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	cfg.RuntimeParams["application_name"] = "upkeep"
	cfg.RuntimeParams["client_encoding"] = "UTF8" // else it would be that of the database
	return cfg, nil
}

// connect logs in to one database.
func (in *Instance) connect(ctx context.Context, database string) (*pgx.Conn, error) {
	cfg, err := in.settings(ctx)
	if err != nil {
		return nil, err
	}
	cfg.Database = database
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to database %q: %w", database, fault(err))
	}
	return conn, nil
}

// connectServer logs in to the declared database, or where that does not exist to
// another one: what is asked concerns the whole server. missing is the declared
// database when it does not exist.
func (in *Instance) connectServer(ctx context.Context) (conn *pgx.Conn, missing string, err error) {
	cfg, err := in.settings(ctx)
	if err != nil {
		return nil, "", err
	}
	conn, err = in.connect(ctx, cfg.Database)
	if !errors.Is(err, errNoDatabase) {
		return conn, "", err
	}
	conn, err = in.connectBeside(ctx, cfg.Database)
	return conn, cfg.Database, err
}

// connectBeside logs in to any database but one: that one is to be renamed or
// does not exist.
func (in *Instance) connectBeside(ctx context.Context, database string) (*pgx.Conn, error) {
	var failed error
	for _, other := range []string{"postgres", "template1"} {
		if other == database {
			continue
		}
		conn, err := in.connect(ctx, other)
		if err == nil {
			return conn, nil
		}
		failed = errors.Join(failed, err)
	}
	return nil, failed
}

// goodbye closes a connection, also when ctx has ended already.
func goodbye(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), parting)
	defer cancel()
	return conn.Close(ctx)
}

// with runs work on a connection of its own to one database.
func (in *Instance) with(ctx context.Context, database string, work func(*pgx.Conn) error) error {
	conn, err := in.connect(ctx, database)
	if err != nil {
		return err
	}
	err = work(conn)
	// What was read is complete; how the server takes the goodbye changes nothing.
	_ = goodbye(ctx, conn)
	return fault(err)
}

// collect runs a query and scans every row by column name into a T.
func collect[T any](ctx context.Context, conn *pgx.Conn, sql string, args ...any) ([]T, error) {
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, fault(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[T])
	return found, fault(err)
}

// values runs a query of one column.
func values[T any](ctx context.Context, conn *pgx.Conn, sql string, args ...any) ([]T, error) {
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, fault(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[T])
	return found, fault(err)
}

// value runs a query of one row and one column.
func value[T any](ctx context.Context, conn *pgx.Conn, sql string, args ...any) (T, error) {
	var v T
	err := conn.QueryRow(ctx, sql, args...).Scan(&v)
	return v, fault(err)
}

// execute runs statements one by one.
func execute(ctx context.Context, conn *pgx.Conn, statements ...string) error {
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fault(err)
		}
	}
	return nil
}

// libpq names the options of a URL that PostgreSQL's own programs take from
// their environment.
var libpq = map[string]string{
	"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY",
	"sslcrl": "PGSSLCRL", "channel_binding": "PGCHANNELBINDING", "gssencmode": "PGGSSENCMODE",
	"krbsrvname": "PGKRBSRVNAME", "target_session_attrs": "PGTARGETSESSIONATTRS",
}

// childEnv is how a program of PostgreSQL reaches the same server as the same
// role. The database comes by argument: see conninfo.
func (in *Instance) childEnv(ctx context.Context) ([]string, error) {
	cfg, err := in.settings(ctx)
	if err != nil {
		return nil, err
	}
	env := []string{
		"PGHOST=" + cfg.Host, "PGPORT=" + strconv.Itoa(int(cfg.Port)), "PGUSER=" + cfg.User,
		"PGAPPNAME=upkeep", "PGCONNECT_TIMEOUT=" + strconv.Itoa(int(patience.Seconds())),
	}
	if cfg.Password != "" {
		env = append(env, "PGPASSWORD="+cfg.Password)
	}
	u, err := url.Parse(in.cfg.URL)
	if err != nil {
		return nil, errors.New("read the url") // the cause would repeat it
	}
	for option, given := range u.Query() {
		if name, known := libpq[option]; known && len(given) > 0 {
			env = append(env, name+"="+given[0])
		}
	}
	return env, nil
}

// childEnvs is childEnv for a program of this machine, and for one in the container of
// the server, where that is reached at the address that it itself has.
func (in *Instance) childEnvs(ctx context.Context) (env, inside []string, err error) {
	if env, err = in.childEnv(ctx); err != nil || in.env.RunsIn.Target == "" {
		return env, nil, err
	}
	conn, _, err := in.connectServer(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = goodbye(ctx, conn) }()
	var host, port string
	err = conn.QueryRow(ctx, `SELECT coalesce(host(inet_server_addr()), split_part(current_setting('unix_socket_directories'), ',', 1)),
		current_setting('port')`).Scan(&host, &port)
	if err != nil {
		return nil, nil, fmt.Errorf("ask the server for its own address: %w", fault(err))
	}
	for _, variable := range env {
		name, _, _ := strings.Cut(variable, "=")
		if name != "PGHOST" && name != "PGPORT" && !strings.HasPrefix(name, "PGSSL") { // files of certificates are not there
			inside = append(inside, variable)
		}
	}
	return env, append(inside, "PGHOST="+host, "PGPORT="+port), nil
}

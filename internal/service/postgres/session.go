package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
)

// steadySettings make the text of every value independent of how the server, the
// database and the role are configured: what is written under them reads back
// under them. They are those of pg_dump and, because a copy may be read on another
// server, lc_monetary, bytea_output and xmloption.
var steadySettings = []string{
	"SELECT pg_catalog.set_config('search_path', '', false)",
	"SET DateStyle TO 'ISO'",
	"SET IntervalStyle TO 'postgres'",
	"SET TimeZone TO 'UTC'",
	"SET extra_float_digits TO 3",
	"SET bytea_output TO 'hex'",
	"SET lc_monetary TO 'C'",
	"SET xmloption TO 'content'",
	"SET array_nulls TO on",
	"SET standard_conforming_strings TO on",
	"SET row_security TO off", // rather an error than a copy that lacks rows
	"SET check_function_bodies TO off",
	"SET synchronize_seqscans TO off",
	"SET client_min_messages TO warning",
	"SET statement_timeout TO 0",
	"SET lock_timeout TO 0",
	"SET idle_in_transaction_session_timeout TO 0",
	// Settings that only some of the versions have.
	`SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings
	 WHERE name IN ('transaction_timeout', 'idle_session_timeout')`,
}

// steady connects to a database with steadySettings. Names are exchanged as UTF-8;
// COPY names its own encoding. A database without an encoding has only bytes.
func (in *Instance) steady(ctx context.Context, database, encoding string) (*pgx.Conn, error) {
	conn, err := in.connect(ctx, database)
	if err != nil {
		return nil, err
	}
	names := "UTF8"
	if encoding == "SQL_ASCII" {
		names = encoding
	}
	all := strings.Join(append([]string{"SET client_encoding TO '" + names + "'"}, steadySettings...), ";")
	if _, err := conn.PgConn().Exec(ctx, all).ReadAll(); err != nil {
		_ = goodbye(ctx, conn)
		return nil, fault(err)
	}
	return conn, nil
}

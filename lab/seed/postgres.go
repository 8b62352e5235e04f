package seed

import (
	"context"
	_ "embed"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

//go:embed schema.sql
var schema string

// enums of schema.sql, which the driver has to learn before a COPY.
var enums = []string{
	"userrole", "projecttype", "projectstatus", "ocrstatus", "slicetype", "cotsource", "cotstatus",
	"exportformat", "exportstatus", "taskstatus", "auditeventtype", "auditseverity", "resourcetype",
}

// fillPostgres makes the database and copies all tables in, parents first.
func (g generator) fillPostgres(ctx context.Context, url string, uploads []upload) (rows map[string]int64, err error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	if err := makeDatabase(ctx, config); err != nil {
		return nil, err
	}
	config.Database = Database
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	if _, err := conn.Exec(ctx, "set role "+Owner); err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, schema); err != nil {
		return nil, fmt.Errorf("make the tables: %w", err)
	}
	types, err := conn.LoadTypes(ctx, enums)
	if err != nil {
		return nil, fmt.Errorf("learn the enums: %w", err)
	}
	conn.TypeMap().RegisterTypes(types)
	rows = map[string]int64{}
	for _, t := range g.tables(uploads) {
		if rows[t.name], err = g.copyTable(ctx, conn, t); err != nil {
			return nil, fmt.Errorf("copy into %s: %w", t.name, err)
		}
	}
	_, err = conn.Exec(ctx, "analyze")
	return rows, err
}

func makeDatabase(ctx context.Context, config *pgx.ConnConfig) (err error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	if _, err := conn.Exec(ctx, "create role "+Owner); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "create database "+Database+" owner "+Owner)
	return err
}

func (g generator) copyTable(ctx context.Context, conn *pgx.Conn, t table) (int64, error) {
	n := 0
	return conn.CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, pgx.CopyFromFunc(func() ([]any, error) {
		if n == t.rows {
			return nil, nil
		}
		r := g.row(t.name, n)
		n++
		return t.values(r), nil
	}))
}

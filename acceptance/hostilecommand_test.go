package acceptance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
	goredis "github.com/redis/go-redis/v9"
	"github.com/rogpeppe/go-internal/testscript"
)

// hostileNames are what a shell, a path, SQL or a terminal would take for something
// else. PostgreSQL takes up to 63 bytes.
func hostileNames() []string {
	return []string{
		`it's "quoted"`,
		"new\nline",
		"  spaces  ",
		"$(touch pwned)`touch pwned`",
		"; touch pwned #",
		strings.Repeat("数据库", 7), // 63 bytes
		"MiXeD Case",
		"tab\tand\x1b]0;pwned\x07",
		`back\slash\`,
		"--option=pwned",
		"%s%n%41 percent",
		"..",
		"a.b.c",
		"*",
	}
}

// hostile POSTGRES REDIS DIR: makes databases, tables, roles, keys and files of
// every hostile name. HOSTILE_0 and so on are the names.
func hostile(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	for i, name := range hostileNames() {
		ts.Setenv(fmt.Sprintf("HOSTILE_%d", i), name)
		hostileDatabase(ctx, ts, lookup(ts, args[0]), name)
	}
	hostileKeys(ctx, ts, lookup(ts, args[1]))
	hostileFiles(ts, ts.MkAbs(args[2]))
}

func hostileDatabase(ctx context.Context, ts *testscript.TestScript, s *running, name string) {
	quoted, table := pgx.Identifier{name}.Sanitize(), hostileTable(name)
	hostileSQL(ctx, ts, s, "postgres",
		"CREATE ROLE "+quoted+" LOGIN PASSWORD 'x'",
		"CREATE DATABASE "+quoted+" OWNER "+quoted)
	hostileSQL(ctx, ts, s, name,
		"CREATE SCHEMA "+quoted,
		"CREATE TABLE "+table+" (id serial PRIMARY KEY, "+quoted+" text NOT NULL)",
		"CREATE INDEX ON "+table+" ("+quoted+")",
		"INSERT INTO "+table+" ("+quoted+") SELECT 'row ' || n FROM generate_series(1, 100) n",
		"COMMENT ON TABLE "+table+" IS 'a comment; -- with $(touch pwned)'",
		"ALTER TABLE "+table+" OWNER TO "+quoted)
}

func hostileKeys(ctx context.Context, ts *testscript.TestScript, s *running) {
	client := goredis.NewClient(&goredis.Options{Addr: s.Addr(), Password: s.Password})
	defer client.Close()
	for _, name := range append(hostileNames(), "", "\x00\xff\xfe", strings.Repeat("k", 70000)) {
		ts.Check(client.Set(ctx, name, name, 0).Err())
		ts.Check(client.HSet(ctx, "hash "+name, name, name).Err())
	}
}

func hostileFiles(ts *testscript.TestScript, dir string) {
	for _, name := range append(hostileNames(), "\xb5\xb5\xb0\xb8.txt", strings.Repeat("n", 255)) {
		if name == ".." {
			continue
		}
		ts.Check(os.MkdirAll(filepath.Join(dir, "below "+name[:min(len(name), 200)]), 0o755))
		for _, file := range []string{name, filepath.Join("below "+name[:min(len(name), 200)], name)} {
			ts.Check(os.WriteFile(filepath.Join(dir, file), []byte(name), 0o644))
		}
		ts.Check(os.Symlink(name, filepath.Join(dir, "below "+name[:min(len(name), 200)], "link")))
	}
}

// takeaway POSTGRES REDIS DIR NAME: removes what hostile made under one name: the
// rows of its table, its key, its file.
func takeAway(ts *testscript.TestScript, _ bool, args []string) {
	ctx, name := context.Background(), args[3]
	client := goredis.NewClient(&goredis.Options{Addr: lookup(ts, args[1]).Addr(), Password: lookup(ts, args[1]).Password})
	defer client.Close()
	ts.Check(client.Del(ctx, name).Err())
	ts.Check(os.Remove(filepath.Join(ts.MkAbs(args[2]), name)))
	hostileSQL(ctx, ts, lookup(ts, args[0]), name, "DELETE FROM "+hostileTable(name))
}

// isback POSTGRES REDIS DIR NAME: wants it all there again, as hostile made it.
func isBack(ts *testscript.TestScript, _ bool, args []string) {
	ctx, name := context.Background(), args[3]
	client := goredis.NewClient(&goredis.Options{Addr: lookup(ts, args[1]).Addr(), Password: lookup(ts, args[1]).Password})
	defer client.Close()
	if got, err := client.Get(ctx, name).Result(); err != nil || got != name {
		ts.Fatalf("key %q holds %q, %v", name, got, err)
	}
	if got, err := os.ReadFile(filepath.Join(ts.MkAbs(args[2]), name)); err != nil || string(got) != name {
		ts.Fatalf("file %q holds %q, %v", name, got, err)
	}
	hostileSQL(ctx, ts, lookup(ts, args[0]), name, "SELECT 1 / (count(*) = 100)::int FROM "+hostileTable(name))
}

func hostileTable(name string) string { return pgx.Identifier{name, name}.Sanitize() }

func hostileSQL(ctx context.Context, ts *testscript.TestScript, s *running, database string, statements ...string) {
	config, err := pgx.ParseConfig(s.DSN("postgres"))
	ts.Check(err)
	config.Database = database
	conn, err := pgx.ConnectConfig(ctx, config)
	ts.Check(err)
	defer conn.Close(ctx)
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			ts.Fatalf("%s: %v", statement, err)
		}
	}
}

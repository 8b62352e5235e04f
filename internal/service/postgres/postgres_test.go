package postgres_test

import (
	"context"
	_ "embed"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"upkeep/internal/secret"
	"upkeep/internal/service"
	"upkeep/internal/service/postgres"
	"upkeep/internal/service/servicetest"
	"upkeep/lab"
)

// instance is everything that a declared or a scratch server offers.
type instance interface {
	service.Instance
	service.Checker
	service.Collector
	service.Identifier
	service.Sizer
	service.Source
	service.Restorer
	service.Driller
	service.Verifier
	service.Extractor
	service.Queryer
	service.Prober
}

// major is that of the machine's PostgreSQL packages.
const major = 15

func startServer(t *testing.T, settings map[string]string) *lab.Server {
	t.Helper()
	return lab.Postgres(t, lab.Options{Major: major, Settings: settings})
}

// declare opens an instance of the server; edit may change the declaration.
func declare(t *testing.T, env service.Env, s *lab.Server, database string, edit func(*postgres.Config)) instance {
	t.Helper()
	return declareURL(t, env, s.URL(database), secret.Ref{Scheme: secret.File, Place: s.PasswordFile}, edit)
}

func declareURL(t *testing.T, env service.Env, url string, password secret.Ref, edit func(*postgres.Config)) instance {
	t.Helper()
	cfg := postgres.Kind.NewConfig().(*postgres.Config)
	cfg.URL, cfg.Password = url, password
	if edit != nil {
		edit(cfg)
	}
	if problems := postgres.Kind.Validate(cfg); problems.Err() != nil {
		t.Fatal(problems)
	}
	in, err := postgres.Kind.Open(env, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	})
	return in.(instance)
}

// sql runs statements in one database as the superuser.
func sql(t *testing.T, dsn string, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	for _, statement := range statements {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%.200s: %v", statement, err)
		}
	}
}

func dial(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func ask[T any](t *testing.T, dsn, statement string) (v T) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if err := conn.QueryRow(t.Context(), statement).Scan(&v); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return v
}

// backUp stores a whole copy.
func backUp(t *testing.T, in service.Source) *servicetest.Copy {
	t.Helper()
	snap, err := in.Snapshot(t.Context(), service.NoPrevious, service.Report{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := snap.Close(); err != nil {
			t.Error(err)
		}
	}()
	copied, err := servicetest.Store(t.Context(), snap)
	if err != nil {
		t.Fatal(err)
	}
	return copied
}

// scratch makes a scratch server that lives as long as the test.
func scratch(t *testing.T, in service.Driller, c service.Copy) instance {
	t.Helper()
	sibling, err := in.Scratch(t.Context(), c, service.Report{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sibling.Close(); err != nil {
			t.Error(err)
		}
	})
	return sibling.(instance)
}

func restore(t *testing.T, in service.Restorer, c service.Copy, only string) {
	t.Helper()
	if err := in.Restore(t.Context(), c, service.Selection{Only: only}, service.Report{}); err != nil {
		t.Fatal(err)
	}
}

func verify(t *testing.T, in service.Verifier, c service.Copy) service.Verdict {
	t.Helper()
	v, err := in.Verify(t.Context(), c, service.Report{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// has reports whether there is a finding of a slug about a subject that contains
// the given text.
func has(v service.Verdict, slug, subject string) bool {
	for _, f := range v.Findings {
		if f.ID == slug && strings.Contains(f.Subject, subject) {
			return true
		}
	}
	return false
}

func none(t *testing.T, v service.Verdict) {
	t.Helper()
	for _, f := range v.Findings {
		t.Errorf("unexpected finding %s %s %q %v", f.Severity, f.ID, f.Subject, f.Args)
	}
}

func entry(t *testing.T, c service.Copy, name string) service.Entry {
	t.Helper()
	for _, e := range c.Manifest().Entries {
		if e.Name == name {
			return e
		}
	}
	t.Fatalf("the manifest has no entry %q", name)
	return service.Entry{}
}

//go:embed testdata/everything.sql
var everything string

// hostile is a name that breaks whoever pastes it into SQL, a shell, a connection
// string, a path or a line.
const hostile = "Q\"u'o`t\\e; $(id) a=b\n%s/../*.x"

// full is an identifier of the greatest length, in Chinese.
var full = strings.Repeat("库", 21)

// seedEverything fills a server with what PostgreSQL can hold and names can be.
func seedEverything(t *testing.T, s *lab.Server) {
	t.Helper()
	sql(t, s.DSN("postgres"),
		`CREATE ROLE cotuser LOGIN PASSWORD 'old-secret' CREATEDB VALID UNTIL '2031-01-01'`,
		`CREATE ROLE `+quoted(hostile)+` NOLOGIN`,
		`CREATE ROLE "组" NOLOGIN`,
		`GRANT "组" TO cotuser WITH ADMIN OPTION`,
		`GRANT `+quoted(hostile)+` TO cotuser`,
		`ALTER ROLE cotuser SET work_mem TO '7MB'`,
		`CREATE DATABASE cotdb OWNER cotuser`,
		`CREATE DATABASE `+quoted(hostile)+` OWNER `+quoted(hostile),
		`CREATE DATABASE `+quoted(full)+` CONNECTION LIMIT 7`,
		`CREATE DATABASE bytes TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'`,
		`CREATE DATABASE gbk TEMPLATE template0 ENCODING 'EUC_CN' LC_COLLATE 'C' LC_CTYPE 'C'`,
		`ALTER DATABASE cotdb SET statement_timeout TO '5min'`,
		`ALTER DATABASE cotdb SET bytea_output TO 'escape'`,
		`REVOKE CONNECT ON DATABASE cotdb FROM PUBLIC`,
		`GRANT CONNECT ON DATABASE cotdb TO "组"`,
		`COMMENT ON DATABASE cotdb IS 'studio'`)
	sql(t, s.DSN("cotdb"), everything)
	for _, name := range []string{hostile, full} {
		table := quoted(hostile) + "." + quoted(full)
		sql(t, s.DSN(name),
			`CREATE SCHEMA `+quoted(hostile),
			`CREATE TABLE `+table+` (`+quoted(hostile)+` serial PRIMARY KEY, `+quoted("表 名")+` text)`,
			`CREATE INDEX `+quoted("i "+hostile)+` ON `+table+` (`+quoted("表 名")+`)`,
			`INSERT INTO `+table+` (`+quoted("表 名")+`) SELECT 'row ' || g FROM generate_series(1, 50) g`)
	}
	sql(t, s.DSN("bytes"), `CREATE TABLE raw (b text)`, `INSERT INTO raw VALUES (E'\xff\xfe latin \xe9'), (E'tab\t back\\slash')`)
	sql(t, s.DSN("gbk")+"?client_encoding=UTF8", `CREATE TABLE "汉字" ("列" text)`, `INSERT INTO "汉字" VALUES ('中文')`)
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }

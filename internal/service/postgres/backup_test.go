package postgres_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"upkeep/internal/secret"
	"upkeep/internal/service"
	"upkeep/internal/service/postgres"
	"upkeep/internal/service/servicetest"
)

func exclude(patterns ...string) func(*postgres.Config) {
	return func(c *postgres.Config) { c.Exclude = patterns }
}

// Money moves between two tables while they are copied: their sum, and the moves
// recorded in a third one, hold in any one moment only.
func TestACopyIsOneMomentWhileOthersWrite(t *testing.T) {
	server := startServer(t, nil)
	sql(t, server.DSN("postgres"),
		"CREATE TABLE a_left (id int PRIMARY KEY, n int)", "CREATE TABLE z_right (id int PRIMARY KEY, n int)", "CREATE TABLE moves (id serial PRIMARY KEY)",
		"INSERT INTO a_left SELECT g, 1000 FROM generate_series(1, 20000) g", "INSERT INTO z_right SELECT g, 1000 FROM generate_series(1, 20000) g")
	in := declare(t, servicetest.Env(t), server, "postgres", nil)
	writing, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for w := range 3 {
		conn := dial(t, server.DSN("postgres"))
		writers.Go(func() {
			for i := 1; writing.Err() == nil; i++ {
				id := (i*7+w*131)%20000 + 1
				_, err := conn.PgConn().Exec(context.Background(), strings.ReplaceAll(
					"BEGIN; UPDATE a_left SET n = n - 1 WHERE id = %; UPDATE z_right SET n = n + 1 WHERE id = %; INSERT INTO moves DEFAULT VALUES; COMMIT", "%", itoa(id))).ReadAll()
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	waitFor(t, func() bool { return ask[int](t, server.DSN("postgres"), "SELECT count(*) FROM moves") > 50 })
	copied := backUp(t, in)
	stop()
	writers.Wait()

	sibling := scratch(t, in, copied)
	restore(t, sibling, copied, "")
	none(t, verify(t, sibling, copied))
	conn, err := postgres.Connect(t.Context(), sibling, "postgres")
	must(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	var left, right, moves, sequence int64
	must(t, conn.QueryRow(t.Context(), "SELECT (SELECT sum(n) FROM a_left), (SELECT sum(n) FROM z_right), (SELECT count(*) FROM moves), (SELECT last_value FROM moves_id_seq)").Scan(&left, &right, &moves, &sequence))
	if left+right != 40_000_000 || 20_000_000-left != moves {
		t.Errorf("left %d, right %d, %d moves: not of one moment", left, right, moves)
	}
	if sequence < moves {
		t.Errorf("the sequence stands at %d behind %d rows", sequence, moves)
	}
}

func itoa(n int) string { return string(appendInt(nil, n)) }

func appendInt(b []byte, n int) []byte {
	if n >= 10 {
		b = appendInt(b, n/10)
	}
	return append(b, byte('0'+n%10))
}

func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never happens")
		}
	}
}

func TestAServerKilledInMidDumpIsAnErrorAndNoShortPart(t *testing.T) {
	server := startServer(t, nil)
	sql(t, server.DSN("postgres"), "CREATE TABLE big AS SELECT g, repeat(md5(g::text), 20) FROM generate_series(1, 200000) g")
	in := declare(t, servicetest.Env(t), server, "postgres", nil)
	snap, err := in.Snapshot(t.Context(), service.NoPrevious, service.Report{})
	must(t, err)
	defer func() { must(t, snap.Close()) }()
	for p, err := range snap.Parts(t.Context()) {
		must(t, err)
		if p.Name != "postgres/tables/public.big" {
			continue
		}
		r, err := p.Open(t.Context())
		must(t, err)
		defer func() { must(t, r.Close()) }()
		_, err = io.ReadFull(r, make([]byte, 1<<20))
		must(t, err)
		must(t, server.Kill())
		if _, err := io.Copy(io.Discard, r); !errors.Is(err, service.ErrUnreachable) {
			t.Errorf("the stream ended with %v; want unreachable", err)
		}
	}
	if _, err := snap.Manifest(t.Context()); err == nil {
		t.Error("there is a manifest of what was not read")
	}
}

func TestAServerKilledBeforeTheSchemaIsReadIsUnreachable(t *testing.T) {
	server := startServer(t, nil)
	in := declare(t, servicetest.Env(t), server, "postgres", nil)
	snap, err := in.Snapshot(t.Context(), service.NoPrevious, service.Report{})
	must(t, err)
	defer func() { must(t, snap.Close()) }()
	must(t, server.Kill())
	if _, err := servicetest.Store(t.Context(), snap); !errors.Is(err, service.ErrUnreachable) {
		t.Errorf("storing ended with %v; want unreachable", err)
	}
}

func TestATruncateBehindOurBackDoesNotEmptyTheCopy(t *testing.T) {
	server := startServer(t, nil)
	sql(t, server.DSN("postgres"), "CREATE TABLE a (n int)", "INSERT INTO a SELECT generate_series(1, 10)")
	in := declare(t, servicetest.Env(t), server, "postgres", nil)
	snap, err := in.Snapshot(t.Context(), service.NoPrevious, service.Report{})
	must(t, err)
	blocked := make(chan error, 1)
	conn := dial(t, server.DSN("postgres"))
	go func() {
		_, err := conn.Exec(context.Background(), "TRUNCATE a")
		blocked <- err
	}()
	waitFor(t, func() bool {
		return ask[int](t, server.DSN("postgres"), "SELECT count(*) FROM pg_locks WHERE NOT granted") > 0
	})
	copied, err := servicetest.Store(t.Context(), snap)
	must(t, err)
	must(t, snap.Close())
	must(t, <-blocked)
	if e := entry(t, copied, "postgres/tables/public.a"); e.Count != 10 {
		t.Errorf("the copy has %d rows", e.Count)
	}
}

func TestFailuresHaveTheirNames(t *testing.T) {
	server := startServer(t, map[string]string{"max_connections": "5", "superuser_reserved_connections": "2"})
	sql(t, server.DSN("postgres"), "CREATE ROLE app LOGIN PASSWORD 'right'")
	app := func(password string) instance {
		return declareURL(t, servicetest.Env(t), strings.Replace(server.URL("postgres"), "postgres@", "app@", 1), literalRef(password), nil)
	}
	_, err := app("wrong-pass-word").Check(t.Context())
	if !errors.Is(err, service.ErrDenied) || strings.Contains(err.Error(), "wrong-pass-word") {
		t.Errorf("wrong password: %v", err)
	}
	mine := strings.Replace(server.URL("postgres"), "postgres@", "app:right@", 1)
	for range 6 { // until there is none left
		if conn, err := pgx.Connect(t.Context(), mine); err == nil {
			defer func() { _ = conn.Close(context.Background()) }()
		}
	}
	_, err = app("right").Identity(t.Context())
	wantFault(t, err, "postgres.no-slots", service.ErrUnreachable)
	v, err := app("right").Check(t.Context()) // it is known what is wrong
	if err != nil || len(v.Findings) != 1 || v.Findings[0].ID != "connections-exhausted" {
		t.Errorf("the check finds %v, %v", v.Findings, err)
	}

	must(t, server.Stop())
	for name, call := range map[string]func() error{
		"check": func() error { _, err := app("right").Check(t.Context()); return err },
		"backup": func() error {
			_, err := app("right").Snapshot(t.Context(), service.NoPrevious, service.Report{})
			return err
		},
		"size": func() error { _, err := app("right").Size(t.Context()); return err },
	} {
		if err := call(); !errors.Is(err, service.ErrUnreachable) {
			t.Errorf("%s of a stopped server: %v", name, err)
		}
	}
}

func TestAPgDumpOlderThanTheServerIsRefusedFirst(t *testing.T) {
	server := startServer(t, nil)
	env := servicetest.Env(t)
	env.Find = func(_ context.Context, program string, major int) (string, string, error) {
		if major > 14 {
			return "", "", service.ErrNoTool
		}
		return "/usr/bin/" + program, "14.9", nil
	}
	in := declare(t, env, server, "postgres", nil)
	_, err := in.Snapshot(t.Context(), service.NoPrevious, service.Report{})
	wantFault(t, err, "postgres.pg-dump-too-old", service.ErrNoTool)
}

func TestPasswordsReachNoArgumentAndNoLog(t *testing.T) {
	server := startServer(t, nil)
	env := servicetest.Env(t)
	whole := env.Run
	env.Run = func(ctx context.Context, c service.Cmd) error {
		if strings.Contains(strings.Join(c.Args, " "), server.Password) {
			t.Errorf("%s has the password in its arguments", c.Program)
		}
		return whole(ctx, c)
	}
	in := declare(t, env, server, "postgres", nil)
	copied := backUp(t, in)
	sibling := scratch(t, in, copied)
	restore(t, sibling, copied, "")
	if strings.Contains(server.Log(), server.Password) {
		t.Error("the server's log has the password")
	}
}

func TestAUnixSocketWillDo(t *testing.T) {
	server := startServer(t, nil)
	if sockets, err := filepath.Glob(filepath.Join(server.Dir, ".s.PGSQL.*")); err != nil || len(sockets) == 0 {
		t.Fatalf("the server has no socket in %s: %v", server.Dir, err)
	}
	url := "postgres:///postgres?user=postgres&host=" + server.Dir + "&port=" + itoa(server.Port)
	in := declareURL(t, servicetest.Env(t), url, secret.Ref{Scheme: secret.File, Place: server.PasswordFile}, nil)
	if n := backUp(t, in).Manifest().Counts["databases"]; n != 1 {
		t.Errorf("%d databases were copied", n)
	}
}

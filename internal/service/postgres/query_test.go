package postgres_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func rowsOf(ctx context.Context, in service.Queryer, statement string) (rows [][]any, err error) {
	for row, err := range in.Query(ctx, statement) {
		if err != nil {
			return rows, err
		}
		rows = append(rows, row.Values)
	}
	return rows, nil
}

func TestQueryAnswersOneReadOnlyStatement(t *testing.T) {
	server := startServer(t, nil)
	sql(t, server.DSN("postgres"), "CREATE TABLE t (n int)", "INSERT INTO t VALUES (1)")
	in := declare(t, servicetest.Env(t), server, "postgres", nil)
	for statement, want := range map[string]string{
		"SELECT 1::int2, 2::int8, 1.5::float4, 3::numeric, 2.5::numeric, true, NULL, 'é', '{\"a\": 1}'::jsonb": `[[1,2,1.5,3,2.5,true,null,"é","{\"a\": 1}"]]`,
		"SELECT '2026-11-23 01:02:03.5+08'::timestamptz, '2026-11-23'::date, 'infinity'::date":                 `[["2026-11-22T17:02:03.5Z","2026-11-23T00:00:00Z","infinity"]]`,
		"SELECT g FROM generate_series(1, 3) g -- with a comment":                                              `[[1],[2],[3]]`,
		"VALUES (1), (2)": `[[1],[2]]`, "TABLE t": `[[1]]`, "WITH x AS (SELECT 7) SELECT * FROM x": `[[7]]`,
		"SELECT FROM t WHERE false": `null`,
	} {
		rows, err := rowsOf(t.Context(), in, statement)
		if got := jsonOf(t, rows); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", statement, got, err, want)
		}
	}
	for _, statement := range []string{
		"INSERT INTO t VALUES (2)", "SELECT 1; DELETE FROM t", "WITH x AS (DELETE FROM t RETURNING n) SELECT * FROM x",
		"COPY t TO PROGRAM 'cat'", "COMMIT", "SELECT * FROM nowhere", "",
	} {
		if rows, err := rowsOf(t.Context(), in, statement); err == nil {
			t.Errorf("%s was answered: %v", statement, rows)
		}
	}
	if n := ask[int](t, server.DSN("postgres"), "SELECT sum(n) FROM t"); n != 1 {
		t.Errorf("the table was changed: %d", n)
	}
}

func TestQueryEndsAtItsDeadlineOnTheServerToo(t *testing.T) {
	server := startServer(t, nil)
	in := declare(t, servicetest.Env(t), server, "postgres", nil)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := rowsOf(ctx, in, "SELECT pg_sleep(600)"); err == nil {
		t.Fatal("it was answered")
	}
	waitFor(t, func() bool {
		return ask[int](t, server.DSN("postgres"), "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid() AND state = 'active'") == 0
	})
}

func TestProbeNamesThePrograms(t *testing.T) {
	server := startServer(t, nil)
	in := declare(t, servicetest.Env(t), server, "postgres", nil)
	for _, need := range in.Probe(t.Context()) {
		if need.Found == "" {
			t.Errorf("%s for %s was not found", need.Name, need.Use)
		}
	}
}

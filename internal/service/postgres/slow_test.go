package postgres_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"upkeep/internal/quantity"
	"upkeep/internal/service"
	"upkeep/internal/service/postgres"
	"upkeep/internal/service/servicetest"
	"upkeep/lab"
)

// majors are the servers that lab/install brings; one that is missing is skipped.
var (
	majors = []int{15, 16, 17, 18}
	ends   = []int{15, 18} // of their range
)

// on runs a test on a server of each of some major versions.
func on(t *testing.T, majors []int, settings map[string]string, test func(t *testing.T, server *lab.Server)) {
	for _, major := range majors {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			test(t, lab.Postgres(t, lab.Options{Major: major, Settings: settings}))
		})
	}
}

var recording = map[string]string{"shared_preload_libraries": "pg_stat_statements"}

// slowAbove lowers the limit: statements of a test are to be quick.
func slowAbove(mean time.Duration, calls int) func(*postgres.Config) {
	return func(c *postgres.Config) { c.Slow = postgres.Slow{Mean: quantity.Duration(mean), Calls: calls} }
}

func TestSlowStatementsAreFoundOnEveryMajor(t *testing.T) {
	on(t, majors, recording, func(t *testing.T, server *lab.Server) {
		sql(t, server.DSN("postgres"), "CREATE SCHEMA monitoring", "CREATE EXTENSION pg_stat_statements SCHEMA monitoring", "CREATE DATABASE cot")
		for range 3 {
			sql(t, server.DSN("cot"), "SELECT pg_sleep(0.03), 'secret-value'", "/* upkeep's own */ SELECT 'quick', 12345", "COPY (SELECT pg_sleep(0.03)) TO STDOUT")
		}
		in := declare(t, servicetest.Env(t), server, "postgres", slowAbove(20*time.Millisecond, 3))
		v := check(t, in)
		if len(v.Findings) != 1 || !has(v, "slow-statement", "cot ") {
			t.Errorf("found %v", v.Findings)
		}
		args := v.Findings[0].Args
		if mean := args["mean"].(float64); args["calls"] != int64(3) || mean < 0.03 || mean > 3 || args["total"].(float64) < 0.09 || args["since"].(float64) <= 0 {
			t.Errorf("measured %v", args)
		}
		facts := jsonOf(t, v.Facts["statements"])
		for _, want := range []string{`"cot"`, "pg_sleep", `"rows":3`, `"mean_s"`} {
			if !strings.Contains(facts, want) {
				t.Errorf("%s is not among %s", want, facts)
			}
		}
		for _, hidden := range []string{"secret-value", "12345", "upkeep's", "COPY"} {
			if strings.Contains(facts+jsonOf(t, v.Findings), hidden) {
				t.Errorf("%s is shown", hidden)
			}
		}
		none(t, check(t, declare(t, servicetest.Env(t), server, "postgres", slowAbove(20*time.Millisecond, 4))))
		none(t, check(t, declare(t, servicetest.Env(t), server, "postgres", slowAbove(0, 1))))
	})
}

func TestStatementsOfAnOldExtensionAreRead(t *testing.T) {
	server := startServer(t, recording)
	sql(t, server.DSN("postgres"), "CREATE EXTENSION pg_stat_statements VERSION '1.7'", "SELECT pg_sleep(0.03)")
	v := check(t, declare(t, servicetest.Env(t), server, "postgres", slowAbove(20*time.Millisecond, 1)))
	if !has(v, "slow-statement", "postgres ") || v.Facts["statements_since_s"] != nil {
		t.Errorf("found %v, facts %v", v.Findings, v.Facts)
	}
}

func TestStatementsThatCannotBeReadAreAFindingWithTheFix(t *testing.T) {
	server := startServer(t, recording)
	in := declare(t, servicetest.Env(t), server, "postgres", nil)
	arg := func(in service.Checker, name string) any {
		for _, f := range check(t, in).Findings {
			if f.ID == "no-pg-stat-statements" {
				return f.Args[name]
			}
		}
		return "no finding"
	}
	if got := arg(in, "installed"); got != false {
		t.Errorf("not installed: %v", got)
	}
	sql(t, server.DSN("postgres"), "CREATE EXTENSION pg_stat_statements", "ALTER SYSTEM SET pg_stat_statements.track = 'none'", "SELECT pg_reload_conf()")
	waitFor(t, func() bool { return arg(in, "off") == true })
	sql(t, server.DSN("postgres"), "ALTER SYSTEM RESET pg_stat_statements.track", "SELECT pg_reload_conf()",
		"CREATE ROLE app LOGIN PASSWORD 'right' IN ROLE pg_monitor", "REVOKE SELECT ON pg_stat_statements FROM PUBLIC")
	app := declareURL(t, servicetest.Env(t), strings.Replace(server.URL("postgres"), "postgres@", "app@", 1), literalRef("right"), nil)
	if got := arg(app, "denied"); got != true {
		t.Errorf("denied: %v", got)
	}
	waitFor(t, func() bool { return arg(in, "installed") == "no finding" })
}

func TestConstantsOfAStatementAreNeverShown(t *testing.T) {
	for query, want := range map[string]string{
		`SELECT * FROM t1 WHERE a = $1 AND "it's 7" = $2`:              `SELECT * FROM t1 WHERE a = $1 AND "it's 7" = $2`,
		`SELECT 'a''b', E'c\'d', 42, 1.5 FROM "x""y" -- it's 5` + "\n": `SELECT ?, ?, ?, ? FROM "x""y"`,
		`SELECT /* 'x' */ $$it's$$ , 'y'`:                              `SELECT ?`,
		`SELECT $tag$ $1 $tag$`:                                        `SELECT ?`,
		`SELECT 'never closed`:                                         `SELECT ?`,
		"SELECT\n\t\"列\"  FROM 表 WHERE 名 = '值'":                        `SELECT "列" FROM 表 WHERE 名 = ?`,
	} {
		if got := postgres.Shown(query); got != want {
			t.Errorf("%q is shown as %q", query, got)
		}
	}
	if got := []rune(postgres.Shown(strings.Repeat("列", 500))); len(got) != 201 || string(got[200]) != "…" {
		t.Errorf("a long statement is shown as %q", string(got))
	}
}

package postgres_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"upkeep/internal/quantity"
	"upkeep/internal/service"
	"upkeep/internal/service/postgres"
	"upkeep/internal/service/servicetest"
)

func check(t *testing.T, in service.Checker) service.Verdict {
	t.Helper()
	v, err := in.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestAHealthyServerHasNoFindings(t *testing.T) {
	server := startServer(t, map[string]string{"shared_preload_libraries": "pg_stat_statements"})
	sql(t, server.DSN("postgres"), "CREATE EXTENSION pg_stat_statements")
	v := check(t, declare(t, servicetest.Env(t), server, "postgres", nil))
	none(t, v)
	if version, _ := v.Facts["version"].(string); !strings.HasPrefix(version, "15.") {
		t.Errorf("the version is %v", v.Facts["version"])
	}
	if size, _ := v.Facts["size_bytes"].(int64); size < 1<<20 {
		t.Errorf("the size is %v", v.Facts["size_bytes"])
	}
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	server := startServer(t, map[string]string{
		"max_connections": "12", "max_prepared_transactions": "2", "archive_mode": "on", "archive_command": "false", "wal_level": "logical"})
	sql(t, server.DSN("postgres"),
		"CREATE TABLE twice (n int)", "INSERT INTO twice VALUES (1), (1)",
		"SELECT pg_create_physical_replication_slot('forgotten', true)",
		"BEGIN", "PREPARE TRANSACTION 'left'",
		"CREATE TABLE wal (n int)", "SELECT pg_switch_wal()")
	// As a failed CREATE UNIQUE INDEX CONCURRENTLY leaves it.
	if _, err := dial(t, server.DSN("postgres")).Exec(t.Context(), "CREATE UNIQUE INDEX CONCURRENTLY twice_n ON twice (n)"); err == nil {
		t.Fatal("the index was built")
	}
	idle, busy := dial(t, server.DSN("postgres")), dial(t, server.DSN("postgres"))
	if _, err := idle.Exec(t.Context(), "BEGIN; SELECT 1"); err != nil {
		t.Fatal(err)
	}
	var sleeping sync.WaitGroup
	defer sleeping.Wait()
	ctx, wake := context.WithCancel(t.Context())
	defer wake()
	sleeping.Go(func() { _, _ = busy.Exec(ctx, "SELECT pg_sleep(600)") })
	waitFor(t, func() bool {
		return ask[int](t, server.DSN("postgres"), "SELECT failed_count FROM pg_stat_archiver") > 0 &&
			ask[bool](t, server.DSN("postgres"), "SELECT bool_and(clock_timestamp() - xact_start > '1s') FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND xact_start IS NOT NULL AND backend_type = 'client backend'")
	})
	in := declare(t, servicetest.Env(t), server, "postgres", func(c *postgres.Config) {
		c.LongTransaction = quantity.Duration(time.Second)
		c.Databases = []string{"postgres", "cotdb"}
		c.Connections = postgres.Limits{Warning: 0.1, Critical: 0.99}
		c.Pools = []postgres.Pool{{Name: "api", Processes: 4, Size: 5, Overflow: 10}}
	})
	v := check(t, in)
	for slug, subject := range map[string]string{
		"database-missing": "cotdb", "connections-high": "", "pools-exceed-connections": "", "no-pg-stat-statements": "",
		"idle-in-transaction": "", "long-transaction": "", "prepared-transaction": "left", "slot-holds-wal": "forgotten",
		"archive-failing": "", "invalid-index": "twice_n",
	} {
		if !has(v, slug, subject) {
			t.Errorf("%s about %q was not found", slug, subject)
		}
	}
	if service.Worst(v.Findings) != service.Critical {
		t.Errorf("the worst is %s", service.Worst(v.Findings))
	}
}

func TestSizesKnowEverySpelling(t *testing.T) {
	server := startServer(t, nil)
	seedEverything(t, server)
	v := check(t, declare(t, servicetest.Env(t), server, "cotdb", nil))
	text := jsonOf(t, v.Facts["tables"])
	for _, name := range []string{"COTItem", "Mixed Case", jsonOf(t, full), jsonOf(t, hostile), `"toast_bytes"`, `"index_bytes"`} {
		if !strings.Contains(text, name) {
			t.Errorf("%s is not among %s", name, text)
		}
	}
}

func TestAnUnprivilegedRoleIsToldWhatItCannotSee(t *testing.T) {
	server := startServer(t, nil)
	sql(t, server.DSN("postgres"), "CREATE ROLE app LOGIN PASSWORD 'right'", "CREATE TABLE t (n int)")
	url := strings.Replace(server.URL("postgres"), "postgres@", "app@", 1)
	in := declareURL(t, servicetest.Env(t), url, literalRef("right"), nil)
	v := check(t, in)
	if !has(v, "no-pg-monitor", "") || v.Facts["size_bytes"] == nil || v.Facts["tables"] == nil {
		t.Errorf("found %v, facts %v", v.Findings, v.Facts)
	}
	sql(t, server.DSN("postgres"), "GRANT pg_monitor TO app")
	if v := check(t, in); has(v, "no-pg-monitor", "") {
		t.Errorf("found %v", v.Findings)
	}
}

func TestAPasswordInTheAddressWorksAndIsFound(t *testing.T) {
	server := startServer(t, nil)
	in := declareURL(t, servicetest.Env(t), server.DSN("postgres"), literalRef(""), nil)
	if v := check(t, in); !has(v, "password-in-url", "") || strings.Contains(jsonOf(t, v.Findings), server.Password) {
		t.Errorf("found %v", v.Findings)
	}
}

func TestCollectTakesTheNamesOfTheStockExporter(t *testing.T) {
	server := startServer(t, nil)
	in := declare(t, servicetest.Env(t), server, "postgres", nil)
	samples := func() (map[string]float64, error) {
		found := map[string]float64{}
		err := in.Collect(t.Context(), func(f *dto.MetricFamily) {
			found[f.GetName()] = f.Metric[0].GetGauge().GetValue() + f.Metric[0].GetCounter().GetValue()
		})
		return found, err
	}
	found, err := samples()
	must(t, err)
	for _, name := range []string{"pg_up", "pg_settings_max_connections", "pg_stat_activity_count", "pg_database_size_bytes", "pg_stat_database_numbackends", "pg_locks_count"} {
		if _, there := found[name]; !there {
			t.Errorf("there is no %s", name)
		}
	}
	if found["pg_up"] != 1 || found["pg_settings_max_connections"] != 100 {
		t.Errorf("pg_up is %v, max_connections %v", found["pg_up"], found["pg_settings_max_connections"])
	}
	if len(found) < 100 {
		t.Errorf("%d families", len(found))
	}
	must(t, server.Stop())
	if found, err := samples(); err == nil || len(found) != 1 || found["pg_up"] != 0 {
		t.Errorf("of a stopped server: %v, %v", found, err)
	}
	must(t, server.Start(t.Context()))
	for range 2 { // the second round is of the connection that the first one left open
		if found, err := samples(); err != nil || found["pg_up"] != 1 {
			t.Errorf("of a server that is back: pg_up %v, %v", found["pg_up"], err)
		}
	}
	must(t, errors.Join(server.Stop(), server.Start(t.Context())))
	if found, err := samples(); err != nil || found["pg_up"] != 1 {
		t.Errorf("of a server that was started anew since: pg_up %v, %v", found["pg_up"], err)
	}
	must(t, in.Close())
}

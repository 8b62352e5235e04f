package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/sirupsen/logrus"

	"upkeep/internal/service"
	"upkeep/lab"
)

func checked(t *testing.T, in *Instance) (map[string]service.Severity, service.Verdict) {
	t.Helper()
	v, err := in.Check(t.Context())
	must(t, err)
	return slugs(t, v), v
}

func TestAHealthyServerIsFine(t *testing.T) {
	s := start(t, "pw")
	seed(t, s)
	got, v := checked(t, declare(t, s))
	if len(got) != 0 {
		t.Errorf("found %v", v.Findings)
	}
	if v.Facts["version"] != "7.0.15" || v.Facts["server"] != "redis" || v.Facts["keys"] != int64(3022) || v.Facts["used_memory"].(int64) < 1<<19 {
		t.Errorf("facts are %v", v.Facts)
	}
	if spaces := v.Facts["keyspace"].(map[string]keyspace); spaces["db0"] != (keyspace{21, 2}) || len(spaces) != 3 {
		t.Errorf("databases are %v", spaces)
	}
}

func TestFindings(t *testing.T) {
	for _, tc := range []struct {
		name     string
		settings []string
		do       [][]any
		want     map[string]service.Severity
	}{
		{"memory near its limit", nil, [][]any{
			{"DEBUG", "POPULATE", "10000", "k", "100"}, {"CONFIG", "SET", "maxmemory", "3500000"}},
			map[string]service.Severity{"memory-high": service.Warning}},
		{"memory at its limit", nil, [][]any{
			{"DEBUG", "POPULATE", "10000", "k", "100"}, {"CONFIG", "SET", "maxmemory", "2000000"}},
			map[string]service.Severity{"memory-high": service.Critical}},
		{"a full cache is meant to be full", nil, [][]any{
			{"DEBUG", "POPULATE", "10000", "k", "100"}, {"CONFIG", "SET", "maxmemory-policy", "allkeys-lru", "maxmemory", "3500000"}},
			map[string]service.Severity{}},
		{"few connections left", []string{"maxclients 1"}, nil,
			map[string]service.Severity{"clients-high": service.Critical}},
		{"a replica without its primary", []string{"replicaof 127.0.0.1 1"}, nil,
			map[string]service.Severity{"primary-link-down": service.Critical}},
		{"open to everybody", []string{"bind 0.0.0.0", "protected-mode no"}, nil,
			map[string]service.Severity{"no-password": service.Warning}},
		{"protected from everybody else", []string{"bind 0.0.0.0"}, nil, map[string]service.Severity{}},
		{"hidden settings", nil, [][]any{{"ACL", "SETUSER", "default", "-config"}},
			map[string]service.Severity{"settings-denied": service.Unknown}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := start(t, "", tc.settings...)
			c := client(t, s, 0)
			for _, command := range tc.do {
				must(t, c.Do(t.Context(), command...).Err())
			}
			if got, v := checked(t, declare(t, s)); !maps.Equal(got, tc.want) {
				t.Errorf("found %v", v.Findings)
			}
		})
	}
}

func TestAPasswordIsEnoughOnAnOpenAddress(t *testing.T) {
	s := start(t, "pw", "bind 0.0.0.0", "protected-mode no")
	if got, _ := checked(t, declare(t, s)); len(got) != 0 {
		t.Errorf("found %v", got)
	}
}

// TestJudgements covers what cannot be brought about on the spot.
func TestJudgements(t *testing.T) {
	now := time.Unix(2_000_000_000, 0)
	for _, tc := range []struct {
		name, info string
		conf       map[string]string
		want       map[string]service.Severity
	}{
		{"a failed save", "rdb_last_save_time:1999999000\nrdb_last_bgsave_status:err", nil,
			map[string]service.Severity{"save-failed": service.Critical}},
		{"an old save", "rdb_last_save_time:1999900000\nrdb_last_bgsave_status:ok\nrdb_changes_since_last_save:5",
			map[string]string{"save": "3600 1"}, map[string]service.Severity{"save-old": service.Warning}},
		{"an old save and nothing new", "rdb_last_save_time:1999900000\nrdb_changes_since_last_save:0",
			map[string]string{"save": "3600 1"}, map[string]service.Severity{}},
		{"saves that nobody wants", "rdb_last_save_time:1999900000\nrdb_changes_since_last_save:5",
			map[string]string{"save": ""}, map[string]service.Severity{}},
		{"an append-only file that fails", "rdb_last_save_time:1999900000\nrdb_changes_since_last_save:5\naof_enabled:1\naof_last_write_status:err\naof_last_bgrewrite_status:err",
			map[string]string{"save": "3600 1"}, map[string]service.Severity{"aof-write-failed": service.Critical, "aof-rewrite-failed": service.Warning}},
		{"replicas in trouble", "rdb_last_save_time:2000000000\nslave0:ip=10.0.0.2,port=6379,state=wait_bgsave,offset=0,lag=0\nslave1:ip=10.0.0.3,port=6379,state=online,offset=9,lag=30\nslave2:ip=10.0.0.4,port=6379,state=online,offset=9,lag=1",
			nil, map[string]service.Severity{"replica-not-online": service.Warning, "replica-lags": service.Warning}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := &Instance{env: service.Env{Now: func() time.Time { return now }}}
			in.cfg.Defaults()
			var v service.Verdict
			about := parseInfo(tc.info)
			in.persistence(&v, about, tc.conf)
			replication(&v, about)
			if got := slugs(t, v); !maps.Equal(got, tc.want) {
				t.Errorf("found %v", v.Findings)
			}
		})
	}
	var v service.Verdict
	fragmentation(&v, parseInfo("mem_fragmentation_ratio:2.5\nmem_fragmentation_bytes:300000000"))
	loading(&v, parseInfo("loading_loaded_perc:42.50\nloading_eta_seconds:9"))
	if got := slugs(t, v); got["fragmentation"] != service.Warning || got["loading"] != service.Critical {
		t.Errorf("found %v", got)
	}
}

func TestFailedSaves(t *testing.T) {
	s := start(t, "")
	c := client(t, s, 0)
	must(t, c.Set(t.Context(), "a", 1, 0).Err())
	must(t, os.RemoveAll(s.Data))
	eventually(t, func() error { return c.BgSave(t.Context()).Err() })
	eventually(t, func() error {
		if about := c.Info(t.Context(), "persistence").Val(); !strings.Contains(about, "rdb_last_bgsave_status:err") {
			return errors.New("the save did not fail")
		}
		return nil
	})
	if got, _ := checked(t, declare(t, s)); got["save-failed"] != service.Critical {
		t.Errorf("found %v", got)
	}
}

func TestALoadingServerIsCritical(t *testing.T) {
	s := start(t, "pw", "key-load-delay 500", "loading-process-events-interval-bytes 1024")
	must(t, client(t, s, 0).Do(t.Context(), "DEBUG", "POPULATE", "20000").Err())
	must(t, client(t, s, 0).Save(t.Context()).Err())
	must(t, s.Kill())
	loaded := make(chan error, 1)
	go func() { loaded <- s.Start(context.WithoutCancel(t.Context())) }() // waits until it is loaded
	in := declare(t, s)
	eventually(t, func() error {
		v, err := in.Check(t.Context())
		if got := slugs(t, v); err != nil || got["loading"] != service.Critical {
			return fmt.Errorf("found %v, %w", got, errors.Join(err, errAny))
		}
		return nil
	})
	if _, err := tryBackup(t.Context(), in); !errors.Is(err, service.ErrBusy) {
		t.Errorf("a copy of a loading server: %v", err)
	}
	must(t, client(t, s, 0).Do(t.Context(), "CONFIG", "SET", "key-load-delay", "0").Err())
	must(t, <-loaded)
}

func TestCountersAreComparedWithTheLastCheck(t *testing.T) {
	s := start(t, "", "maxclients 4")
	in := declare(t, s, func(c *Config, _ *service.Env) { c.Clients = Limits{} })
	c := client(t, s, 0)
	evict := func() {
		must(t, c.Do(t.Context(), "CONFIG", "SET", "maxmemory-policy", "allkeys-lru", "maxmemory", "1100000").Err())
		for i := range 500 {
			must(t, c.Set(t.Context(), fmt.Sprintf("k%d", i), strings.Repeat("x", 1000), 0).Err())
		}
		must(t, c.Do(t.Context(), "CONFIG", "SET", "maxmemory", "0").Err())
	}
	evict()
	if got, _ := checked(t, in); len(got) != 0 {
		t.Errorf("the first check has nothing to compare with, found %v", got)
	}
	if got, _ := checked(t, in); len(got) != 0 {
		t.Errorf("nothing happened since, found %v", got)
	}
	evict()
	crowd(t, s)
	if got, _ := checked(t, in); got["evictions"] != service.Warning || got["connections-rejected"] != service.Warning {
		t.Errorf("found %v", got)
	}
	must(t, s.Stop())
	must(t, s.Start(t.Context()))
	if got, _ := checked(t, in); len(got) != 0 {
		t.Errorf("a server that started anew counts from 0, found %v", got)
	}
}

// crowd opens more connections than the server takes, and lets go of them.
func crowd(t *testing.T, s *lab.Server) {
	t.Helper()
	at, err := parseURL(s.URL("0"))
	must(t, err)
	for range 8 {
		c, err := at.dial(t.Context())
		must(t, err)
		defer func() { _ = c.close() }()
		_, _ = c.do("PING")
	}
}

func TestSamplesHaveTheNamesOfTheStockExporter(t *testing.T) {
	var said lockedBuffer
	previous := logrus.StandardLogger().Out
	logrus.SetOutput(&said)
	t.Cleanup(func() { logrus.SetOutput(previous) })
	s := start(t, "hush-hush-password")
	seed(t, s)
	in := declare(t, s, func(_ *Config, e *service.Env) { e.Log = slog.New(slog.NewTextHandler(&said, nil)) })
	collect := func() (map[string]*dto.MetricFamily, error) {
		got := map[string]*dto.MetricFamily{}
		err := in.Collect(t.Context(), func(f *dto.MetricFamily) { got[f.GetName()] = f })
		return got, err
	}
	got, err := collect()
	must(t, err)
	for _, name := range []string{"redis_up", "redis_memory_used_bytes", "redis_connected_clients", "redis_db_keys", "redis_evicted_keys_total", "redis_uptime_in_seconds"} {
		if got[name] == nil {
			t.Errorf("%s is missing among %v", name, slices.Sorted(maps.Keys(got)))
		}
	}
	if got["redis_up"].Metric[0].GetGauge().GetValue() != 1 {
		t.Error("redis_up is not 1")
	}
	must(t, s.Stop())
	got, err = collect()
	if !errors.Is(err, service.ErrUnreachable) || got["redis_up"].Metric[0].GetGauge().GetValue() != 0 {
		t.Errorf("of a stopped server: %v, %v", got["redis_up"], err)
	}
	if strings.Contains(said.String(), s.Password) || strings.Contains(fmt.Sprint(err), s.Password) {
		t.Errorf("the password was logged: %s", said.String())
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestQueries(t *testing.T) {
	s := start(t, "")
	seed(t, s)
	in := declare(t, s)
	for _, tc := range []struct {
		statement string
		want      string
	}{
		{"DBSIZE", "[[21]]"},
		{"llen 'big list'", "[[4000]]"},
		{"GET string", "[[value]]"},
		{`GET "new\nline 'and' \"quotes\" $(reboot) ` + "`id`" + `"`, "[[x]]"},
		{"GET missing", "[[<nil>]]"},
		{"LRANGE list 0 1", "[[a] [b]]"},
		{"HGETALL 'expiring hash'", "[[a 1]]"},
		{"ZRANGE zset 0 0 WITHSCORES", "[[b -1e+300]]"},
		{"EXISTS string int missing", "[[2]]"},
		{"LRANGE missing 0 -1", "[]"},
		{"OBJECT ENCODING int", "[[int]]"},
		{"XLEN stream", "[[299]]"},
	} {
		rows := []service.Row{}
		for row, err := range in.Query(t.Context(), tc.statement) {
			must(t, err)
			rows = append(rows, row)
		}
		if got := fmt.Sprint(rows); got != tc.want {
			t.Errorf("%s gives %s, want %s", tc.statement, got, tc.want)
		}
	}
	for _, refused := range []string{
		"SET a 1", "FLUSHALL", "DEL string", "CONFIG SET maxmemory 1", "EVAL 'return 1' 0", "EVAL_RO 'return 1' 0", "DEBUG SLEEP 1",
		"SHUTDOWN", "BLPOP list 0", "XREAD BLOCK 0 STREAMS s 0", "NOSUCHCOMMAND", "GETDEL string", "SUBSCRIBE x", "OBJECT FREEZE a",
	} {
		for row, err := range in.Query(t.Context(), refused) {
			if !errors.Is(err, service.ErrRefused) {
				t.Errorf("%s gives %v, %v", refused, row, err)
			}
		}
	}
	for _, broken := range []string{"", "GET 'a", `GET "a`, "LLEN string"} {
		for row, err := range in.Query(t.Context(), broken) {
			if err == nil {
				t.Errorf("%q gives %v", broken, row)
			}
		}
	}
	if n := client(t, s, 0).DBSize(t.Context()).Val(); n != 21 {
		t.Errorf("%d keys are left", n)
	}
}

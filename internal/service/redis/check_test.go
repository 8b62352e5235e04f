package redis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

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
	leave := crowd(t, s)
	if got, _ := checked(t, in); got["clients-refused"] != service.Critical {
		t.Errorf("a crowded server: found %v", got)
	}
	leave()
	eventually(t, func() error { return in.ping(t.Context()) })
	if got, _ := checked(t, in); got["evictions"] != service.Warning || got["connections-rejected"] != service.Warning {
		t.Errorf("found %v", got)
	}
	must(t, s.Stop())
	must(t, s.Start(t.Context()))
	if got, _ := checked(t, in); len(got) != 0 {
		t.Errorf("a server that started anew counts from 0, found %v", got)
	}
}

// crowd opens more connections than the server takes, until leave is called.
func crowd(t *testing.T, s *lab.Server) (leave func()) {
	t.Helper()
	at, err := parseURL(s.URL("0"))
	must(t, err)
	var all []*conn
	for range 8 {
		c, err := at.dial(t.Context())
		must(t, err)
		all = append(all, c)
		_, _ = c.do("PING") // those over the limit are refused
	}
	return func() {
		for _, c := range all {
			_ = c.close()
		}
	}
}

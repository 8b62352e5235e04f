package redis

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"upkeep/internal/catalogue"
	"upkeep/internal/secret"
	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
	"upkeep/lab"
)

// start runs a server that answers a replica at once.
func start(t *testing.T, password string, settings ...string) *lab.Server {
	t.Helper()
	all := map[string]string{"repl-diskless-sync-delay": "0", "enable-debug-command": "local"}
	for _, line := range settings {
		name, value, _ := strings.Cut(line, " ")
		all[name] = value
	}
	return lab.Redis(t, lab.Options{Password: password, Settings: all})
}

// client is a client other than the one under test.
func client(t *testing.T, s *lab.Server, db int) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: s.Addr(), Password: s.Password, DB: db, DisableIdentity: true})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// declare opens the server as an upkeep.yaml would declare it.
func declare(t *testing.T, s *lab.Server, change ...func(*Config, *service.Env)) *Instance {
	t.Helper()
	cfg := Config{URL: s.URL("0"), Password: secret.Parse(s.Password)}
	cfg.Defaults()
	cfg.OtherDatabases = []int{2, 3, 15} // that seed and lapse fill
	env := servicetest.Env(t)
	for _, f := range change {
		f(&cfg, &env)
	}
	if err := cfg.Validate().Err(); err != nil {
		t.Fatal(err)
	}
	in, err := Kind.Open(env, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() })
	return in.(*Instance)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// seed writes values of every type, names of every sort, into three databases.
func seed(t *testing.T, s *lab.Server) {
	t.Helper()
	ctx := t.Context()
	c := client(t, s, 0)
	p := c.Pipeline()
	p.Set(ctx, "string", "value", 0)
	p.Set(ctx, "empty", "", 0)
	p.Set(ctx, "int", 42, 0)
	p.Set(ctx, "negative", -70000, 0)
	p.Set(ctx, "long", strings.Repeat("compressible ", 1000), 0)
	p.Set(ctx, "binary\x00\xff\xfe", "\x00\x01\r\n$EOF:\xff", 0)
	p.Set(ctx, "new\nline 'and' \"quotes\" $(reboot) `id`", "x", 0)
	p.Set(ctx, "任务:结果", "完成", 0)
	p.HSet(ctx, "hash", "a", 1, "b", "two", "", "empty field")
	p.SAdd(ctx, "intset", 1, -2, 300000)
	p.SAdd(ctx, "set", "a", "b", 3)
	p.ZAdd(ctx, "zset", redis.Z{Score: 1.5, Member: "a"}, redis.Z{Score: -1e300, Member: "b"}, redis.Z{Score: 3, Member: "c"})
	p.RPush(ctx, "list", "a", "b", "", "-5", strings.Repeat("x", 5000))
	for i := range 2000 {
		p.HSet(ctx, "big hash", fmt.Sprintf("field %d", i), strings.Repeat("v", i%70))
		p.SAdd(ctx, "big set", fmt.Sprintf("member %d", i))
		p.ZAdd(ctx, "big zset", redis.Z{Score: float64(i) / 3, Member: fmt.Sprintf("member %d", i)})
		p.RPush(ctx, "big list", i, strings.Repeat("e", i%90))
	}
	p.PFAdd(ctx, "hyperloglog", "a", "b", "c")
	for i := range 300 {
		p.XAdd(ctx, &redis.XAddArgs{Stream: "stream", ID: fmt.Sprintf("%d-1", i+1), Values: []any{"n", i, "n", i + 1}})
	}
	p.XDel(ctx, "stream", "7-1")
	p.XGroupCreate(ctx, "stream", "group", "0")
	p.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "group", Consumer: "worker", Streams: []string{"stream", ">"}, Count: 5})
	p.Set(ctx, "expiring", "soon", time.Hour)
	p.HSet(ctx, "expiring hash", "a", 1)
	p.ExpireAt(ctx, "expiring hash", time.Now().Add(2*time.Hour))
	p.FunctionLoad(ctx, "#!lua name=lib\nredis.register_function('f', function() return 1 end)")
	_, err := p.Exec(ctx)
	must(t, err)
	must(t, client(t, s, 3).Set(ctx, "string", "another database", 0).Err())
	many := client(t, s, 15).Pipeline()
	for i := range 3000 {
		many.Set(ctx, fmt.Sprintf("key:%d", i), i, 0)
	}
	_, err = many.Exec(ctx)
	must(t, err)
}

// lapse writes keys into db 2 that are in the server's file but whose time comes
// at once.
func lapse(t *testing.T, s *lab.Server, n int) {
	t.Helper()
	c := client(t, s, 2)
	must(t, c.Do(t.Context(), "DEBUG", "SET-ACTIVE-EXPIRE", "0").Err())
	for i := range n {
		must(t, c.Set(t.Context(), fmt.Sprintf("lapsed:%d", i), "x", time.Millisecond).Err())
	}
}

// backup stores one copy, and fails when it could not.
func backup(t *testing.T, in *Instance) *servicetest.Copy {
	t.Helper()
	c, err := tryBackup(t.Context(), in)
	must(t, err)
	return c
}

func tryBackup(ctx context.Context, in *Instance) (*servicetest.Copy, error) {
	snap, err := in.Snapshot(ctx, service.NoPrevious, service.Report{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = snap.Close() }()
	return servicetest.Store(ctx, snap)
}

// slugs are the findings by severity and slug; each needs words.
func slugs(t *testing.T, v service.Verdict) map[string]service.Severity {
	t.Helper()
	words, err := catalogue.New(catalogue.Source{Prefix: "redis", Text: text})
	must(t, err)
	got := map[string]service.Severity{}
	for _, f := range v.Findings {
		got[f.ID] = f.Severity
		args := service.Args{"target": "cache"}
		for name, value := range f.Args {
			args[name] = value
		}
		for _, lang := range catalogue.Languages() {
			title, fix := words.Words(lang).Finding("redis."+f.ID, args)
			if said := title + fix; fix == "" || strings.ContainsAny(said, "?!") || strings.Contains(said, "{{") {
				t.Errorf("%s in %s says %q and %q", f.ID, lang, title, fix)
			}
		}
	}
	return got
}

// dumpBytes is the part of a copy.
func dumpBytes(t *testing.T, c service.Copy) []byte {
	t.Helper()
	content, _, err := openCopy(t.Context(), c)
	must(t, err)
	defer func() { _ = content.Close() }()
	var b bytes.Buffer
	_, err = b.ReadFrom(content)
	must(t, err)
	return b.Bytes()
}

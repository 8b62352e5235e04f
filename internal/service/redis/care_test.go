package redis

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"upkeep/internal/quantity"
	"upkeep/internal/service"
)

// strict lowers the limits to what a test can fill.
func strict(c *Config, _ *service.Env) {
	c.WithoutTTL = WithoutTTL{Share: 0.5, Keys: 100}
	c.BigKey = 100 << 10
	c.HitRate = HitRate{Warning: 0.5, Lookups: 100}
	c.SlowCommands = 2
}

// about returns the arguments of one finding.
func about(t *testing.T, v service.Verdict, slug string) service.Args {
	t.Helper()
	for _, f := range v.Findings {
		if f.ID == slug {
			return f.Args
		}
	}
	t.Fatalf("%s was not found among %v", slug, v.Findings)
	return nil
}

func TestKeysWithoutExpiryAreCountedAndNamed(t *testing.T) {
	s := start(t, "")
	p := client(t, s, 0).Pipeline()
	for i := range 600 {
		p.Set(t.Context(), fmt.Sprintf("metric:%d:latest", i), i, 0)
	}
	for i := range 100 {
		p.Set(t.Context(), fmt.Sprintf("celery-task-meta-%d", i), i, 0)
		p.Set(t.Context(), fmt.Sprintf("session:%d", i), i, time.Hour)
	}
	_, err := p.Exec(t.Context())
	must(t, err)
	got, v := checked(t, declare(t, s, strict))
	args := about(t, v, "keys-without-ttl")
	if len(got) != 1 || args["keys"] != int64(700) || args["all"] != int64(800) || args["share"] != 0.875 {
		t.Errorf("found %v", v.Findings)
	}
	if patterns := fmt.Sprint(args["patterns"]); patterns != "[metric:* celery-task-meta-*]" || args["sampled"] != int64(500) {
		t.Errorf("named %s of %v", patterns, args["sampled"])
	}
	if got, v := checked(t, declare(t, s, strict, func(c *Config, _ *service.Env) { c.WithoutTTL.Share = 0.9 })); len(got) != 0 {
		t.Errorf("below the limit: %v", v.Findings)
	}
	if got, v := checked(t, declare(t, s)); len(got) != 0 {
		t.Errorf("few keys: %v", v.Findings)
	}
	must(t, client(t, s, 0).Do(t.Context(), "CONFIG", "SET", "maxmemory-policy", "allkeys-lru", "maxmemory", "1gb").Err())
	if got, v := checked(t, declare(t, s, strict)); len(got) != 0 {
		t.Errorf("a cache that throws out by itself: %v", v.Findings)
	}
}

func TestBigKeysAreFound(t *testing.T) {
	s := start(t, "")
	seed(t, s)
	must(t, client(t, s, 0).Set(t.Context(), "huge \"one\"\n", strings.Repeat("x", 1<<20), 0).Err())
	_, v := checked(t, declare(t, s, strict))
	args := about(t, v, "big-keys")
	if fmt.Sprint(args["examples"]) == "" || !strings.Contains(fmt.Sprint(args["examples"]), "huge") || args["largest"].(int64) < 1<<20 || args["estimated"] != false {
		t.Errorf("found %v", args)
	}
}

func TestASampleOfMillionKeysIsQuick(t *testing.T) {
	s := start(t, "")
	must(t, client(t, s, 0).Do(t.Context(), "DEBUG", "POPULATE", "1000000", "key", "50").Err())
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // as a check gets
	defer cancel()
	v, err := declare(t, s).Check(ctx)
	must(t, err)
	args := about(t, v, "keys-without-ttl")
	sampled, _ := v.Facts["keys_sampled"].(int64)
	if args["keys"] != int64(1_000_000) || fmt.Sprint(args["patterns"]) != "[key:*]" || sampled < 500 || sampled > sampledKeys+sampledAtOnce*2 {
		t.Errorf("sampled %d: %v", sampled, args)
	}
}

func TestAnEmptiedTableIsNotSearchedForEver(t *testing.T) {
	s := start(t, "")
	c := client(t, s, 0)
	must(t, c.Do(t.Context(), "DEBUG", "POPULATE", "1000000", "key", "1").Err())
	must(t, c.Do(t.Context(), "CONFIG", "SET", "hz", "1", "activerehashing", "no").Err())
	must(t, c.Do(t.Context(), "EVAL", "for i = 0, 999989 do redis.call('UNLINK', 'key:' .. i) end return 1", "0").Err())
	begun := time.Now()
	_, v := checked(t, declare(t, s, func(c *Config, _ *service.Env) { c.WithoutTTL.Keys = 1 }))
	if args := about(t, v, "keys-without-ttl"); args["keys"] != int64(10) || time.Since(begun) > 5*time.Second {
		t.Errorf("after %s: %v", time.Since(begun), args)
	}
}

func TestOtherDatabasesWithKeysAreFound(t *testing.T) {
	s := start(t, "")
	seed(t, s)
	nobody := func(c *Config, _ *service.Env) { c.OtherDatabases = []int{3} }
	_, v := checked(t, declare(t, s, nobody))
	if args := about(t, v, "shared-database"); fmt.Sprint(args["databases"]) != "[15]" || args["keys"] != int64(3000) {
		t.Errorf("found %v", args)
	}
	_, v = checked(t, declare(t, s, nobody, func(c *Config, _ *service.Env) { c.URL = s.URL("15") }))
	if args := about(t, v, "shared-database"); fmt.Sprint(args["databases"]) != "[0]" || args["declared"] != 15 {
		t.Errorf("found %v", args)
	}
}

func TestTheHitRateIsThatOfTheUsers(t *testing.T) {
	s := start(t, "")
	must(t, client(t, s, 0).Do(t.Context(), "DEBUG", "POPULATE", "1000").Err())
	in := declare(t, s, strict) // keys without expiry make it ask for the expiry of some
	ask := func(found, missing int) {
		p := client(t, s, 0).Pipeline()
		for i := range found {
			p.Get(t.Context(), fmt.Sprintf("key:%d", i))
		}
		for range missing {
			p.Get(t.Context(), "nothing")
		}
		_, _ = p.Exec(t.Context()) // what is missing is an error here
	}
	ask(0, 500)
	if got, v := checked(t, in); len(got) != 1 || v.Facts["hit_rate"] != nil {
		t.Errorf("the first check has nothing to compare with: %v, %v", v.Findings, v.Facts)
	}
	if got, v := checked(t, in); len(got) != 1 || v.Facts["hit_rate"] != nil {
		t.Errorf("only we have looked: %v, %v", v.Findings, v.Facts)
	}
	ask(30, 90)
	_, v := checked(t, in)
	if args := about(t, v, "hit-rate-low"); args["rate"] != 0.25 || args["lookups"] != int64(120) {
		t.Errorf("found %v", args)
	}
	ask(80, 20)
	if got, v := checked(t, in); len(got) != 1 || v.Facts["hit_rate"] != 0.8 {
		t.Errorf("a good rate: %v, %v", v.Findings, v.Facts)
	}
	ask(0, 500)
	must(t, client(t, s, 0).ConfigResetStat(t.Context()).Err())
	if got, v := checked(t, in); len(got) != 1 {
		t.Errorf("counters that were reset: %v", v.Findings)
	}
}

func TestNewSlowCommandsAreFound(t *testing.T) {
	s := start(t, "", "slowlog-log-slower-than 20000")
	c := client(t, s, 0)
	in := declare(t, s, strict)
	slow := func() { must(t, c.Do(t.Context(), "DEBUG", "SLEEP", "0.03").Err()) }
	slow()
	slow()
	if got, v := checked(t, in); len(got) != 0 {
		t.Errorf("the first check has nothing to compare with: %v", v.Findings)
	}
	slow()
	if got, v := checked(t, in); len(got) != 0 || v.Facts["slow_commands"] != int64(1) {
		t.Errorf("one is within the limit: %v, %v", v.Findings, v.Facts)
	}
	slow()
	must(t, c.Do(t.Context(), "SLOWLOG", "RESET").Err())
	slow()
	must(t, c.Do(t.Context(), "EVAL", "for i = 1, 20000000 do end return 1", "0", "secret").Err())
	_, v := checked(t, in)
	args := about(t, v, "slow-commands")
	if args["count"].(int64) < 3 || args["slowest"].(float64) < 0.03 || fmt.Sprint(args["commands"]) != "[EVAL DEBUG]" || strings.Contains(fmt.Sprint(args), "secret") {
		t.Errorf("found %v", args)
	}
	if got, v := checked(t, in); len(got) != 0 {
		t.Errorf("nothing since: %v", v.Findings)
	}
	must(t, s.Stop())
	must(t, s.Start(t.Context()))
	slow()
	slow()
	if _, v := checked(t, in); about(t, v, "slow-commands")["count"] != int64(2) {
		t.Errorf("a server that started anew: %v", v.Findings)
	}
}

func TestRefusedQuestionsAreUnknown(t *testing.T) {
	s := start(t, "")
	seed(t, s)
	c := client(t, s, 0)
	in := declare(t, s)
	for command, rule := range map[string]string{"MEMORY USAGE": "memory", "SCAN": "scan", "SLOWLOG": "slowlog"} {
		must(t, c.Do(t.Context(), "ACL", "SETUSER", "default", "-"+rule).Err())
		v, err := in.Check(t.Context())
		must(t, err)
		slugs(t, v)
		if args := about(t, v, "command-denied"); args["command"] != command || service.Worst(v.Findings) != service.Unknown {
			t.Errorf("without %s: %v", rule, v.Findings)
		}
		must(t, c.Do(t.Context(), "ACL", "SETUSER", "default", "+"+rule).Err())
	}
	if got, v := checked(t, in); len(got) != 0 {
		t.Errorf("allowed again: %v", v.Findings)
	}
}

func TestPatternsOfNames(t *testing.T) {
	for name, want := range map[string]string{
		"session:42:x": "session:*", "celery-task-meta-9f2c": "celery-task-meta-*", "user17": "user*",
		"plain": "plain", "任务:结果": "任务:*", "7": "*", "": "",
	} {
		if got := pattern(name); got != want {
			t.Errorf("%q has the pattern %q, want %q", name, got, want)
		}
	}
}

func TestLimitsOfCareAreValidated(t *testing.T) {
	cfg := Config{URL: "redis://cache", WithoutTTL: WithoutTTL{Keys: -1}, BigKey: quantity.Bytes(1), SlowCommands: -1}
	if said := cfg.Validate().Error(); !strings.Contains(said, "without_ttl.keys") || !strings.Contains(said, "slow_commands") {
		t.Errorf("said %q", said)
	}
}

func TestTheStateOfAnOlderVersionIsNoBeginning(t *testing.T) {
	s := start(t, "", "slowlog-log-slower-than 20000")
	c := client(t, s, 0)
	for range 3 {
		must(t, c.Do(t.Context(), "DEBUG", "SLEEP", "0.03").Err())
	}
	for range 200 {
		_ = c.Get(t.Context(), "nothing").Err()
	}
	run := parseInfo(c.Info(t.Context(), "server").Val())["run_id"]
	in := declare(t, s, strict, func(_ *Config, env *service.Env) {
		must(t, env.State.Set(t.Context(), stateKey, `{"run_id": "`+run+`", "at": "2026-01-01T00:00:00Z", "evicted": 0, "rejected": 0}`))
	})
	for range 2 {
		if got, v := checked(t, in); len(got) != 0 || v.Facts["hit_rate"] != nil {
			t.Errorf("found %v, facts %v", v.Findings, v.Facts)
		}
	}
}

package redis

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"upkeep/internal/service"
)

// forged is a copy with a content of its own.
type forged struct {
	service.Copy
	content []byte
}

func (f forged) Part(ctx context.Context, name string) (service.Part, error) {
	part, err := f.Copy.Part(ctx, name)
	part.Size = int64(len(f.content))
	part.Open = func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(f.content)), nil }
	return part, err
}

func TestRestoreIntoAServerInUse(t *testing.T) {
	source, target := start(t, ""), start(t, "other password")
	seed(t, source)
	lapse(t, source, 5)
	c := backup(t, declare(t, source))
	in := declare(t, target)
	old := client(t, target, 9)
	must(t, old.Set(t.Context(), "old", "gone afterwards", 0).Err())
	must(t, old.FunctionLoad(t.Context(), "#!lua name=old\nredis.register_function('g', function() return 1 end)").Err())
	for range 2 { // repeatable
		must(t, in.Restore(t.Context(), c, service.Selection{}, service.Report{}))
		v := verified(t, in, c)
		if got := slugs(t, v); len(got) != 0 || v.Facts["lapsed"] != int64(5) || v.Facts["keys"] != c.Manifest().Counts["keys"]-5 {
			t.Errorf("after the restore: %v, %v", v.Findings, v.Facts)
		}
	}
	if n, err := old.Exists(t.Context(), "old").Result(); err != nil || n != 0 {
		t.Errorf("what was there before is still there (%v)", err)
	}
	if pending, err := client(t, target, 0).XPending(t.Context(), "stream", "group").Result(); err != nil || pending.Count != 5 {
		t.Errorf("the consumer group came back as %+v, %v", pending, err)
	}
}

func TestRestoreOfAPatternLeavesTheRest(t *testing.T) {
	s := start(t, "")
	seed(t, s)
	in := declare(t, s)
	c := backup(t, in)
	db, many := client(t, s, 0), client(t, s, 15)
	must(t, db.Set(t.Context(), "string", "changed", 0).Err())
	must(t, db.Set(t.Context(), "big new", "stays", 0).Err())
	must(t, db.Del(t.Context(), "big hash", "big list").Err())
	must(t, many.FlushDB(t.Context()).Err())
	must(t, in.Restore(t.Context(), c, service.Selection{Only: "big *"}, service.Report{}))
	must(t, in.Restore(t.Context(), c, service.Selection{Only: "key:1*9"}, service.Report{}))
	if got := db.Get(t.Context(), "string").Val() + db.Get(t.Context(), "big new").Val(); got != "changedstays" {
		t.Errorf("other keys are %q", got)
	}
	if h, l, n := db.HLen(t.Context(), "big hash").Val(), db.LLen(t.Context(), "big list").Val(), many.DBSize(t.Context()).Val(); h != 2000 || l != 4000 || n != 111 {
		t.Errorf("restored %d fields, %d elements, %d keys", h, l, n)
	}
	if err := in.Restore(t.Context(), c, service.Selection{Only: "no such *"}, service.Report{}); !errors.Is(err, service.ErrNotFound) {
		t.Errorf("a pattern without a key: %v", err)
	}
}

func TestPatterns(t *testing.T) {
	for _, tc := range []struct {
		pattern, name string
		want          bool
	}{
		{"", "anything", true}, {"a", "a", true}, {"a", "ab", false}, {"a*", "a", true}, {"*", "", true},
		{"a*b", "ab", true}, {"a*a", "a", false}, {"*:b:*", "a:b:c", true}, {"*b*b", "ab", false},
		{"a?[x]*", "a?[x]y", true}, {"a?*", "abc", false}, {"任务:*", "任务:结果", true}, {"*\n*", "a\nb", true},
	} {
		if got := matches(tc.pattern, []byte(tc.name)); got != tc.want {
			t.Errorf("%q matches %q: %v", tc.pattern, tc.name, got)
		}
	}
}

func TestRestoreRefusesBeforeAnythingIsChanged(t *testing.T) {
	source := start(t, "")
	seed(t, source)
	c := backup(t, declare(t, source))
	good := dumpBytes(t, c)
	flipped := bytes.Clone(good)
	flipped[len(flipped)/2] ^= 1
	module := forgedModuleKey(t, c)
	for _, tc := range []struct {
		name     string
		settings []string
		prepare  []any
		copy     service.Copy
		want     error
		fault    string
	}{
		{"a copy that was cut", nil, nil, forged{c, good[:len(good)/2]}, service.ErrDamaged, ""},
		{"a copy with a flipped bit", nil, nil, forged{c, flipped}, service.ErrDamaged, ""},
		{"a copy with keys of a module", nil, nil, module, service.ErrUnsupported, "redis.module-keys"},
		{"too few databases", []string{"databases 4"}, nil, c, service.ErrUnsupported, "redis.too-few-databases"},
		{"too little memory", nil, []any{"CONFIG", "SET", "maxmemory", "1000000"}, c, service.ErrNoSpace, "redis.maxmemory-too-small"},
		{"a replica", []string{"replicaof 127.0.0.1 1"}, nil, c, service.ErrUnsupported, "redis.target-is-replica"},
		{"a node of a cluster", []string{"cluster-enabled yes"}, nil, c, service.ErrUnsupported, "redis.target-is-cluster"},
		{"a small limit of a command", []string{"proto-max-bulk-len 1mb"}, nil, largeValue(t), service.ErrUnsupported, "redis.value-too-large"},
		{"a login that may not restore", nil, []any{"ACL", "SETUSER", "default", "-restore"}, c, service.ErrDenied, ""},
		{"a login that may not flush", nil, []any{"ACL", "SETUSER", "default", "-flushall"}, c, service.ErrDenied, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			target := start(t, "", tc.settings...)
			db := client(t, target, 0)
			writable := len(tc.settings) == 0
			if writable {
				must(t, db.Set(t.Context(), "kept", "x", 0).Err())
			}
			if tc.prepare != nil {
				must(t, db.Do(t.Context(), tc.prepare...).Err())
			}
			err := declare(t, target).Restore(t.Context(), tc.copy, service.Selection{}, service.Report{})
			var fault *service.Fault
			if !errors.Is(err, tc.want) || tc.fault != "" && (!errors.As(err, &fault) || fault.ID != tc.fault) {
				t.Fatalf("got %v", err)
			}
			if writable && db.DBSize(t.Context()).Val() != 1 {
				t.Errorf("the server was changed by a refused restore")
			}
		})
	}
}

// largeValue is a copy whose largest value does not fit into 1 MiB.
func largeValue(t *testing.T) service.Copy {
	t.Helper()
	s := start(t, "", "rdbcompression no")
	must(t, client(t, s, 0).SetRange(t.Context(), "large", 2<<20, "x").Err())
	return backup(t, declare(t, s))
}

// forgedModuleKey adds a key of a module to a copy and makes the manifest fit.
func forgedModuleKey(t *testing.T, c service.Copy) service.Copy {
	t.Helper()
	content := dumpBytes(t, c)
	content = content[:len(content)-9] // end and checksum
	content = append(content, typeModule2, 3, 'm', 'o', 'd', 0x81, 1, 2, 3, 4, 5, 6, 7, 8, 5, 2, 'h', 'i', 0)
	content = append(content, opEnd, 0, 0, 0, 0, 0, 0, 0, 0)
	found, err := take(bytes.NewReader(content), nil)
	must(t, err)
	m := c.Manifest()
	m.Entries, m.Counts, m.Findings = found.entries(), found.counts(), found.findings()
	return promising{forged{c, content}, m}
}

type promising struct {
	service.Copy
	m service.Manifest
}

func (p promising) Manifest() service.Manifest { return p.m }

func TestRestoreThatBreaksOffSaysWhereItStands(t *testing.T) {
	source, target := start(t, "", "rdbcompression no"), start(t, "")
	must(t, client(t, source, 0).Do(t.Context(), "DEBUG", "POPULATE", "20000", "key", "2000").Err())
	c := backup(t, declare(t, source))
	in := declare(t, target)
	var total, killed int64
	err := in.Restore(t.Context(), c, service.Selection{}, service.Report{Progress: func(done, all int64) {
		if total = all; killed == 0 && done > all/2 {
			killed = done
			if err := target.Kill(); err != nil {
				t.Error(err)
			}
		}
	}})
	var fault *service.Fault
	if !errors.As(err, &fault) || fault.ID != "redis.restore-broken-off" || !errors.Is(err, service.ErrUnreachable) {
		t.Fatalf("got %v", err)
	}
	if n := fault.Args["restored"].(int64); n == 0 || n >= 20000 || fault.Args["keys"] != int64(20000) || total == 0 {
		t.Errorf("the state is said to be %v", fault.Args)
	}
	must(t, target.Start(t.Context()))
	must(t, in.Restore(t.Context(), c, service.Selection{}, service.Report{}))
	if got := slugs(t, verified(t, in, c)); len(got) != 0 {
		t.Errorf("the second restore differs: %v", got)
	}
}

package redis

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
	"upkeep/lab"
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

func TestScratchRefusesDamagedCopies(t *testing.T) {
	s := start(t, "")
	seed(t, s)
	in := declare(t, s)
	c := backup(t, in)
	good := dumpBytes(t, c)
	flipped := bytes.Clone(good)
	flipped[len(flipped)-100] ^= 1
	for name, content := range map[string][]byte{"cut": good[:len(good)-500], "flipped": flipped, "empty": nil} {
		t.Run(name, func(t *testing.T) {
			sib := scratch(t, in, c)
			err := sib.Restore(t.Context(), forged{c, content}, service.Selection{}, service.Report{})
			if !errors.Is(err, service.ErrDamaged) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestEveryFaultIsFound changes one thing in a scratch server behind upkeep's
// back.
func TestEveryFaultIsFound(t *testing.T) {
	s := start(t, "")
	seed(t, s)
	in := declare(t, s)
	c := backup(t, in)
	for _, tc := range []struct {
		name string
		do   []string
		want string
		key  string
	}{
		{"a missing key", []string{"DEL", "new\nline 'and' \"quotes\" $(reboot) `id`"}, "keys-missing", `$(reboot)`},
		{"a key too many", []string{"SET", "extra", "1"}, "keys-extra", "extra"},
		{"another value of the same length", []string{"SET", "string", "valuf"}, "values-differ", `"string"`},
		{"another element of a list", []string{"LSET", "big list", "1234", "x"}, "values-differ", "big list"},
		{"another order of a list", []string{"LMOVE", "list", "list", "LEFT", "RIGHT"}, "values-differ", "list"},
		{"another field of a hash", []string{"HSET", "big hash", "field 7", "x"}, "values-differ", "big hash"},
		{"another score", []string{"ZADD", "zset", "1.5000000000000002", "a"}, "values-differ", "zset"},
		{"another member of a set", []string{"SMOVE", "intset", "elsewhere", "1"}, "values-differ", "intset"},
		{"a key of another type", []string{"RENAME", "set", "hash"}, "values-differ", "hash"},
		{"an entry less in a stream", []string{"XDEL", "stream", "9-1"}, "values-differ", "stream"},
		{"a message acknowledged", []string{"XACK", "stream", "group", "1-1"}, "values-differ", "stream"},
		{"another expiry", []string{"PEXPIRE", "expiring", "7200000"}, "expiry-differs", "expiring"},
		{"no expiry", []string{"PERSIST", "expiring hash"}, "expiry-differs", "expiring hash"},
		{"a key in another database", []string{"MOVE", "int", "3"}, "keys-extra", "db3"},
		{"a function less", []string{"FUNCTION", "FLUSH"}, "functions-differ", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sib := scratch(t, in, c)
			must(t, sib.Restore(t.Context(), c, service.Selection{}, service.Report{}))
			tamper(t, sib.(*sibling).in, tc.do...)
			v := verified(t, sib, c)
			if got := slugs(t, v); got[tc.want] != service.Critical {
				t.Fatalf("found %v", got)
			}
			if said := fmt.Sprint(v.Findings); !strings.Contains(said, tc.key) {
				t.Errorf("%q is not named: %s", tc.key, said)
			}
		})
	}
	t.Run("a copy that is not what was promised", func(t *testing.T) {
		sib := scratch(t, in, c)
		must(t, client(t, s, 0).Set(t.Context(), "string", "later", 0).Err())
		swapped := promising{backup(t, in), c.Manifest()}
		must(t, sib.Restore(t.Context(), swapped, service.Selection{}, service.Report{}))
		if got := slugs(t, verified(t, sib, swapped)); got["copy-differs"] != service.Critical {
			t.Errorf("found %v", got)
		}
	})
}

func tamper(t *testing.T, in *Instance, command ...string) {
	t.Helper()
	c, err := in.connect(t.Context())
	must(t, err)
	defer func() { _ = c.close() }()
	_, err = c.do(command...)
	must(t, err)
}

func TestManyDifferencesAreCountedAndTenNamed(t *testing.T) {
	s := start(t, "")
	seed(t, s)
	in := declare(t, s)
	c := backup(t, in)
	must(t, client(t, s, 15).FlushDB(t.Context()).Err())
	v := verified(t, in, c)
	if len(v.Findings) != 1 || v.Findings[0].Args["keys"] != int64(3000) || len(v.Findings[0].Args["examples"].([]string)) != 10 {
		t.Errorf("found %v", v.Findings)
	}
}

func TestModuleKeysAreNeverVouchedFor(t *testing.T) {
	s := start(t, "")
	seed(t, s)
	in := declare(t, s)
	c := forgedModuleKey(t, backup(t, in))
	if m := c.Manifest(); service.Worst(m.Findings) != service.Unknown || m.Counts["keys"] != 3023 {
		t.Errorf("manifest %v, %v", m.Counts, m.Findings)
	}
	if got := slugs(t, verified(t, in, c)); got["keys-not-covered"] != service.Unknown || got["keys-missing"] != service.Critical {
		t.Errorf("found %v", got)
	}
}

func TestUnknownContentIsUnknown(t *testing.T) {
	s := start(t, "")
	seed(t, s)
	in := declare(t, s)
	c := backup(t, in)
	content := dumpBytes(t, c)
	content = append(content[:len(content)-9], 200, 1, 'k', 1, 2, 3, opEnd, 0, 0, 0, 0, 0, 0, 0, 0)
	found, err := take(bytes.NewReader(content), nil)
	must(t, err)
	if found.bytes != int64(len(content)) || service.Worst(found.findings()) != service.Unknown {
		t.Errorf("read %d of %d bytes, findings %v", found.bytes, len(content), found.findings())
	}
	for _, e := range found.entries() {
		if e.Digest != "" || e.Count == 0 {
			t.Errorf("entry %+v claims to be known", e)
		}
	}
	m := c.Manifest()
	m.Entries, m.Findings = found.entries(), found.findings()
	if got := slugs(t, verified(t, in, promising{forged{c, content}, m})); got["content-unreadable"] != service.Unknown {
		t.Errorf("found %v", got)
	}
}

func TestScratchIsPrivateAndLeavesNothing(t *testing.T) {
	s := start(t, "")
	in := declare(t, s) // its environment fails the test over directories that remain
	c := backup(t, in)
	sib := scratch(t, in, c).(*sibling)
	argv, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", sib.srv.pid))
	must(t, err)
	if strings.Contains(string(argv), sib.srv.password) {
		t.Error("the password is in argv")
	}
	info, err := os.Stat(filepath.Join(sib.srv.dir, "redis.conf"))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the configuration is %v", info.Mode())
	}
	var as syscall.Stat_t
	must(t, syscall.Stat(fmt.Sprintf("/proc/%d", sib.srv.pid), &as))
	if os.Getuid() == 0 && as.Uid == 0 {
		t.Error("the scratch server runs as root")
	}
	stranger := &Instance{env: in.env, at: endpoint{network: "unix", address: sib.srv.socket()}}
	if err := stranger.ping(t.Context()); !errors.Is(err, service.ErrDenied) {
		t.Errorf("a stranger gets %v", err)
	}
	must(t, sib.Close())
	if _, err := os.Stat(sib.srv.dir); !os.IsNotExist(err) {
		t.Errorf("the directory is still there: %v", err)
	}
}

func TestSweepEndsWhatAKilledRunLeft(t *testing.T) {
	s := start(t, "")
	env := servicetest.Env(t)
	in := declare(t, s, func(_ *Config, e *service.Env) { *e = env })
	sib, err := in.Scratch(t.Context(), backup(t, in), service.Report{})
	must(t, err)
	srv := sib.(*sibling).srv
	must(t, in.Sweep(t.Context())) // its own is in use
	if !srv.running() {
		t.Fatal("a scratch in use was swept")
	}
	later := declare(t, s, func(_ *Config, e *service.Env) { *e = servicetest.Later(t, env) })
	must(t, later.Sweep(t.Context()))
	select {
	case <-srv.done:
	case <-time.After(20 * time.Second):
		t.Error("the server still runs")
	}
	if _, err := os.Stat(srv.dir); !os.IsNotExist(err) {
		t.Errorf("the directory is still there: %v", err)
	}
}

func TestNoScratchSaysWhy(t *testing.T) {
	s := start(t, "")
	in := declare(t, s)
	c := backup(t, in)
	newer := c.Manifest()
	newer.Attrs = maps.Clone(newer.Attrs)
	newer.Attrs[attrFormat] = "REDIS0011"
	if _, err := in.Scratch(t.Context(), promising{c, newer}, service.Report{}); !errors.Is(err, service.ErrNoScratch) || !strings.Contains(err.Error(), "REDIS0010") {
		t.Errorf("a newer copy: %v", err)
	}
	in.env.Find = func(context.Context, string, int) (string, string, error) { return "", "", service.ErrNoTool }
	if _, err := in.Scratch(t.Context(), c, service.Report{}); !errors.Is(err, service.ErrNoScratch) {
		t.Errorf("no program: %v", err)
	}
}

func TestExtractedFileStartsAnOrdinaryServer(t *testing.T) {
	s := start(t, "")
	seed(t, s)
	in := declare(t, s)
	c := backup(t, in)
	must(t, s.Stop())
	files := map[string][]byte{}
	put := func(h *tar.Header, content io.Reader) error {
		b, err := io.ReadAll(content)
		if err == nil && int64(len(b)) != h.Size {
			err = fmt.Errorf("%s has %d bytes, its header says %d", h.Name, len(b), h.Size)
		}
		files[h.Name] = b
		return err
	}
	must(t, in.Extract(t.Context(), c, service.Selection{}, put))
	if names := slices.Sorted(maps.Keys(files)); !slices.Equal(names, []string{"README.md", "dump.rdb"}) {
		t.Fatalf("extracted %v", names)
	}
	if readme := string(files["README.md"]); !strings.Contains(readme, "redis-check-rdb dump.rdb") || strings.Contains(readme, "%!") {
		t.Errorf("README.md says %s", readme)
	}
	path := written(t, files["dump.rdb"])
	if out, err := exec.Command("redis-check-rdb", path).CombinedOutput(); err != nil {
		t.Errorf("redis-check-rdb: %s", out)
	}
	fresh := start(t, "")
	must(t, fresh.Stop())
	owned(t, fresh, files["dump.rdb"])
	must(t, fresh.Start(t.Context()))
	if n := client(t, fresh, 15).DBSize(t.Context()).Val(); n != 3000 {
		t.Errorf("the started server has %d keys", n)
	}
	if err := in.Extract(t.Context(), c, service.Selection{Only: "a*"}, put); !errors.Is(err, service.ErrUnsupported) {
		t.Errorf("a selection: %v", err)
	}
}

// owned puts a file into the data directory of a stopped server.
func owned(t *testing.T, s *lab.Server, content []byte) {
	t.Helper()
	path := filepath.Join(s.Data, "dump.rdb")
	must(t, os.WriteFile(path, content, 0o600))
	var as syscall.Stat_t
	must(t, syscall.Stat(s.Data, &as))
	must(t, os.Chown(path, int(as.Uid), int(as.Gid)))
}

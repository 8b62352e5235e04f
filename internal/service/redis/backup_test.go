package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep/internal/secret"
	"upkeep/internal/service"
)

func TestCopyIsProvenInAScratchServer(t *testing.T) {
	s := start(t, "pass word\"'")
	seed(t, s)
	lapse(t, s, 7)
	in := declare(t, s)
	c := backup(t, in)
	m := c.Manifest()
	if m.Counts["keys"] != 3000+7+1+21 || m.Counts["databases"] != 4 || m.Counts["functions"] != 1 || m.Counts["expiring"] != 9 {
		t.Errorf("counts are %v", m.Counts)
	}
	if len(m.Findings) != 0 {
		t.Errorf("the manifest has doubts: %v", m.Findings)
	}
	if err := exec.Command("redis-check-rdb", written(t, dumpBytes(t, c))).Run(); err != nil {
		t.Errorf("redis-check-rdb: %v", err)
	}
	must(t, s.Stop()) // a drill works while the source is down

	sib := scratch(t, in, c)
	if id, err := sib.Identity(t.Context()); err != nil || id == m.Identity {
		t.Errorf("scratch is %q (%v), the source %q", id, err, m.Identity)
	}
	must(t, sib.Restore(t.Context(), c, service.Selection{}, service.Report{}))
	v := verified(t, sib, c)
	if got := slugs(t, v); len(got) != 0 {
		t.Errorf("restored content differs: %v", v.Findings)
	}
	for _, name := range []string{"keys", "databases", "functions", "expiring"} {
		if v.Facts[name] != m.Counts[name] {
			t.Errorf("%s: compared %v, promised %d", name, v.Facts[name], m.Counts[name])
		}
	}
	must(t, sib.Restore(t.Context(), c, service.Selection{}, service.Report{})) // repeatable
	for row, err := range sib.Query(t.Context(), "LLEN 'big list'") {
		if err != nil || row.Values[0] != int64(4000) {
			t.Errorf("query on the scratch: %v, %v", row, err)
		}
	}
}

// verifiable is what Scratch returns.
type verifiable interface {
	service.Restorer
	service.Verifier
	service.Identifier
	service.Queryer
}

func scratch(t *testing.T, in *Instance, c service.Copy) verifiable {
	t.Helper()
	got, err := in.Scratch(t.Context(), c, service.Report{})
	must(t, err)
	t.Cleanup(func() {
		if err := got.Close(); err != nil {
			t.Error(err)
		}
	})
	return got.(verifiable)
}

func verified(t *testing.T, in service.Verifier, c service.Copy) service.Verdict {
	t.Helper()
	v, err := in.Verify(t.Context(), c, service.Report{})
	must(t, err)
	return v
}

func written(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dump.rdb")
	must(t, os.WriteFile(path, content, 0o600))
	return path
}

func TestEveryFramingGivesTheSameCopy(t *testing.T) {
	for _, diskless := range []string{"yes", "no"} {
		t.Run("diskless "+diskless, func(t *testing.T) {
			s := start(t, "", "repl-diskless-sync "+diskless)
			seed(t, s)
			in := declare(t, s)
			c := backup(t, in)
			if got := slugs(t, verified(t, in, c)); len(got) != 0 {
				t.Errorf("differs: %v", got)
			}
			// What the server writes itself has the same content.
			eventually(t, func() error { return client(t, s, 0).Save(t.Context()).Err() }) // our own copy may still be winding up
			saved, err := os.ReadFile(filepath.Join(s.Data, "dump.rdb"))
			must(t, err)
			own, err := take(bytes.NewReader(saved), nil)
			must(t, err)
			if !sameEntries(own.entries(), c.Manifest().Entries) {
				t.Errorf("the server saved %v, the copy has %v", own.entries(), c.Manifest().Entries)
			}
		})
	}
}

// eventually repeats until it works.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestCopyIsOneViewWhileOthersWrite(t *testing.T) {
	s := start(t, "")
	in := declare(t, s)
	stop := make(chan struct{})
	done := make(chan error, 1)
	c := client(t, s, 0)
	must(t, c.MSet(t.Context(), "a", 0, "b", 0).Err())
	for i := range 20000 {
		must(t, c.Append(t.Context(), fmt.Sprintf("ballast:%d", i%1000), strings.Repeat("x", 200)).Err())
	}
	go func() {
		for i := 1; ; i++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if err := c.MSet(context.WithoutCancel(t.Context()), "a", i, "b", i).Err(); err != nil {
				done <- err
				return
			}
		}
	}()
	copied := backup(t, in)
	close(stop)
	must(t, <-done)
	seen := map[string]string{}
	_, err := take(bytes.NewReader(dumpBytes(t, copied)), func(it item) error {
		seen[string(it.Key)] = string(it.Value)
		return nil
	})
	must(t, err)
	if len(seen) != 1002 || seen["a"] != seen["b"] {
		t.Errorf("%d keys, a %q and b %q", len(seen), seen["a"], seen["b"])
	}
	if got := slugs(t, verified(t, in, copied)); got["values-differ"] != service.Critical {
		t.Errorf("what was written since is not named: %v", got)
	}
}

func TestLogins(t *testing.T) {
	s := start(t, "secret123")
	admin := client(t, s, 0)
	for _, rule := range [][]any{
		{"ACL", "SETUSER", "copier", "on", ">copypw", "+psync", "+replconf", "+ping", "+info", "+select"},
		{"ACL", "SETUSER", "reader", "on", ">readpw", "~*", "+@read", "+info", "+select"},
	} {
		must(t, admin.Do(t.Context(), rule...).Err())
	}
	for _, tc := range []struct {
		name, user, password string
		want                 error
		fault                string
	}{
		{"a user with the rights of a replica", "copier", "copypw", nil, ""},
		{"a user who may only read", "reader", "readpw", service.ErrDenied, "redis.sync-denied"},
		{"a wrong password", "", "wrong-secret", service.ErrDenied, ""},
		{"no password", "", "", service.ErrDenied, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := declare(t, s, func(c *Config, _ *service.Env) {
				c.URL = strings.Replace(s.URL("0"), "://", "://"+tc.user+"@", 1)
				c.Password = secret.Parse(tc.password)
			})
			_, err := tryBackup(t.Context(), in)
			var fault *service.Fault
			if !errors.Is(err, tc.want) || errors.As(err, &fault) != (tc.fault != "") || tc.fault != "" && fault.ID != tc.fault {
				t.Fatalf("got %v", err)
			}
			if err != nil && tc.password != "" && strings.Contains(err.Error(), tc.password) {
				t.Errorf("the password is in the error: %v", err)
			}
		})
	}
	in := declare(t, s, func(c *Config, _ *service.Env) { c.Password = secret.Ref{} })
	if _, err := in.Check(t.Context()); !errors.Is(err, service.ErrDenied) {
		t.Errorf("a check without the password: %v", err)
	}
	open := start(t, "")
	in = declare(t, open, func(c *Config, _ *service.Env) { c.Password = secret.Parse("unwanted") })
	var fault *service.Fault
	if _, err := in.Check(t.Context()); !errors.As(err, &fault) || fault.ID != "redis.password-not-wanted" {
		t.Errorf("a password where none is set: %v", err)
	}
}

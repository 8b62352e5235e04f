package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
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
		if err != nil || row[0] != int64(4000) {
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

func TestServerThatDiesInMidStreamGivesNoCopy(t *testing.T) {
	for _, diskless := range []string{"yes", "no"} {
		t.Run("diskless "+diskless, func(t *testing.T) {
			s := start(t, "", "repl-diskless-sync "+diskless, "rdbcompression no")
			must(t, client(t, s, 0).Do(t.Context(), "DEBUG", "POPULATE", "20000", "key", "4000").Err())
			snap, err := declare(t, s).Snapshot(t.Context(), nil, service.Report{})
			must(t, err)
			for part := range snap.Parts(t.Context()) {
				content, err := part.Open(t.Context())
				must(t, err)
				_, err = io.CopyN(io.Discard, content, 1<<20)
				must(t, err)
				must(t, s.Kill())
				_, err = io.Copy(io.Discard, content)
				if !errors.Is(err, service.ErrUnreachable) {
					t.Errorf("the stream ended with %v", err)
				}
				must(t, content.Close())
			}
			if _, err := snap.Manifest(t.Context()); err == nil {
				t.Error("a broken stream has a manifest")
			}
		})
	}
}

func TestDeadlineEndsWhatTheServerHolds(t *testing.T) {
	s := start(t, "")
	in := declare(t, s)
	must(t, s.Pause())
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := in.Check(ctx); !errors.Is(err, service.ErrUnreachable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("check of a frozen server: %v", err)
	}
	if _, err := tryBackup(ctx, in); !errors.Is(err, service.ErrUnreachable) {
		t.Errorf("copy of a frozen server: %v", err)
	}
	must(t, s.Resume())
	sleeping := client(t, s, 0)
	go func() { _ = sleeping.Do(context.WithoutCancel(t.Context()), "DEBUG", "SLEEP", "1").Err() }()
	slow, cancelSlow := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancelSlow()
	if _, err := in.Check(slow); err != nil {
		t.Errorf("check of a slow server: %v", err)
	}
	must(t, s.Stop())
	if _, err := in.Check(t.Context()); !errors.Is(err, service.ErrUnreachable) {
		t.Errorf("check of a stopped server: %v", err)
	}
}

// TestOddStreams plays a server that says what a real one says rarely.
func TestOddStreams(t *testing.T) {
	s := start(t, "")
	seed(t, s)
	good := dumpBytes(t, backup(t, declare(t, s)))
	flipped := bytes.Clone(good)
	flipped[len(flipped)/2] ^= 0x10
	mark := strings.Repeat("0123456789", 4)
	sized := func(b []byte) string { return fmt.Sprintf("\n\n\n$%d\r\n%s", len(b), b) }
	for _, tc := range []struct {
		name, answer string
		want         error
	}{
		{"newlines while it prepares", "\n\n+FULLRESYNC x 1\r\n" + sized(good), nil},
		{"a marked stream and what follows it", "+FULLRESYNC x 1\r\n$EOF:" + mark + "\r\n" + string(good) + mark + "*1\r\n$4\r\nPING\r\n", nil},
		{"a marked stream that ends early", "+FULLRESYNC x 1\r\n$EOF:" + mark + "\r\n" + string(good) + mark[:39], service.ErrUnreachable},
		{"a sized stream that ends early", "+FULLRESYNC x 1\r\n" + sized(good)[:len(good)], service.ErrUnreachable},
		{"a flipped bit", "+FULLRESYNC x 1\r\n" + sized(flipped), service.ErrDamaged},
		{"a file that is cut but framed well", "+FULLRESYNC x 1\r\n" + sized(good[:len(good)-2000]), service.ErrDamaged},
		{"loading", "-LOADING Redis is loading the dataset in memory\r\n", service.ErrBusy},
		{"no primary", "-NOMASTERLINK Can't SYNC while not connected with my master\r\n", service.ErrUnreachable},
		{"an error later on", "+FULLRESYNC x 1\r\n\n\n-ERR Unable to perform background save\r\n", errAny},
		{"something else", "+CONTINUE\r\n", errProtocol},
		{"nothing", "", service.ErrUnreachable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := declare(t, s, func(c *Config, _ *service.Env) { c.URL = "redis://" + impostor(t, tc.answer) })
			content, err := in.Snapshot(t.Context(), nil, service.Report{})
			must(t, err)
			var got []byte
			for part := range content.Parts(t.Context()) {
				r, openErr := part.Open(t.Context())
				if err = openErr; err == nil {
					got, err = io.ReadAll(r)
					must(t, r.Close())
				}
			}
			if !errors.Is(err, tc.want) && (tc.want != errAny || err == nil) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			if err == nil && !bytes.Equal(got, good) {
				t.Errorf("got %d bytes, want %d", len(got), len(good))
			}
		})
	}
}

var errAny = errors.New("any error")

// impostor answers commands with OK and PSYNC with the given bytes.
func impostor(t *testing.T, answer string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go play(conn, answer)
		}
	}()
	return l.Addr().String()
}

func play(conn net.Conn, answer string) {
	defer func() { _ = conn.Close() }()
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		say := "+OK\r\n"
		switch command := string(buf[:n]); {
		case strings.Contains(command, "INFO"):
			about := "redis_version:7.0.15\r\nrole:master\r\nloading:0\r\n"
			say = fmt.Sprintf("$%d\r\n%s\r\n", len(about), about)
		case strings.Contains(command, "PSYNC"):
			_, _ = io.WriteString(conn, answer)
			return
		}
		if _, err := io.WriteString(conn, say); err != nil {
			return
		}
	}
}

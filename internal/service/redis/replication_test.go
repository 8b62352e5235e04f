package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"upkeep/internal/service"
)

func TestServerThatDiesInMidStreamGivesNoCopy(t *testing.T) {
	for _, diskless := range []string{"yes", "no"} {
		t.Run("diskless "+diskless, func(t *testing.T) {
			s := start(t, "", "repl-diskless-sync "+diskless, "rdbcompression no")
			must(t, client(t, s, 0).Do(t.Context(), "DEBUG", "POPULATE", "20000", "key", "4000").Err())
			snap, err := declare(t, s).Snapshot(t.Context(), service.NoPrevious, service.Report{})
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
			content, err := in.Snapshot(t.Context(), service.NoPrevious, service.Report{})
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

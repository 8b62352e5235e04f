package lab

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// StartRedis starts a server under dir. Without a password in o it asks for none.
// It saves an RDB when it is told to, never by itself.
func StartRedis(ctx context.Context, dir string, o Options) (*Server, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("find redis-server: %w", err)
	}
	as, err := serverAccount("redis", "nobody")
	if err != nil {
		return nil, err
	}
	s := &Server{
		Component: "redis", Host: "127.0.0.1", Password: o.Password,
		Dir: filepath.Join(dir, "redis"), Data: filepath.Join(dir, "redis", "data"),
		ready: redisAnswers, stop: syscall.SIGTERM, account: as, detached: o.Detached,
	}
	conf := filepath.Join(s.Dir, "redis.conf")
	s.argv = func(port int) []string { return []string{program, conf, "--port", strconv.Itoa(port)} }
	s.fresh = func(context.Context) error { return s.initRedis(conf, o) }
	if err := s.fresh(ctx); err != nil {
		return nil, err
	}
	return s, s.startOnFreePort(ctx)
}

// initRedis writes everything, the password above all, into a file: argv is
// readable for every user of the machine.
func (s *Server) initRedis(conf string, o Options) error {
	if err := os.MkdirAll(s.Dir, 0o711); err != nil {
		return fmt.Errorf("make the directory of Redis: %w", err)
	}
	if err := os.MkdirAll(s.Data, 0o700); err != nil {
		return fmt.Errorf("make the data directory of Redis: %w", err)
	}
	all := map[string]string{"bind": s.Host, "dir": s.Data, "save": `""`, "appendonly": "no"}
	if s.Password != "" {
		all["requirepass"] = strconv.Quote(s.Password)
		s.PasswordFile = filepath.Join(s.Dir, "password")
		if err := writeSecret(s.PasswordFile, s.Password); err != nil {
			return err
		}
	}
	maps.Copy(all, o.Settings)
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "%s %s\n", name, all[name])
	}
	if err := os.WriteFile(conf, []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("configure Redis: %w", err)
	}
	for _, path := range []string{conf, s.Data} {
		if err := s.account.own(path); err != nil {
			return fmt.Errorf("give %s to the server: %w", path, err)
		}
	}
	return nil
}

func redisAnswers(ctx context.Context, s *Server) error {
	client := redis.NewClient(&redis.Options{Addr: s.Addr(), Password: s.Password, MaxRetries: -1})
	defer func() { _ = client.Close() }() // nothing is lost: only a question was asked
	return client.Ping(ctx).Err()
}

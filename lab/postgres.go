package lab

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// StartPostgres makes a cluster under dir and starts it. The superuser is
// postgres, reached by password only; encoding UTF-8, data checksums on.
func StartPostgres(ctx context.Context, dir string, o Options) (*Server, error) {
	bin, err := postgresBin(o.Major)
	if err != nil {
		return nil, err
	}
	as, err := serverAccount("postgres", "nobody")
	if err != nil {
		return nil, err
	}
	s := &Server{
		Component: "postgres", Host: "127.0.0.1", User: "postgres",
		Password: cmp.Or(o.Password, rand.Text()),
		Dir:      filepath.Join(dir, "postgres"), Data: filepath.Join(dir, "postgres", "data"),
		ready: postgresAnswers, stop: syscall.SIGINT, account: as, detached: o.Detached,
	}
	s.argv = func(port int) []string {
		return []string{filepath.Join(bin, "postgres"), "-D", s.Data, "-p", strconv.Itoa(port)}
	}
	s.fresh = func(ctx context.Context) error { return s.initCluster(ctx, bin, o.Settings) }
	if err := s.fresh(ctx); err != nil {
		return nil, err
	}
	return s, s.startOnFreePort(ctx)
}

func (s *Server) initCluster(ctx context.Context, bin string, settings map[string]string) error {
	if err := os.MkdirAll(s.Dir, 0o711); err != nil {
		return fmt.Errorf("make the directory of a cluster: %w", err)
	}
	if err := s.account.own(s.Dir); err != nil {
		return fmt.Errorf("give the directory to the server: %w", err)
	}
	s.PasswordFile = filepath.Join(s.Dir, "password")
	if err := writeSecret(s.PasswordFile, s.Password); err != nil {
		return err
	}
	if err := s.account.own(s.PasswordFile); err != nil { // initdb reads it as the server's user
		return fmt.Errorf("give the password to the server: %w", err)
	}
	err := runAs(ctx, s.account, s.Dir, filepath.Join(bin, "initdb"), "--no-sync", "--pgdata", s.Data,
		"--username", s.User, "--pwfile", s.PasswordFile, "--auth", "scram-sha-256",
		"--encoding", "UTF8", "--locale", "C.UTF-8", "--data-checksums")
	if err != nil {
		return fmt.Errorf("make a cluster: %w", err)
	}
	if err := os.Chown(s.PasswordFile, os.Geteuid(), os.Getegid()); err != nil {
		return fmt.Errorf("take the password back: %w", err)
	}
	return s.configure(settings)
}

// configure adds to postgresql.conf. Nothing here survives a power failure: the
// data of a test need not, and a commit without a disk flush is ten times faster.
func (s *Server) configure(settings map[string]string) error {
	all := map[string]string{
		"listen_addresses":        s.Host,
		"unix_socket_directories": s.Dir,
		"fsync":                   "off",
		"synchronous_commit":      "off",
		"full_page_writes":        "off",
		"shared_buffers":          "32MB",
		"max_wal_size":            "1GB",
		"log_line_prefix":         "%m [%p] %u@%d ",
	}
	maps.Copy(all, settings)
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "%s = '%s'\n", name, strings.ReplaceAll(all[name], "'", "''"))
	}
	conf, err := os.OpenFile(filepath.Join(s.Data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("configure the cluster: %w", err)
	}
	_, err = conf.WriteString(text.String())
	return cmp.Or(err, conf.Close())
}

func postgresAnswers(ctx context.Context, s *Server) error {
	conn, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

package acceptance

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	goredis "github.com/redis/go-redis/v9"
	"github.com/tidwall/gjson"

	"upkeep/lab"
	"upkeep/lab/seed"
)

// system is a declared system with real servers, for tests that a script cannot
// write: those that draw by chance, or reach into the program.
type system struct {
	t     testing.TB
	dir   string
	db    *lab.Server
	cache *lab.Server
}

// soaking reports whether the long form of a test is wanted, as make soak does.
func soaking() bool { return os.Getenv("UPKEEP_SOAK") != "" }

// tries is how often a fault is planted.
func tries() int {
	if soaking() {
		return 20
	}
	return 3
}

// newSystem fills a database, a cache and a directory and declares them.
func newSystem(t testing.TB, more string) *system {
	t.Helper()
	dir, err := os.MkdirTemp("", "upkeep-system-") // t.TempDir is too long for a socket below it
	if err == nil {
		err = os.Chmod(dir, 0o711)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &system{t: t, dir: dir, db: lab.Postgres(t, lab.Options{}),
		cache: lab.Redis(t, lab.Options{Settings: map[string]string{"repl-diskless-sync-delay": "0"}})}
	_, err = seed.Fill(t.Context(), seed.Places{Postgres: s.db.DSN("postgres"), Redis: s.cache.DSN("0"),
		Dir: filepath.Join(dir, "uploads")}, seed.Seed{Rows: 300, Files: 12, Keys: 200, Random: 1})
	if err != nil {
		t.Fatal(err)
	}
	s.write("repository.password", "correct horse\n")
	s.write("upkeep.yaml", strings.NewReplacer("DIR", dir, "DB", s.db.URL("cotdb"), "SECRET", s.db.PasswordFile,
		"CACHE", s.cache.URL("0")).Replace(declaration)+more)
	return s
}

const declaration = `system: soak
state: state
scratch: {dir: DIR/scratch}
repository: {path: copies, password: file:repository.password}
services:
  db:      {kind: postgres, url: "DB", password: "file:SECRET"}
  cache:   {kind: redis, url: "CACHE"}
  uploads: {kind: files, paths: [uploads]}
jobs:
  daily: {at: "02:00", do: [backup, verify, drill]}
`

func (s *system) path(name string) string { return filepath.Join(s.dir, name) }

func (s *system) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// command is upkeep, ready to be started in the directory of the system.
func (s *system) command(args ...string) *exec.Cmd {
	cmd := exec.Command("upkeep", args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "LANG=C.UTF-8", "LC_ALL=")
	return cmd
}

// run returns what upkeep printed, and its exit code.
func (s *system) run(args ...string) (gjson.Result, int) {
	s.t.Helper()
	var out, errs bytes.Buffer
	cmd := s.command(append(args, "--json")...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		s.t.Fatal(err)
	}
	if !gjson.ValidBytes(out.Bytes()) {
		s.t.Fatalf("upkeep %s printed no JSON:\n%s%s", strings.Join(args, " "), out.String(), errs.String())
	}
	return gjson.ParseBytes(out.Bytes()), cmd.ProcessState.ExitCode()
}

// must is run of what has to succeed.
func (s *system) must(args ...string) gjson.Result {
	s.t.Helper()
	out, code := s.run(args...)
	if code != 0 {
		s.t.Fatalf("upkeep %s exited with %d:\n%s", strings.Join(args, " "), code, out.Raw)
	}
	return out
}

// sql runs statements in the declared database.
func (s *system) sql(statements ...string) {
	s.t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, s.db.DSN("cotdb"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			s.t.Fatalf("%s: %v", statement, err)
		}
	}
}

// redis runs one command.
func (s *system) redis(words ...any) any {
	s.t.Helper()
	client := goredis.NewClient(&goredis.Options{Addr: s.cache.Addr(), Password: s.cache.Password})
	defer client.Close()
	answer, err := client.Do(context.Background(), words...).Result()
	if err != nil {
		s.t.Fatalf("%v: %v", words, err)
	}
	return answer
}

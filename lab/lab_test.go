package lab_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"upkeep/lab"
)

func TestPostgresAnswersWithItsPasswordOnly(t *testing.T) {
	s := lab.Postgres(t, lab.Options{Major: 15, Settings: map[string]string{"work_mem": "7MB"}})
	conn, err := pgx.Connect(t.Context(), s.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	var mem string
	if err := conn.QueryRow(t.Context(), "show work_mem").Scan(&mem); err != nil || mem != "7MB" {
		t.Errorf("work_mem is %q, %v; want 7MB", mem, err)
	}
	s.Password = "wrong"
	if _, err := pgx.Connect(t.Context(), s.DSN("postgres")); err == nil {
		t.Error("a wrong password was accepted")
	}
}

func TestPasswordsAreInPrivateFilesAndNotInArgv(t *testing.T) {
	for _, s := range []*lab.Server{
		lab.Postgres(t, lab.Options{Password: "s3cret-pg"}),
		lab.Redis(t, lab.Options{Password: "s3cret-rd"}),
	} {
		info, err := os.Stat(s.PasswordFile)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode of the password file: %v, %v", s.Component, info, err)
		}
		text, err := os.ReadFile(s.PasswordFile)
		if err != nil || strings.TrimSpace(string(text)) != s.Password {
			t.Errorf("%s: password file holds %q, %v", s.Component, text, err)
		}
		argv, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", s.PID()))
		if err != nil || strings.Contains(string(argv), s.Password) {
			t.Errorf("%s: password shows in argv %q, %v", s.Component, argv, err)
		}
	}
}

func TestServersDoNotRunAsRoot(t *testing.T) {
	lab.Need(t, "root")
	for _, s := range []*lab.Server{lab.Postgres(t, lab.Options{}), lab.Redis(t, lab.Options{})} {
		info, err := os.Stat(fmt.Sprintf("/proc/%d", s.PID()))
		if err != nil {
			t.Fatal(err)
		}
		if info.Sys().(*syscall.Stat_t).Uid == 0 {
			t.Errorf("%s runs as root", s.Component)
		}
	}
}

func TestRedisKeepsItsDataOverKillOnlyWhenSaved(t *testing.T) {
	s := lab.Redis(t, lab.Options{Password: "pw"})
	client := redis.NewClient(&redis.Options{Addr: s.Addr(), Password: "pw"})
	defer client.Close()
	client.Set(t.Context(), "saved", 1, 0)
	if err := client.Save(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	client.Set(t.Context(), "lost", 1, 0)
	restart(t, s)
	if n, err := client.Exists(t.Context(), "saved", "lost").Result(); err != nil || n != 1 {
		t.Errorf("%d keys after the kill, %v; want 1", n, err)
	}
}

func TestPostgresComesBackAfterKillOnItsPort(t *testing.T) {
	s := lab.Postgres(t, lab.Options{})
	port := s.Port
	restart(t, s)
	conn, err := pgx.Connect(t.Context(), s.DSN("postgres"))
	if err != nil || s.Port != port {
		t.Fatalf("port %d, was %d: %v", s.Port, port, err)
	}
	conn.Close(t.Context())
}

func restart(t *testing.T, s *lab.Server) {
	t.Helper()
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp", s.Addr()); err == nil {
		t.Errorf("%s answers after Kill", s.Component)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestPausedServerIsSilentUntilResumed(t *testing.T) {
	pg, rd := lab.Postgres(t, lab.Options{}), lab.Redis(t, lab.Options{})
	conn, err := pgx.Connect(t.Context(), pg.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: rd.Addr(), MaxRetries: -1, ReadTimeout: -1, ContextTimeoutEnabled: true})
	defer client.Close()
	if err := errors.Join(pg.Pause(), rd.Pause()); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := conn.Exec(short, "select 1"); err == nil {
		t.Error("an open connection answered while PostgreSQL was paused")
	}
	if err := client.Ping(short).Err(); err == nil {
		t.Error("Redis answered while it was paused")
	}
	if err := errors.Join(pg.Resume(), rd.Resume()); err != nil {
		t.Fatal(err)
	}
	if _, err := pgx.Connect(t.Context(), pg.DSN("postgres")); err != nil {
		t.Error(err)
	}
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}

func TestServerThatCannotStartSaysWhy(t *testing.T) {
	lab.Need(t, "postgres")
	_, err := lab.StartPostgres(t.Context(), shortDir(t), lab.Options{Settings: map[string]string{"no_such_setting": "1"}})
	if err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("error %v; want the line of the server's log", err)
	}
}

// lastWord runs the calling test again as a child that kills itself, and returns what it said
// after a mark.
func lastWord(t *testing.T, mark string) string {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), "LAB_CHILD=1")
	out, _ := child.Output() // it ends by the signal
	_, said, found := strings.Cut(string(out), mark)
	if !found {
		t.Fatalf("the child said %q", out)
	}
	return strings.TrimSpace(said)
}

// TestServersDieWithTheirParent runs this test binary again, which starts a server
// and is killed with it.
func TestServersDieWithTheirParent(t *testing.T) {
	if os.Getenv("LAB_CHILD") != "" {
		s := lab.Redis(t, lab.Options{})
		fmt.Printf("pid=%d\n", s.PID())
		os.Stdout.Sync()
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	lab.Need(t, "redis")
	pid, err := strconv.Atoi(lastWord(t, "pid="))
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the server is gone", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || strings.Contains(string(stat), ") Z ") // nobody may reap it in a container
	})
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func TestSmallDiskIsFullAndFreed(t *testing.T) {
	dir := lab.SmallDisk(t, 1<<20)
	free := lab.FillDisk(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "x"), make([]byte, 8192), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("writing to a full disk: %v", err)
	}
	free()
	if err := os.WriteFile(filepath.Join(dir, "x"), make([]byte, 8192), 0o600); err != nil {
		t.Error(err)
	}
}

// TestASmallDiskOfAKilledTestIsSweptByTheNext: nothing unmounts a disk whose test
// was killed; the next test does, and is not failed by it.
func TestASmallDiskOfAKilledTestIsSweptByTheNext(t *testing.T) {
	if os.Getenv("LAB_CHILD") != "" {
		fmt.Printf("disk=%s\n", lab.SmallDisk(t, 1<<20))
		os.Stdout.Sync()
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	lab.Need(t, "root")
	left := lastWord(t, "disk=")
	lab.SmallDisk(t, 1<<20)
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", left, err)
	}
}

func TestMissingComponentSkipsOnALaptopAndFailsInCI(t *testing.T) {
	for _, c := range []struct{ ci, want string }{{"", "skip"}, {"true", "fail"}} {
		t.Run("CI="+c.ci, func(t *testing.T) {
			t.Setenv("CI", c.ci)
			r := &recorder{TB: t}
			lab.Need(r, "postgres 7")
			if r.did != c.want || !strings.Contains(r.said, "PostgreSQL 7") {
				t.Errorf("%s: %s; want %s", r.did, r.said, c.want)
			}
		})
	}
}

type recorder struct {
	testing.TB
	did, said string
}

func (r *recorder) Skipf(format string, args ...any) {
	r.did, r.said = "skip", fmt.Sprintf(format, args...)
}
func (r *recorder) Fatalf(format string, args ...any) {
	r.did, r.said = "fail", fmt.Sprintf(format, args...)
}

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "uk")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestRabbitMQComesBackAfterKillAndLeavesNothing(t *testing.T) {
	s := lab.RabbitMQ(t, lab.Options{})
	worker := lab.Celery(t, lab.Worker{Broker: s, Name: "w1", Queues: []string{"ocr"}})
	if err := worker.Stop(); err != nil {
		t.Error(err)
	}
	restart(t, s)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, left := range processesOf(t, s.Dir) {
		t.Errorf("%s is left", left)
	}
}

// processesOf lists the programs whose home is dir.
func processesOf(t *testing.T, dir string) (found []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(text), "HOME="+dir+"\x00") {
			found = append(found, path)
		}
	}
	return found
}

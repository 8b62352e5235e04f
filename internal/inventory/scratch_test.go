package inventory_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"upkeep/internal/inventory"
	"upkeep/internal/service"
)

// childScratch tells a child process where to make scratch directories.
const childScratch = "INVENTORY_TEST_SCRATCH"

func TestMain(m *testing.M) {
	if base := os.Getenv(childScratch); base != "" {
		for _, target := range []string{"db", "数据库"} {
			if _, _, err := inventory.NewScratch(base, "").Dir(target, "postgres"); err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
		}
		fmt.Println("made")
		select {} // until it is killed
	}
	os.Exit(m.Run())
}

func handed(t *testing.T, s inventory.Scratch, target, purpose string) (string, func() error) {
	t.Helper()
	path, remove, err := s.Dir(target, purpose)
	if err != nil {
		t.Fatal(err)
	}
	return path, remove
}

func entries(t *testing.T, dir string) string {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range all {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestScratchDirectoriesArePrivateBelowOneThatOthersPass(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	s := inventory.NewScratch(filepath.Join(t.TempDir(), "deep", "scratch"), "")
	path, remove := handed(t, s, "db", "postgres")
	for dir, want := range map[string]fs.FileMode{path: 0o700, s.Base(): 0o711} {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v, want %v", dir, info.Mode(), err, want)
		}
	}
	if err := os.WriteFile(filepath.Join(path, "content"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a second call is harmless
		if err := remove(); err != nil {
			t.Error(err)
		}
	}
	if left := entries(t, s.Base()); left != "" {
		t.Errorf("left: %s", left)
	}
}

func TestEveryDirectoryIsNew(t *testing.T) {
	s := inventory.NewScratch(t.TempDir(), "")
	seen := map[string]bool{}
	for range 20 {
		path, _ := handed(t, s, "db", "postgres")
		if seen[path] {
			t.Fatalf("%s was handed out twice", path)
		}
		seen[path] = true
	}
}

func TestAForeignScratchPlaceIsRefused(t *testing.T) {
	foreign := filepath.Join(t.TempDir(), "scratch")
	if err := os.Mkdir(foreign, 0o777); err != nil {
		t.Fatal(err)
	}
	if os.Chown(foreign, 65534, 65534) != nil {
		foreign = "/proc" // an ordinary user cannot give directories away
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(t.TempDir(), link); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, base := range []string{foreign, link, file} {
		if path, _, err := inventory.NewScratch(base, "").Dir("db", "x"); !errors.Is(err, service.ErrRefused) {
			t.Errorf("%s: got %s, %v", base, path, err)
		}
	}
	if left := entries(t, foreign); strings.Contains(left, "db-x-") {
		t.Errorf("something was put there: %s", left)
	}
}

func TestLeftoversAreThoseOfDeadOwners(t *testing.T) {
	base := filepath.Join(t.TempDir(), "with[brackets]*")
	s := inventory.NewScratch(base, "")
	if left, err := s.Leftovers("db", "postgres"); err != nil || len(left) > 0 {
		t.Errorf("before anything was made: %v, %v", left, err)
	}
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), childScratch+"="+base)
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() }) // gone already after a good end
	said := make([]byte, 4)
	if _, err := out.Read(said); err != nil || string(said) != "made" {
		t.Fatalf("the child said %q, %v", said, err)
	}
	mine, _ := handed(t, s, "db", "postgres")
	leftovers := func(target, purpose string) string {
		left, err := s.Leftovers(target, purpose)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(left, " ")
	}
	if left := leftovers("db", "postgres"); left != "" {
		t.Errorf("of living owners: %s", left)
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // it was killed
	left := leftovers("db", "postgres")
	if left == "" || strings.Contains(left, " ") || left == mine {
		t.Errorf("left for db: %q, mine is %s", left, mine)
	}
	if chinese := leftovers("数据库", "postgres"); chinese == "" || chinese == left {
		t.Errorf("left for 数据库: %q", chinese)
	}
	for _, other := range [][2]string{{"d", "postgres"}, {"db", "redis"}, {"cache", "postgres"}, {"数据", "postgres"}} {
		if found := leftovers(other[0], other[1]); found != "" {
			t.Errorf("left for %v: %s", other, found)
		}
	}
}

// Whoever sweeps removes the directory and knows nothing of its lock.
func TestALockWithoutDirectoryIsTidiedAwayInTime(t *testing.T) {
	s := inventory.NewScratch(t.TempDir(), "")
	path, _ := handed(t, s, "db", "x")
	lock := path + ".lock"
	forgotten := filepath.Join(s.Base(), strings.Replace(filepath.Base(path), "db-x-", "db-x-9", 1)+".lock")
	if err := errors.Join(os.WriteFile(forgotten, nil, 0o600), os.Remove(path)); err != nil {
		t.Fatal(err)
	}
	look := func() string {
		if left, err := s.Leftovers("db", "x"); err != nil || len(left) > 0 {
			t.Errorf("leftovers %v, %v", left, err)
		}
		return entries(t, s.Base())
	}
	if got := look(); !strings.Contains(got, filepath.Base(forgotten)) {
		t.Errorf("a lock was removed whose directory may just be in the making: %s", got)
	}
	long := time.Now().Add(-2 * time.Hour)
	if err := errors.Join(os.Chtimes(forgotten, long, long), os.Chtimes(lock, long, long)); err != nil {
		t.Fatal(err)
	}
	if got := look(); got != filepath.Base(lock) {
		t.Errorf("left: %s, want only %s, which is held", got, filepath.Base(lock))
	}
}

// A Unix socket's path may have 107 bytes: the default place must leave room for
// the longest name that a kind puts below it.
func TestSocketsFitBelow(t *testing.T) {
	const socket = "/sockets/.s.PGSQL.65535" // the longest that a kind makes
	base := inventory.NewScratch("", strings.Repeat("/very/long/state", 20)).Base()
	place := t.TempDir()
	for _, name := range []string{"db", strings.Repeat("x", 200), strings.Repeat("数", 60), "a-b_c", "ab数据cd"} {
		path, _ := handed(t, inventory.NewScratch(place, ""), name, strings.Repeat("目的", 20))
		if full := filepath.Join(base, filepath.Base(path)) + socket; len(full) > 107 {
			t.Errorf("%d bytes: %s", len(full), full)
		}
	}
	if other := inventory.NewScratch("", "/other/state").Base(); other == base {
		t.Errorf("two state directories share %s", base)
	}
}

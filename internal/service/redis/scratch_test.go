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

// A bit that flips can make a key look like one of a module, which the server says it lacks.
func TestEveryFlippedBitIsDamage(t *testing.T) {
	s := start(t, "")
	seed(t, s)
	in := declare(t, s)
	c := backup(t, in)
	good := dumpBytes(t, c)
	for _, back := range []int{60, 90, 120, 150, 180, 210} {
		flipped := bytes.Clone(good)
		flipped[len(flipped)-back] = typeModule2
		if bytes.Equal(flipped, good) {
			continue
		}
		err := scratch(t, in, c).Restore(t.Context(), forged{c, flipped}, service.Selection{}, service.Report{})
		if !errors.Is(err, service.ErrDamaged) {
			t.Errorf("%d bytes before the end: %v", back, err)
		}
	}
}

func TestScratchIsPrivateAndLeavesNothing(t *testing.T) {
	s := start(t, "")
	in := declare(t, s) // its environment fails the test over directories that remain
	c := backup(t, in)
	sib := scratch(t, in, c).(*sibling)
	proc := processIn(t, sib.srv.box.Dir)
	argv, err := os.ReadFile(filepath.Join(proc, "cmdline"))
	must(t, err)
	if strings.Contains(string(argv), sib.srv.password) {
		t.Error("the password is in argv")
	}
	info, err := os.Stat(filepath.Join(sib.srv.box.Dir, "redis.conf"))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the configuration is %v", info.Mode())
	}
	var as syscall.Stat_t
	must(t, syscall.Stat(proc, &as))
	if os.Getuid() == 0 && as.Uid == 0 {
		t.Error("the scratch server runs as root")
	}
	stranger := &Instance{env: in.env, at: endpoint{network: "unix", address: sib.srv.socket()}}
	if err := stranger.ping(t.Context()); !errors.Is(err, service.ErrDenied) {
		t.Errorf("a stranger gets %v", err)
	}
	must(t, sib.Close())
	if _, err := os.Stat(sib.srv.box.Dir); !os.IsNotExist(err) {
		t.Errorf("the directory is still there: %v", err)
	}
}

// processIn is the one that stands in a directory, below /proc.
func processIn(t *testing.T, dir string) string {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cwd")
	must(t, err)
	for _, link := range all {
		if cwd, err := os.Readlink(link); err == nil && cwd == dir {
			return filepath.Dir(link)
		}
	}
	t.Fatalf("no process stands in %s", dir)
	return ""
}

func TestSweepEndsWhatAKilledRunLeft(t *testing.T) {
	s := start(t, "")
	env := servicetest.Env(t)
	in := declare(t, s, func(_ *Config, e *service.Env) { *e = env })
	sib, err := in.Scratch(t.Context(), backup(t, in), service.Report{})
	must(t, err)
	srv := sib.(*sibling).srv
	must(t, in.Sweep(t.Context())) // its own is in use
	if !srv.running.Running() {
		t.Fatal("a scratch in use was swept")
	}
	later := declare(t, s, func(_ *Config, e *service.Env) { *e = servicetest.Later(t, env) })
	must(t, later.Sweep(t.Context()))
	for end := time.Now().Add(20 * time.Second); srv.running.Running(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the server still runs")
		}
	}
	if _, err := os.Stat(srv.box.Dir); !os.IsNotExist(err) {
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

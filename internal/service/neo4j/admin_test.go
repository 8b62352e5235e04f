package neo4j

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"upkeep/internal/service"
)

// boxes stands for what manages containers; each program that is run in one is kept.
type boxes struct {
	till
	ran    []service.Cmd
	loaded []byte
	store  string // what du says
	open   int
}

type box struct{ *boxes }

func (b *boxes) Exec(context.Context, string, service.Cmd) error {
	return errors.New("not the service's own container")
}

func (b *boxes) Discard(context.Context, []string) error { return nil }

func (b *boxes) Disposable(_ context.Context, unit string, d service.Disposable) (service.Container, error) {
	if unit != "graph" || !d.Data || d.Dir == "" {
		return nil, errors.New("it lacks the server's volumes")
	}
	b.open++
	return box{b}, nil
}

func (b box) Run(_ context.Context, c service.Cmd) (err error) {
	b.ran = append(b.ran, c)
	switch {
	case c.Program == "stat":
		_, err = io.WriteString(c.Stdout, "7474:7474\n")
	case c.Program == "du":
		_, err = io.WriteString(c.Stdout, b.store)
	case slices.Contains(c.Args, "dump"):
		_, err = io.WriteString(c.Stdout, "a dump")
	case slices.Contains(c.Args, "load"):
		b.loaded, err = io.ReadAll(c.Stdin)
	}
	return err
}

func (b box) Memory() int64 { return 1 << 30 }

func (b box) Forward(context.Context, int) (string, error) { return "", service.ErrUnsupported }

func (b box) Close() error { b.open--; return nil }

func TestInAContainerTheProgramIsThatOfTheImageAndItsUserThatOfTheFiles(t *testing.T) {
	b := &boxes{}
	in := windowed(t, &b.till, time.Hour)
	in.env.Peer = func(string) (service.Instance, error) { return b, nil }
	a, err := in.admin(t.Context(), "neo4j", found{data: "/var/lib/graph"})
	must(t, err)
	defer func() { must(t, a.remove()) }()
	must(t, a.dump(t.Context()))
	content, err := os.ReadFile(a.path())
	if err != nil || string(content) != "a dump" {
		t.Fatalf("%q, %v", content, err)
	}
	must(t, a.load(t.Context()))
	if !bytes.Equal(b.loaded, content) || b.open != 0 {
		t.Errorf("loaded %q, %d containers are left", b.loaded, b.open)
	}
	var ran []string
	for _, c := range b.ran {
		ran = append(ran, strings.TrimSpace(c.User+" "+c.Program+" "+strings.Join(c.Args, " ")))
	}
	want := []string{"stat -c %u:%g /var/lib/graph/databases", "7474:7474 neo4j-admin database dump neo4j --to-stdout",
		"7474:7474 neo4j-admin database load neo4j --from-stdin --overwrite-destination=true"}
	if !slices.Equal(ran, want) {
		t.Errorf("ran %q", ran)
	}
}

func TestOnThisMachineTheProgramRunsAsTheOwnerOfTheFiles(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can run a program as somebody else")
	}
	in := windowed(t, &till{}, time.Hour)
	in.cfg.Dump.Data = dataDirectory(t)
	must(t, os.Chown(filepath.Join(in.cfg.Dump.Data, "databases"), 4711, 4712))
	in.env.Find = func(context.Context, string, int) (string, string, error) { return "/opt/neo4j-admin", "5.26.28", nil }
	var fails error
	var ran []string
	in.env.Run = func(_ context.Context, c service.Cmd) error {
		ran = append(ran, fmt.Sprint(c.User, " ", c.Search, " ", strings.Join(c.Args, " ")))
		return fails
	}
	a, err := in.admin(t.Context(), "neo4j", found{version: "5.26.28"})
	must(t, err)
	must(t, a.dump(t.Context()))
	must(t, a.load(t.Context()))
	want := []string{"4711:4712 true --version", "4711:4712 true database dump neo4j --to-stdout",
		"4711:4712 true database load neo4j --from-stdin --overwrite-destination=true"}
	if !slices.Equal(ran, want) {
		t.Errorf("ran %q", ran)
	}
	for path, want := range map[string]string{a.dir: "0 -rwx--x--x", a.path(): "0 -rw-------", a.dir + "/logs": "4711 -rwx------",
		a.dir + "/conf": "4711 -rwx------", a.dir + "/conf/neo4j.conf": "4711 -rw-------"} {
		info, err := os.Stat(path)
		must(t, err)
		if got := fmt.Sprint(info.Sys().(*syscall.Stat_t).Uid, " ", info.Mode().Perm()); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	must(t, a.remove())
	fails = errors.New("permission denied")
	_, err = in.admin(t.Context(), "neo4j", found{version: "5.26.28"})
	if id, _ := service.ErrorID(err); id != "neo4j.admin-not-run" || !errors.Is(err, service.ErrNoTool) {
		t.Errorf("a program that the owner may not run: %v", err)
	}
}

func TestWithoutContainersAndFilesNothingIsStopped(t *testing.T) {
	c := &till{}
	in := windowed(t, c, time.Hour)
	if _, err := in.admin(t.Context(), "neo4j", found{data: dataOfImage}); !errors.Is(err, service.ErrUnsupported) {
		t.Errorf("no containers: %v", err)
	}
	in.cfg.Dump.Data = t.TempDir()
	_, err := in.admin(t.Context(), "neo4j", found{})
	if id, _ := service.ErrorID(err); id != "neo4j.no-data-directory" {
		t.Errorf("no data: %v", err)
	}
	in.cfg.Dump.Data = dataDirectory(t)
	in.env.Find = func(context.Context, string, int) (string, string, error) {
		return "/opt/neo4j-admin", "2026.08.1", nil
	}
	_, err = in.admin(t.Context(), "neo4j", found{version: "5.26.28"})
	if id, _ := service.ErrorID(err); id != "neo4j.no-admin" || !errors.Is(err, service.ErrNoTool) {
		t.Errorf("another major version: %v", err)
	}
	if len(c.did) > 0 {
		t.Errorf("did %v", c.did)
	}
}

func TestWithoutRoomForTheDumpNothingIsStopped(t *testing.T) {
	for name, tc := range map[string]struct {
		store   string
		refused bool
	}{
		"it fits":         {"300\t/data/databases/neo4j\n20\t/data/transactions/neo4j\n", false},
		"it does not fit": {"300\t/data/databases/neo4j\n99999999999999\t/data/transactions/neo4j\n", true},
		"nobody knows":    {"", false},
		"it is unclear":   {"du: much\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			b := &boxes{store: tc.store}
			in := windowed(t, &b.till, time.Hour)
			in.env.Peer = func(string) (service.Instance, error) { return b, nil }
			in.cfg.Copy = dumped
			_, err := in.Snapshot(t.Context(), service.NoPrevious, service.Report{})
			if id, _ := service.ErrorID(err); (id == "neo4j.no-room") != tc.refused || errors.Is(err, service.ErrNoSpace) != tc.refused {
				t.Errorf("%q: %v", id, err) // what is not refused goes on to a server that does not answer
			}
			if len(b.did) > 0 || b.open > 0 {
				t.Errorf("did %v, %d containers are left", b.did, b.open)
			}
		})
	}
}

func TestFilesAreCountedAsTheyLieOnTheDisk(t *testing.T) {
	data := t.TempDir()
	store := filepath.Join(data, "databases", "neo4j", "schema")
	must(t, os.MkdirAll(store, 0o700))
	must(t, os.WriteFile(filepath.Join(store, "a"), make([]byte, 300<<10), 0o600))
	must(t, os.WriteFile(filepath.Join(store, "holes"), nil, 0o600))
	must(t, os.Truncate(filepath.Join(store, "holes"), 1<<30))
	size, err := storedHere(storeDirectories(data, "neo4j")) // there are no transactions
	if err != nil || size < 300<<10 || size > 400<<10 {
		t.Errorf("%d bytes, %v", size, err)
	}
}

func dataDirectory(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Mkdir(dir+"/databases", 0o700))
	return dir
}

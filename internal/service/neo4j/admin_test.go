package neo4j

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep/internal/service"
)

// boxes stands for what manages containers; each program that is run in one is kept.
type boxes struct {
	till
	ran    []service.Cmd
	loaded []byte
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

func dataDirectory(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Mkdir(dir+"/databases", 0o700))
	return dir
}

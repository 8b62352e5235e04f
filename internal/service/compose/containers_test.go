package compose

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/moby/moby/client"

	"upkeep/internal/command"
	"upkeep/internal/service"
)

// box starts a disposable container of the stack's store.
func box(t *testing.T, in *Instance, d service.Disposable) *disposable {
	t.Helper()
	if d.Dir == "" {
		d.Dir = t.TempDir()
	}
	c, err := in.Disposable(t.Context(), "store", d)
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	return c.(*disposable)
}

func TestExecPassesStreamsArgumentsAndTheExitCode(t *testing.T) {
	in := declare(t, upped(t))
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	var out bytes.Buffer
	must(t, in.Exec(t.Context(), "store", service.Cmd{Program: "cat", Stdin: bytes.NewReader(large), Stdout: &out}))
	if !bytes.Equal(out.Bytes(), large) {
		t.Errorf("%d of %d bytes came back", out.Len(), len(large))
	}
	out.Reset()
	must(t, in.Exec(t.Context(), "store", service.Cmd{Program: "echo", Args: []string{"$(id)", "a b", "'"}, Stdout: &out}))
	if out.String() != "$(id) a b '\n" {
		t.Errorf("the arguments came as %q", out.String())
	}
	out.Reset()
	must(t, in.Exec(t.Context(), "store", service.Cmd{Program: "busybox", Args: []string{"id", "-u"}, User: "1234", Stdout: &out}))
	if out.String() != "1234\n" {
		t.Errorf("it ran as %q", out.String())
	}
	err := in.Exec(t.Context(), "store", service.Cmd{Program: "sh", Args: []string{"-c", "echo no $PGPASSWORD >&2; exit 7"}, Env: []string{"PGPASSWORD=hush-hush"}})
	var exit *command.ExitError
	if !errors.As(err, &exit) || exit.Code != 7 || exit.Stderr != "no …" {
		t.Errorf("a failing program gives %v", err)
	}
	if err := in.Exec(t.Context(), "store", service.Cmd{Program: "no-such-program"}); !errors.Is(err, service.ErrNoTool) {
		t.Errorf("a missing program gives %v", err)
	}
	refused(t, in.Exec(t.Context(), "migrate", service.Cmd{Program: "true"}), "compose.not-running", service.ErrUnreachable)
	if err := in.Exec(t.Context(), "nobody", service.Cmd{Program: "true"}); !errors.Is(err, service.ErrUndeclared) {
		t.Errorf("a service that is none gives %v", err)
	}
}

// runs reports whether a program with this argument runs in any container.
func runs(t *testing.T, argument string) bool {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	for _, path := range all {
		if argv, err := os.ReadFile(path); err == nil && bytes.Contains(argv, []byte("\x00"+argument+"\x00")) {
			return true
		}
	}
	return false
}

// begun waits for a program.
func begun(t *testing.T, argument string) {
	t.Helper()
	eventually(t, func() (bool, any) { return runs(t, argument), argument })
}

func TestACancelledProgramEnds(t *testing.T) {
	in := declare(t, upped(t))
	for name, tc := range map[string]struct{ script, mark string }{
		"at the first signal": {"sleep 7771; true", "7771"},
		"at the last":         {"trap '' TERM; while :; do sleep 7772; done", "7772"},
		"after its output":    {"exec >&- 2>&-; sleep 7773; true", "7773"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- in.Exec(ctx, "store", service.Cmd{Program: "sh", Args: []string{"-c", tc.script}}) }()
			begun(t, tc.mark)
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("it ends with %v", err)
			}
			if runs(t, tc.mark) {
				t.Error("it still runs")
			}
		})
	}
}

func TestABrokenStreamEndsTheProgram(t *testing.T) {
	in := declare(t, upped(t))
	broken := errors.New("broken")
	err := in.Exec(t.Context(), "store", service.Cmd{Program: "sh", Args: []string{"-c", "cat; echo whole"}, Stdin: io.MultiReader(strings.NewReader("a"), iotest.ErrReader(broken))})
	if !errors.Is(err, broken) {
		t.Errorf("an input that breaks gives %v", err)
	}
	full, w := io.Pipe()
	must(t, full.CloseWithError(broken))
	err = in.Exec(t.Context(), "store", service.Cmd{Program: "sh", Args: []string{"-c", "echo a; sleep 7774"}, Stdout: w})
	if !errors.Is(err, broken) || runs(t, "7774") {
		t.Errorf("an output that nobody takes gives %v", err)
	}
}

func TestADisposableContainerIsIsolatedAndNobodys(t *testing.T) {
	s := upped(t, "    init: true\n", "    init: true\n    mem_limit: 64m\n")
	in := declare(t, s)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "ours"), []byte("from outside"), 0o644))
	d := box(t, in, service.Disposable{Dir: dir})
	got, err := engine.Client.ContainerInspect(t.Context(), d.id, client.ContainerInspectOptions{})
	must(t, err)
	store, err := engine.Client.ContainerInspect(t.Context(), projectName(t, in)+"-store-1", client.ContainerInspectOptions{})
	must(t, err)
	c, host := got.Container, got.Container.HostConfig
	if c.Image != store.Container.Image || host.NetworkMode != "none" || d.Memory() != 64<<20 || host.Memory != 64<<20 || !host.RestartPolicy.IsNone() ||
		len(host.CapDrop) != 1 || host.CapDrop[0] != "ALL" || len(host.CapAdd) > 0 || len(c.Mounts) != 1 || c.State.Health != nil || c.Config.Hostname != "localhost" {
		t.Errorf("it is %+v\n%+v", c, host)
	}
	var out bytes.Buffer
	must(t, d.Run(t.Context(), service.Cmd{Program: "sh", Args: []string{"-c", "cat ours; echo inside > theirs; ls /sys/class/net; test -e /data/stored || echo none"}, Dir: dir, Stdout: &out}))
	theirs, err := os.ReadFile(filepath.Join(dir, "theirs"))
	if said := out.String(); err != nil || string(theirs) != "inside\n" || !strings.Contains(said, "from outside") {
		t.Errorf("%v: %q says %q", err, theirs, said)
	}
	v := check(t, in)
	if all := found(v); len(all) > 0 || v.Facts["unmanaged"] != 0 || v.Facts["services"] != 3 {
		t.Errorf("the check finds %q, %v", all, v.Facts)
	}
	must(t, s.Up(t.Context())) // with --remove-orphans
	must(t, d.Run(t.Context(), service.Cmd{Program: "true"}))
	must(t, d.Close())
	must(t, d.Close())
	if left := docker(t, "ps", "--all", "--quiet", "--filter", "label="+labelDisposable); left != "" {
		t.Errorf("%s is left", left)
	}
}

func TestAnImageThatComposeBuiltLendsItsLabelsToNobody(t *testing.T) {
	s := stack(t)
	docker(t, "import", "--change", "LABEL com.docker.compose.project=labels com.docker.compose.service=store", "--change", "ENV PATH=/bin", emptied(t), "lab/labelled:1")
	change(t, s, "  store:\n    image: lab/base:1", "  store:\n    image: lab/labelled:1")
	in := declare(t, s, func(c *Config) { c.Project = "labels" })
	d := box(t, in, service.Disposable{})
	if all := docker(t, "ps", "--quiet", "--filter", "label=com.docker.compose.project=labels"); all != "" || d.Memory() < 64<<20 {
		t.Errorf("%s counts as the project's, with %d bytes", all, d.Memory())
	}
	change(t, s, "  store:\n    image: lab/labelled:1", "  store:\n    image: lab/nowhere:1")
	_, err := in.Disposable(t.Context(), "store", service.Disposable{Dir: t.TempDir()})
	refused(t, err, "compose.no-image", service.ErrNoScratch)
}

// emptied is the base image as an archive.
func emptied(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "base.tar")
	docker(t, "create", "--name", "exported", "--network", "none", "lab/base:1")
	docker(t, "export", "--output", path, "exported")
	docker(t, "rm", "exported")
	return path
}

func TestDataGivesTheVolumesAndKeepsThem(t *testing.T) {
	in := declare(t, upped(t, `volumes: ["stored:/data"`, `volumes: ["stored:/data", "/unnamed"`))
	must(t, in.Exec(t.Context(), "store", service.Cmd{Program: "sh", Args: []string{"-c", "echo 1 > /data/a; echo 2 > /unnamed/b"}}))
	must(t, in.Stop(t.Context(), "store"))
	d := box(t, in, service.Disposable{Data: true})
	var out bytes.Buffer
	must(t, d.Run(t.Context(), service.Cmd{Program: "sh", Args: []string{"-c", "cat /data/a /unnamed/b; echo 3 > /data/c; touch /seed/x || echo read-only"}, Stdout: &out}))
	if out.String() != "1\n2\nread-only\n" {
		t.Errorf("it sees %q", out.String())
	}
	must(t, d.Close())
	must(t, in.Start(t.Context(), "store"))
	out.Reset()
	must(t, in.Exec(t.Context(), "store", service.Cmd{Program: "cat", Args: []string{"/data/c", "/unnamed/b"}, Stdout: &out}))
	if out.String() != "3\n2\n" {
		t.Errorf("afterwards there is %q", out.String())
	}
	_, err := declare(t, stack(t), func(c *Config) { c.Project = "never-up" }).Disposable(t.Context(), "store", service.Disposable{Dir: t.TempDir(), Data: true})
	if !errors.Is(err, service.ErrNotFound) {
		t.Errorf("volumes of nothing: %v", err)
	}
}

func TestForwardReachesTheContainersOwnLoopback(t *testing.T) {
	in := declare(t, upped(t))
	d := box(t, in, service.Disposable{})
	address, err := d.Forward(t.Context(), 5000) // before anybody listens
	must(t, err)
	if said, err := asked(address, "early"); err == nil && said != "" {
		t.Errorf("nobody answers %q", said)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- d.Run(ctx, service.Cmd{Program: "busybox", Args: []string{"nc", "-ll", "-p", "5000", "-e", "cat"}})
	}()
	eventually(t, func() (bool, any) { said, err := asked(address, "hello"); return said == "hello", err })
	large := strings.Repeat("x", 4<<20)
	if said, err := asked(address, large); said != large {
		t.Errorf("%d of %d bytes came back: %v", len(said), len(large), err)
	}
	idle, err := net.Dial("tcp", address)
	must(t, err)
	must(t, d.Close())
	_ = idle.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := idle.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a connection outlives the container: %v", err)
	}
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("it still listens")
	}
	cancel()
	if err := <-served; err == nil {
		t.Error("the server ended well")
	}
}

// asked sends a text and returns all that comes back.
func asked(address, text string) (string, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(conn, text)
		sent <- errors.Join(err, conn.(*net.TCPConn).CloseWrite())
	}()
	back, err := io.ReadAll(conn)
	return string(back), errors.Join(err, <-sent)
}

func TestDiscardRemovesWhatWorksInADirectoryAndNothingElse(t *testing.T) {
	in := declare(t, upped(t))
	left, other := t.TempDir(), box(t, in, service.Disposable{})
	_, err := in.Disposable(t.Context(), "store", service.Disposable{Dir: left}) // nobody closes it
	must(t, err)
	for range 2 {
		must(t, in.Discard(t.Context(), []string{left}))
		all := docker(t, "ps", "--all", "--quiet", "--no-trunc", "--filter", "label="+labelDisposable)
		if all != other.id {
			t.Errorf("%s are there, want %s", all, other.id)
		}
	}
}

// TestAnEngineElsewhereIsOutOfReach takes a process of this machine for one that an
// engine on another machine has named.
func TestAnEngineElsewhereIsOutOfReach(t *testing.T) {
	in := declare(t, upped(t))
	d := box(t, in, service.Disposable{})
	mine := &disposable{in: in, id: d.id, pid: os.Getpid()}
	_, err := mine.Forward(t.Context(), 5000)
	refused(t, err, "compose.out-of-reach", service.ErrNoScratch)
	refused(t, in.signal(d.id, os.Getpid(), 0), "compose.out-of-reach", service.ErrNoScratch)
}

package lab

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/moby/moby/client"
)

// Engine is one private Docker engine. It has no default bridge and writes no firewall
// of its own, so several live side by side; networks of compose projects work.
type Engine struct {
	Dir    string // of this engine; its name begins with dockerPrefix
	Host   string // unix:///…, for DOCKER_HOST
	Client *client.Client
	proc   *process
}

// BaseImage is in every Engine: busybox, with /data and /tmp to write to.
const BaseImage = "lab/base:1"

const dockerPrefix = "upkeep-docker-"

// dockerPatience bounds the start of an engine, which takes 1 s on a free machine,
// and its stop, in which it gives its containers 10 s.
const dockerPatience = 60 * time.Second

// Docker starts an engine for the length of one test.
func Docker(t TB) *Engine {
	t.Helper()
	Need(t, "root", "docker")
	ctx, cancel := context.WithTimeout(t.Context(), dockerPatience)
	defer cancel()
	e, err := StartDocker(ctx)
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	t.Cleanup(func() {
		if err := e.Remove(); err != nil {
			t.Fatalf("lab: %v", err)
		}
	})
	return e
}

// StartDocker starts an engine that holds BaseImage and nothing else.
func StartDocker(ctx context.Context) (*Engine, error) {
	if err := sweepDocker(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", dockerPrefix, os.Getpid()))
	if err != nil {
		return nil, fmt.Errorf("make the directory of an engine: %w", err)
	}
	e := &Engine{Dir: dir, Host: "unix://" + filepath.Join(dir, "sock")}
	if err := letTalk(dir, fmt.Sprintf("10.%d.0.0/16", 100+rand.IntN(100))); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if e.Client, err = client.New(client.WithHost(e.Host)); err != nil {
		return nil, err
	}
	if err := errors.Join(e.Start(ctx), e.importBase(ctx)); err != nil {
		return nil, errors.Join(err, e.Remove())
	}
	return e, nil
}

// Start brings the engine up, also again after Stop or Kill.
func (e *Engine) Start(ctx context.Context) error {
	in := func(name string) string { return filepath.Join(e.Dir, name) }
	pool, err := os.ReadFile(in("pool"))
	if err != nil {
		return fmt.Errorf("start an engine: %w", err)
	}
	proc, err := launch([]string{"dockerd", "--data-root", in("data"), "--exec-root", in("exec"), "--pidfile", in("pid"),
		"--host", e.Host, "--bridge", "none", "--iptables=false", "--ip-masq=false", "--default-address-pool", fmt.Sprintf("base=%s,size=24", pool)}, nil, in("log"), false)
	if err != nil {
		return err
	}
	e.proc = proc
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		if _, err = e.Client.Ping(ctx, client.PingOptions{}); err == nil {
			return e.Client.Close() // no connection stays open; the client opens one when it is used
		}
		select {
		case <-proc.done:
			log, _ := os.ReadFile(in("log")) // without it the error says at least that it ended
			return fmt.Errorf("dockerd ended at once (%w):\n%s", proc.err, log)
		case <-ctx.Done():
			return fmt.Errorf("dockerd does not answer: %w", errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}

// Stop ends the engine and its containers in good order; it may be called again.
func (e *Engine) Stop() error {
	if e.proc == nil {
		return nil
	}
	return errors.Join(e.Resume(), e.proc.end(syscall.SIGTERM, dockerPatience))
}

// Pause stops the engine's process: connections are accepted by the kernel and
// nothing answers.
func (e *Engine) Pause() error { return signal(e.proc.pid, syscall.SIGSTOP) }

// Resume ends a Pause.
func (e *Engine) Resume() error {
	if e.proc.ended() {
		return nil
	}
	return signal(e.proc.pid, syscall.SIGCONT)
}

// Remove ends the engine and removes all that it kept.
func (e *Engine) Remove() error {
	return errors.Join(e.Stop(), e.Client.Close(), removeDocker(e.Dir))
}

// Docker runs the client program and returns what it printed.
func (e *Engine) Docker(ctx context.Context, args ...string) (string, error) {
	return e.run(ctx, "", "docker", args...)
}

// Compose runs docker compose in the directory of a project.
func (e *Engine) Compose(ctx context.Context, dir string, args ...string) (string, error) {
	program, err := ComposeProgram()
	if err != nil {
		return "", err
	}
	return e.run(ctx, dir, program, args...)
}

func (e *Engine) run(ctx context.Context, dir, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + e.Dir, "DOCKER_HOST=" + e.Host, "LC_ALL=C.UTF-8"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", filepath.Base(program), strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return string(bytes.TrimSpace(out)), nil
}

// composeRelease is the newest that can be built from the module mirror.
const composeRelease = "v2.32.4"

// ComposeProgram is docker compose as a program of its own: the one on PATH, else
// what lab/install has built.
func ComposeProgram() (string, error) {
	if path, err := exec.LookPath("docker-compose"); err == nil {
		return path, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("look for docker compose: %w", err)
	}
	built := filepath.Join(cache, "upkeep-build", "docker-compose-"+composeRelease)
	if _, err := os.Stat(built); err != nil {
		return "", fmt.Errorf("docker-compose is not on PATH; lab/install --compose builds it in 4 min")
	}
	return built, nil
}

func findDocker() error {
	for _, program := range []string{"dockerd", "containerd", "docker"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is not on PATH; as root, lab/install installs it", program)
		}
	}
	if _, err := os.Stat(busybox); err != nil {
		return fmt.Errorf("there is no %s; as root, lab/install installs it", busybox)
	}
	_, err := ComposeProgram()
	return err
}

// busybox must be Debian's static one: the image has no libraries.
const busybox = "/usr/bin/busybox"

// importBase makes an image without a registry.
func (e *Engine) importBase(ctx context.Context) error {
	archive, err := baseArchive()
	if err != nil {
		return err
	}
	return e.importImage(ctx, archive, BaseImage, "PATH=/bin")
}

// importImage makes an image of an archive, with an environment.
func (e *Engine) importImage(ctx context.Context, archive io.Reader, name string, env ...string) error {
	said, err := e.Client.ImageImport(ctx, client.ImageImportSource{Source: archive, SourceName: "-"}, name,
		client.ImageImportOptions{Changes: []string{`CMD ["sleep", "infinity"]`, "ENV " + strings.Join(env, " ")}})
	if err != nil {
		return fmt.Errorf("import %s: %w", name, err)
	}
	_, err = io.Copy(io.Discard, said) // it is there when all was said
	return errors.Join(err, said.Close())
}

func baseArchive() (io.Reader, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	return &archive, errors.Join(putBase(w), w.Close())
}

// putBase writes busybox and its directories.
func putBase(w *tar.Writer) error {
	program, err := os.ReadFile(busybox)
	if err != nil {
		return fmt.Errorf("read busybox: %w", err)
	}
	put := func(h tar.Header, content []byte) {
		h.Size = int64(len(content))
		err = errors.Join(err, w.WriteHeader(&h))
		_, writeErr := w.Write(content)
		err = errors.Join(err, writeErr)
	}
	for _, dir := range []string{"bin/", "data/", "tmp/", "etc/", "proc/", "sys/", "dev/"} {
		put(tar.Header{Name: dir, Typeflag: tar.TypeDir, Mode: 0o777}, nil)
	}
	put(tar.Header{Name: "bin/busybox", Typeflag: tar.TypeReg, Mode: 0o755}, program)
	for _, name := range []string{"sh", "sleep", "cat", "dd", "tail", "test", "touch", "rm", "echo", "true", "false", "dirname", "readlink", "sed", "stat", "du"} {
		put(tar.Header{Name: "bin/" + name, Typeflag: tar.TypeSymlink, Linkname: "busybox", Mode: 0o777}, nil)
	}
	return err
}

// sweepDocker removes what engines of killed tests left behind.
func sweepDocker() error {
	left, err := filepath.Glob(filepath.Join(os.TempDir(), dockerPrefix+"*"))
	if err != nil {
		return fmt.Errorf("look for what earlier engines left: %w", err)
	}
	for _, dir := range left {
		var owner, rest int
		if n, _ := fmt.Sscanf(filepath.Base(dir), dockerPrefix+"%d-%d", &owner, &rest); n == 2 && !alive(owner) {
			err = errors.Join(err, removeDocker(dir))
		}
	}
	return err
}

// removeDocker ends what still runs for an engine (the keeper of a container
// outlives a killed engine), takes its bridges and mounts away and removes its
// directory.
func removeDocker(dir string) error {
	for _, pid := range mentioning(dir) {
		children := family(pid)
		if err := signalAll(append(children, pid), syscall.SIGKILL); err != nil {
			return err
		}
		if err := gone(append(children, pid)); err != nil {
			return err
		}
	}
	if err := errors.Join(removeBridges(dir), noTalk(dir)); err != nil {
		return err
	}
	table, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return fmt.Errorf("look for mounts of an engine: %w", err)
	}
	for line := range strings.Lines(string(table)) {
		if at := strings.Fields(line)[1]; strings.HasPrefix(at, dir+"/") {
			if err := syscall.Unmount(at, syscall.MNT_DETACH); err != nil && !errors.Is(err, syscall.EINVAL) {
				return fmt.Errorf("unmount %s: %w", at, err)
			}
		}
	}
	return os.RemoveAll(dir)
}

// mentioning lists the processes that have a directory in their arguments.
func mentioning(dir string) (pids []int) {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is well formed
	for _, path := range lines {
		argv, err := os.ReadFile(path) // an error means that it ended
		var pid int
		if n, _ := fmt.Sscanf(path, "/proc/%d/cmdline", &pid); err == nil && n == 1 && pid != os.Getpid() && bytes.Contains(argv, []byte(dir+"/")) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// removeBridges deletes the network interfaces of an engine's networks, which it
// leaves to the machine when it ends. Its store names them, also old ones.
func removeBridges(dir string) error {
	store, err := os.ReadFile(filepath.Join(dir, "data", "network", "files", "local-kv.db"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for the networks of an engine: %w", err)
	}
	for _, match := range regexp.MustCompile(`/bridge/([0-9a-f]{12})[0-9a-f]{52}/`).FindAllSubmatch(store, -1) {
		name := "br-" + string(match[1])
		if _, err := os.Stat("/sys/class/net/" + name); err != nil {
			continue
		}
		//nolint:noctx // it must be done also when the test's context has ended
		if out, err := exec.Command("ip", "link", "delete", name).CombinedOutput(); err != nil {
			return fmt.Errorf("delete network interface %s: %w: %s", name, err, bytes.TrimSpace(out))
		}
	}
	return nil
}

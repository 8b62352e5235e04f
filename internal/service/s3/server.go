package s3

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"upkeep/internal/command"
	"upkeep/internal/service"
)

// server is a disposable MinIO on a port of this machine only, with keys that nobody
// else knows, in a directory of its own.
type server struct {
	program         string
	dir             string
	remove          func() error
	address         string
	access, private string
	owner           *syscall.Credential // nil = as upkeep itself

	pid  int
	done chan struct{} // closed when the process has ended
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }
func (s *server) log() string  { return filepath.Join(s.dir, "log") }

// newServer takes a directory and makes it ready.
func (in *Instance) newServer(program string) (*server, error) {
	owner, err := command.Unprivileged("minio-user", "minio", "nobody")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, service.ErrNoScratch)
	}
	dir, remove, err := in.env.Dir(scratchPurpose)
	if err != nil {
		return nil, fmt.Errorf("make room for a scratch server: %w", err)
	}
	s := &server{program: program, dir: dir, remove: remove, owner: owner, access: rand.Text()[:20], private: rand.Text()}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(err, remove())
	}
	return s, nil
}

func (s *server) prepare() error {
	if err := os.Mkdir(s.data(), 0o700); err != nil {
		return fmt.Errorf("make the data directory of the scratch server: %w", err)
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	s.address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	return errors.Join(s.own(s.data()), s.own(s.dir))
}

func (s *server) own(path string) error {
	if s.owner == nil {
		return nil
	}
	if err := os.Chown(path, int(s.owner.Uid), int(s.owner.Gid)); err != nil {
		return fmt.Errorf("hand %s over to the scratch server: %w", path, err)
	}
	return nil
}

// freePort may be taken by another program before the server starts: that is then
// found out, because nobody else knows the keys.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// environment holds the keys: argv is readable for every user. Nothing is served but
// S3, and the server asks nobody for updates.
func (s *server) environment() []string {
	return []string{"LC_ALL=C", "HOME=" + s.dir, "MINIO_ROOT_USER=" + s.access, "MINIO_ROOT_PASSWORD=" + s.private,
		"MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CALLHOME_ENABLE=off", "MINIO_SCANNER_SPEED=slowest"}
}

// start runs the program until stop, or until upkeep ends in whatever way.
func (s *server) start(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	out, err := os.OpenFile(s.log(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of the scratch server: %w", err)
	}
	cmd := exec.Command(s.program, "server", "--quiet", "--address", s.address, s.data())
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.dir, s.environment(), out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: s.owner, Setpgid: true}
	s.done = make(chan struct{})
	started := make(chan error, 1)
	go func() {
		// The signal of the parent's death comes when this thread ends.
		runtime.LockOSThread()
		defer close(s.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // the log says why it ended
		}
	}()
	if err := errors.Join(<-started, out.Close()); err != nil {
		return fmt.Errorf("start the scratch server: %w: %w", err, service.ErrNoScratch)
	}
	s.pid = cmd.Process.Pid
	return nil
}

func (s *server) running() bool {
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// stop kills: there is nothing to lose.
func (s *server) stop() error {
	if s.done == nil || s.pid == 0 || !s.running() {
		return nil
	}
	if err := syscall.Kill(s.pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("end the scratch server: %w", err)
	}
	<-s.done
	return nil
}

// await polls until the server answers to its keys.
func (s *server) await(ctx context.Context, in *Instance) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := in.ready(ctx)
		if err == nil {
			return nil
		}
		if !errors.Is(err, service.ErrUnreachable) {
			return fmt.Errorf("another program answers in place of the scratch server: %w: %w", err, service.ErrNoScratch)
		}
		select {
		case <-s.done:
			return s.deathCause()
		case <-ctx.Done():
			return fmt.Errorf("wait for the scratch server: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// deathCause reads the last line of the log.
func (s *server) deathCause() error {
	said, err := os.ReadFile(s.log())
	if err != nil {
		return fmt.Errorf("the scratch server ended: %w", err)
	}
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	return fmt.Errorf("the scratch server ended: %s: %w", lines[len(lines)-1], service.ErrNoScratch)
}

package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
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

// server is a disposable redis-server on a socket in a directory of its own. It
// believes to be a replica that cannot reach its primary, because a primary
// drops keys whose time has come while it loads a file, and a replica leaves
// that to its primary.
type server struct {
	program   string
	dir       string
	remove    func() error
	password  string
	databases int
	owner     *syscall.Credential // nil = as upkeep itself

	pid  int
	done chan struct{} // closed when the process has ended
}

func (s *server) socket() string { return filepath.Join(s.dir, "s") }
func (s *server) rdb() string    { return filepath.Join(s.dir, partName) }
func (s *server) log() string    { return filepath.Join(s.dir, "log") }

// configuration goes into a file: argv is readable for every user. The primary is
// a port of this machine that is reserved for root and where nobody answers.
func (s *server) configuration() string {
	return strings.Join([]string{
		"port 0", "unixsocket " + strconv.Quote(s.socket()), "unixsocketperm 700",
		"dir " + strconv.Quote(s.dir), "dbfilename " + partName, `save ""`, "appendonly no",
		"databases " + strconv.Itoa(s.databases), "maxmemory 0", "daemonize no",
		"requirepass " + s.password, "masterauth " + s.password,
		"replicaof 127.0.0.1 1", "replica-serve-stale-data yes", "replica-read-only no", "",
	}, "\n")
}

// prepare fills the directory and hands it over to the user of the server.
func (s *server) prepare() error {
	path := filepath.Join(s.dir, "redis.conf")
	if err := os.WriteFile(path, []byte(s.configuration()), 0o600); err != nil {
		return fmt.Errorf("configure the scratch server: %w", err)
	}
	return errors.Join(s.own(path), s.own(s.dir))
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

// start runs the program until stop, or until upkeep ends in whatever way.
func (s *server) start() error {
	out, err := os.OpenFile(s.log(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of the scratch server: %w", err)
	}
	cmd := exec.Command(s.program, filepath.Join(s.dir, "redis.conf"))
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.dir, []string{"LC_ALL=C"}, out, out
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
	err = errors.Join(<-started, out.Close())
	if err != nil {
		return fmt.Errorf("start the scratch server: %w", err)
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
	if s.done == nil || !s.running() {
		return nil
	}
	if err := syscall.Kill(s.pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("end the scratch server: %w", err)
	}
	<-s.done
	return nil
}

// await polls until the server has loaded its file and answers.
func (s *server) await(ctx context.Context, in *Instance) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := in.ping(ctx)
		if err == nil {
			return nil
		}
		if !isLoading(err) && !errors.Is(err, service.ErrUnreachable) {
			return err
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

func (in *Instance) ping(ctx context.Context) (err error) {
	c, err := in.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	_, err = c.do("PING")
	return err
}

// deathCause reads the log.
func (s *server) deathCause() error {
	text, err := os.ReadFile(s.log())
	if err != nil {
		return fmt.Errorf("the scratch server ended: %w", err)
	}
	said := string(text)
	why := lastWord(said)
	switch {
	case strings.Contains(said, "handle RDB format version"):
		return fmt.Errorf("the scratch server is older than the copy: %s: %w", why, service.ErrNoScratch)
	case strings.Contains(said, "module data I can't load"):
		return fmt.Errorf("the scratch server lacks a module: %s: %w", why, service.ErrNoScratch)
	case !strings.Contains(said, "RDB") && !strings.Contains(said, "loading DB"):
		return fmt.Errorf("the scratch server ended: %s: %w", why, service.ErrNoScratch)
	}
	return &service.Fault{ID: "redis.copy-does-not-load", Args: service.Args{"detail": why},
		Err: fmt.Errorf("the scratch server ended: %s: %w", why, service.ErrDamaged)}
}

// lastWord is the line of a log that says why the server ended: the one below the
// title of a broken file, else the last one.
func lastWord(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	for i, line := range lines[:len(lines)-1] {
		if strings.Contains(line, "RDB ERROR DETECTED") {
			return lines[i+1]
		}
	}
	return lines[len(lines)-1]
}

// newServer takes a directory and makes it ready.
func (in *Instance) newServer(program string, databases int) (*server, error) {
	owner, err := command.Unprivileged("redis", "valkey", "nobody")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, service.ErrNoScratch)
	}
	dir, remove, err := in.env.Dir(scratchPurpose)
	if err != nil {
		return nil, fmt.Errorf("make room for a scratch server: %w", err)
	}
	s := &server{program: program, dir: dir, remove: remove, password: rand.Text(), databases: databases, owner: owner}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(err, remove())
	}
	return s, nil
}

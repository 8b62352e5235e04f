package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/shirou/gopsutil/v4/mem"

	"upkeep/internal/service"
)

// scratchServer is a server in a directory of ours that dies with us.
type scratchServer struct {
	env      service.Env
	major    int
	program  string // path of postgres
	user     *account
	dir      string // holds data, the socket and the log
	remove   func() error
	password string
	process  *exec.Cmd
	ended    chan struct{} // closed when the process is gone
}

const (
	scratchPort = "5432" // only in the name of the socket
	// stopPatience is how long a server gets to end after SIGQUIT, which saves nothing.
	stopPatience = 10 * time.Second
	poll         = 20 * time.Millisecond
)

// account is the user a server runs as; nil stands for ourselves. PostgreSQL
// refuses to run as root.
type account struct {
	name     string
	uid, gid uint32
}

func serverUser() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(found.Uid, 10, 32)
		if err != nil {
			continue
		}
		gid, err := strconv.ParseUint(found.Gid, 10, 32)
		if err != nil {
			continue
		}
		return &account{name: name, uid: uint32(uid), gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("a server cannot run as root and there is neither a user postgres nor nobody: %w", service.ErrNoScratch)
}

func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	return os.Chown(path, int(a.uid), int(a.gid))
}

func (s *scratchServer) data() string { return filepath.Join(s.dir, "data") }
func (s *scratchServer) log() string  { return filepath.Join(s.dir, "log") }

// initialise makes a cluster whose first superuser has the name of the source's:
// what that role granted can be granted by it again.
func (s *scratchServer) initialise(ctx context.Context, superuser string) error {
	secret := filepath.Join(s.dir, "password")
	if err := os.WriteFile(secret, []byte(s.password+"\n"), 0o600); err != nil {
		return err
	}
	for _, path := range []string{s.dir, secret} {
		if err := s.user.own(path); err != nil {
			return err
		}
	}
	args := []string{"-D", s.data(), "-U", superuser, "--pwfile", secret, "-A", "scram-sha-256",
		"-E", "UTF8", "--locale", "C", "--no-sync"}
	if s.major >= 18 {
		args = append(args, "--no-data-checksums")
	}
	cmd := service.Cmd{Program: "initdb", Major: s.major, Args: args, Dir: s.dir}
	if s.user != nil {
		cmd.User = s.user.name
	}
	return errors.Join(s.env.Run(ctx, cmd), os.Remove(secret))
}

// configure trades durability, which a scratch server does not need, for speed.
func (s *scratchServer) configure(libraries []string) error {
	total := int64(1 << 30)
	if memory, err := mem.VirtualMemory(); err == nil {
		total = int64(memory.Total)
	}
	megabytes := func(n int64) string { return fmt.Sprintf("%dMB", n>>20) }
	settings := [][2]string{
		{"listen_addresses", ""}, {"port", scratchPort}, {"unix_socket_directories", s.dir}, {"unix_socket_permissions", "0700"},
		{"fsync", "off"}, {"synchronous_commit", "off"}, {"full_page_writes", "off"},
		{"wal_level", "minimal"}, {"max_wal_senders", "0"}, {"max_wal_size", "4GB"}, {"checkpoint_timeout", "1h"},
		{"autovacuum", "off"}, {"max_connections", "20"}, {"max_locks_per_transaction", "1024"},
		{"shared_buffers", megabytes(min(max(total/8, 64<<20), 1<<30))},
		{"maintenance_work_mem", megabytes(min(max(total/16, 64<<20), 512<<20))},
		{"logging_collector", "off"}, {"lc_messages", "C"},
		{"shared_preload_libraries", strings.Join(libraries, ",")},
		{"cron.launch_active_jobs", "off"}, // jobs of pg_cron that come with the copy must not run here
	}
	file, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	for _, setting := range settings {
		_, writing := fmt.Fprintf(file, "%s = '%s'\n", setting[0], strings.ReplaceAll(setting[1], "'", "''"))
		err = errors.Join(err, writing)
	}
	return errors.Join(err, file.Close())
}

// start runs the server until close and waits until answers does.
func (s *scratchServer) start(ctx context.Context, answers func(context.Context) error) error {
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the server has its own handle
	s.process = exec.Command(s.program, "-D", s.data())
	s.process.Dir, s.process.Stdout, s.process.Stderr = s.dir, log, log
	s.process.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	s.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGQUIT}
	if s.user != nil {
		s.process.SysProcAttr.Credential = &syscall.Credential{Uid: s.user.uid, Gid: s.user.gid}
	}
	s.ended = make(chan struct{})
	if err := s.launch(); err != nil {
		return fmt.Errorf("start the scratch server: %w", err)
	}
	return s.await(ctx, answers)
}

// launch keeps the thread that started the server until the server has ended: the
// kernel sends Pdeathsig when that thread dies, not the process.
func (s *scratchServer) launch() error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(s.ended)
		err := s.process.Start()
		started <- err
		if err == nil {
			// The exit status of a server that is ended by SIGQUIT says nothing.
			_ = s.process.Wait()
		}
	}()
	return <-started
}

func (s *scratchServer) await(ctx context.Context, answers func(context.Context) error) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		err := answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("the scratch server ended at once: %w: %s", service.ErrNoScratch, s.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("the scratch server does not answer: %w", errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}

// lastWords is the end of the log.
func (s *scratchServer) lastWords() string {
	text, err := os.ReadFile(s.log())
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-2000):]))
}

// close ends the server without saving anything and removes every trace of it.
func (s *scratchServer) close() error {
	if s.ended != nil && s.process.Process != nil {
		_ = s.process.Process.Signal(syscall.SIGQUIT) // it may be gone already
		select {
		case <-s.ended:
		case <-time.After(stopPatience):
			_ = s.process.Process.Kill()
			<-s.ended
		}
	}
	return s.remove()
}

// endProcess ends a process of a killed run for as long as it is the one that is
// meant: with SIGQUIT, and with SIGKILL when that does not help.
func endProcess(ctx context.Context, pid int, isIt func() bool) error {
	for _, sig := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGKILL} {
		if !isIt() {
			return nil
		}
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
		for deadline := time.Now().Add(stopPatience); isIt() && time.Now().Before(deadline); {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(poll):
			}
		}
	}
	if isIt() {
		return errors.New("it does not end")
	}
	return nil
}

package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Server is one private server.
type Server struct {
	Component    string // "postgres", "redis", "amqp", "celery", "smtp", "neo4j" or "minio"
	Host         string // always 127.0.0.1
	Port         int
	User         string // superuser of PostgreSQL; empty for Redis
	Password     string
	PasswordFile string // holds Password, mode 0600, owned by us; empty when there is no password
	Dir          string // of this server: its data, log and, for PostgreSQL, socket
	Data         string // data directory, which belongs to the server's user
	Management   string // address of RabbitMQ's HTTP API

	fresh    func(ctx context.Context) error // makes Dir with an empty store; nil for programs that keep nothing
	argv     func(port int) []string
	ready    func(ctx context.Context, s *Server) error
	stop     syscall.Signal
	account  *account
	detached bool
	// killed says that the end of a test kills it: nothing outlives that, and an end in
	// good order takes seconds.
	killed bool
	proc   *process

	control func(port int, args []string) []string // argv of RabbitMQ's control program
	besides []string                               // a program that the server needs beside it: RabbitMQ's port mapper
	beside  *process
}

// stopPatience is what a server gets to end by itself: Neo4j takes 12 s on a free
// machine, and tests run side by side.
const stopPatience = 60 * time.Second

// errPortTaken makes start look for another port.
var errPortTaken = errors.New("the port was taken by another program")

// Addr is HOST:PORT.
func (s *Server) Addr() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// URL is the address without the password, as it stands in an upkeep.yaml.
// database is a database of PostgreSQL or a number for Redis.
func (s *Server) URL(database string) string {
	u := url.URL{Scheme: s.Component, Host: s.Addr(), Path: "/" + database}
	if s.User != "" {
		u.User = url.User(s.User)
	}
	return u.String()
}

// DSN is URL with the password, for clients inside the program only.
func (s *Server) DSN(database string) string {
	u := url.URL{Scheme: s.Component, Host: s.Addr(), Path: "/" + database}
	if s.Password != "" || s.User != "" {
		u.User = url.UserPassword(s.User, s.Password)
	}
	return u.String()
}

// Log returns what the server has written so far.
func (s *Server) Log() string {
	text, err := os.ReadFile(s.logFile())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// PID is the process ID of the server, 0 when it does not run.
func (s *Server) PID() int {
	if s.proc == nil || s.proc.ended() {
		return 0
	}
	return s.proc.pid
}

// Start brings a server up again, with its data and on its port, after Stop or Kill.
func (s *Server) Start(ctx context.Context) error {
	if s.PID() != 0 {
		return fmt.Errorf("%s on port %d runs already", s.Component, s.Port)
	}
	if err := s.startBeside(); err != nil {
		return err
	}
	proc, err := launch(s.argv(s.Port), s.account, s.logFile(), s.detached)
	if err != nil {
		return errors.Join(err, s.endBeside())
	}
	s.proc = proc
	if err := s.await(ctx); err != nil {
		return errors.Join(err, s.Kill())
	}
	return nil
}

// Renew puts a new, empty server in its place: same address and password, as on a
// machine that was set up again.
func (s *Server) Renew(ctx context.Context) error {
	if s.fresh == nil {
		return fmt.Errorf("%s keeps nothing that could be new", s.Component)
	}
	if err := errors.Join(s.Kill(), os.RemoveAll(s.Dir)); err != nil {
		return err
	}
	if err := s.fresh(ctx); err != nil {
		return err
	}
	return s.Start(ctx)
}

// Stop ends the server in good order; it may be called again.
func (s *Server) Stop() error {
	if s.PID() == 0 {
		return nil
	}
	if err := s.Resume(); err != nil { // a stopped process hears nothing but SIGKILL
		return err
	}
	return errors.Join(s.proc.end(s.stop, stopPatience), s.endBeside())
}

// end is that of the test for which the server was started.
func (s *Server) end() error {
	if s.killed {
		return s.Kill()
	}
	return s.Stop()
}

func (s *Server) startBeside() (err error) {
	if len(s.besides) == 0 {
		return nil
	}
	s.beside, err = launch(s.besides, s.account, s.logFile()+".beside", s.detached)
	return err
}

func (s *Server) endBeside() error {
	if s.beside == nil {
		return nil
	}
	return s.beside.end(syscall.SIGKILL, stopPatience)
}

// Kill ends the server and all its processes at once, as a power failure would. The
// server is stopped first: one that makes a child while its others are killed would
// leave that behind, with the shared memory the next start finds in use.
func (s *Server) Kill() error {
	pid := s.PID()
	if pid == 0 {
		return nil
	}
	err := signal(pid, syscall.SIGSTOP)
	children := family(pid)
	err = errors.Join(err, signalAll(append(children, pid), syscall.SIGKILL))
	<-s.proc.done
	return errors.Join(err, gone(children), s.endBeside())
}

// gone waits until the kernel has cleared processes away.
func gone(pids []int) error {
	end := time.Now().Add(stopPatience)
	for _, pid := range pids {
		for ; alive(pid); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				return fmt.Errorf("process %d does not end although it was killed", pid)
			}
		}
	}
	return nil
}

// Pause stops all processes of the server: connections are accepted by the kernel
// and nothing answers, as with a machine that swaps.
func (s *Server) Pause() error { return s.signalFamily(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *Server) Resume() error { return s.signalFamily(syscall.SIGCONT) }

func (s *Server) signalFamily(sig syscall.Signal) error {
	pid := s.PID()
	if pid == 0 {
		return fmt.Errorf("%s on port %d does not run", s.Component, s.Port)
	}
	return signalAll(append([]int{pid}, family(pid)...), sig)
}

func (s *Server) logFile() string { return filepath.Join(s.Dir, "log") }

// startOnFreePort tries a few ports: another program may take one between our
// look and the server's.
func (s *Server) startOnFreePort(ctx context.Context) error {
	var err error
	for range 5 {
		if s.Port, err = freePort(ctx); err != nil {
			return err
		}
		if err = s.Start(ctx); err == nil || ctx.Err() != nil {
			return err
		}
		if !taken(ctx, s.Addr()) {
			return err
		}
		err = errors.Join(errPortTaken, err)
	}
	return err
}

// taken reports whether somebody answers at an address.
func taken(ctx context.Context, addr string) bool {
	d := net.Dialer{Timeout: time.Second}
	conn, err := d.DialContext(ctx, "tcp", addr)
	return err == nil && conn.Close() == nil
}

func freePort(ctx context.Context) (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}

// await polls until the server answers a real question or has ended.
func (s *Server) await(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		if last = s.ready(ctx, s); last == nil {
			return nil
		}
		select {
		case <-s.proc.done:
			return fmt.Errorf("%s ended at once (%w):\n%s", s.Component, s.proc.err, s.Log())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", s.Component, errors.Join(ctx.Err(), last))
		case <-tick.C:
		}
	}
}

// writeSecret keeps a password where a reference file:PATH can name it.
func writeSecret(path, value string) error {
	if err := os.WriteFile(path, []byte(value+"\n"), 0o600); err != nil {
		return fmt.Errorf("keep a password: %w", err)
	}
	return nil
}

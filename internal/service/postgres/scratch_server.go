package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"upkeep/internal/sandbox"
	"upkeep/internal/service"
)

// scratchServer is a server in a sandbox of ours that dies with us.
type scratchServer struct {
	box      *sandbox.Sandbox
	major    int
	password string
}

const (
	scratchPort = "5432" // only in the name of the socket
	// stopPatience is how long a server gets to end after SIGQUIT, which saves nothing.
	stopPatience = 10 * time.Second
	poll         = 20 * time.Millisecond
)

func (s *scratchServer) data() string { return filepath.Join(s.box.Dir, "data") }

// initialise makes a cluster whose first superuser has the name of the source's:
// what that role granted can be granted by it again.
func (s *scratchServer) initialise(ctx context.Context, superuser string) error {
	secret := filepath.Join(s.box.Dir, "password")
	if err := os.WriteFile(secret, []byte(s.password+"\n"), 0o600); err != nil {
		return err
	}
	if err := s.box.Hand(secret); err != nil {
		return err
	}
	args := []string{"-D", s.data(), "-U", superuser, "--pwfile", secret, "-A", "scram-sha-256",
		"-E", "UTF8", "--locale", "C", "--no-sync"}
	if s.major >= 18 {
		args = append(args, "--no-data-checksums")
	}
	return errors.Join(s.box.Run(ctx, service.Cmd{Program: "initdb", Major: s.major, Args: args, Dir: s.box.Dir}), os.Remove(secret))
}

// configure trades durability, which a scratch server does not need, for speed.
func (s *scratchServer) configure(libraries []string) error {
	megabytes := func(n int64) string { return fmt.Sprintf("%dMB", n>>20) }
	settings := [][2]string{
		{"listen_addresses", ""}, {"port", scratchPort}, {"unix_socket_directories", s.box.Dir}, {"unix_socket_permissions", "0700"},
		{"fsync", "off"}, {"synchronous_commit", "off"}, {"full_page_writes", "off"},
		{"wal_level", "minimal"}, {"max_wal_senders", "0"}, {"max_wal_size", "4GB"}, {"checkpoint_timeout", "1h"},
		{"autovacuum", "off"}, {"max_connections", "20"}, {"max_locks_per_transaction", "1024"},
		{"shared_buffers", megabytes(min(max(s.box.Memory/8, 64<<20), 1<<30))},
		{"maintenance_work_mem", megabytes(min(max(s.box.Memory/16, 64<<20), 512<<20))},
		{"logging_collector", "off"}, {"lc_messages", "C"},
		{"shared_preload_libraries", strings.Join(libraries, ",")},
		{"cron.launch_active_jobs", "off"}, // jobs of pg_cron that come with the copy must not run here
	}
	if s.contained() {
		settings = append(settings, [2]string{"dynamic_shared_memory_type", "mmap"}) // a container has 64 MiB of the other sort
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

// contained reports whether it runs in a container.
func (s *scratchServer) contained() bool { return s.box.Place != service.Place{} }

// start runs the server until close and waits until answers does.
func (s *scratchServer) start(ctx context.Context, answers func(context.Context) error) error {
	running := s.box.Start(ctx, service.Cmd{Program: s.box.Program, Args: []string{"-D", s.data()}, Dir: s.box.Dir,
		Env: []string{"LC_ALL=C"}, End: syscall.SIGQUIT})
	return running.Await(ctx, poll, func(ctx context.Context) (again bool, err error) { return true, answers(ctx) })
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

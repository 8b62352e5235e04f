package neo4j

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	driver "github.com/neo4j/neo4j-go-driver/v5/neo4j"
	"github.com/neo4j/neo4j-go-driver/v5/neo4j/config"

	"upkeep/internal/command"
	"upkeep/internal/service"
)

// Every new server has this login, whose password has to be changed at once.
const firstLogin = "neo4j"

const poll = 200 * time.Millisecond

// scratchServer is a disposable server in a directory of its own.
type scratchServer struct {
	program  string
	dir      string
	remove   func() error
	address  string
	database string
	password string
	owner    *syscall.Credential // nil = as upkeep itself

	pid  int
	done chan struct{} // closed when the process has ended
}

func (in *Instance) newScratchServer(ctx context.Context, program, database string) (*scratchServer, error) {
	owner, err := command.Unprivileged("neo4j", "nobody")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, service.ErrNoScratch)
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	dir, remove, err := in.env.Dir(scratchPurpose)
	if err != nil {
		return nil, fmt.Errorf("make room for a scratch server: %w", err)
	}
	s := &scratchServer{program: program, dir: dir, remove: remove, address: address,
		database: cmp.Or(database, "neo4j"), password: rand.Text(), owner: owner}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(err, remove())
	}
	return s, nil
}

// freeAddress is one that nobody listens on now. If somebody takes it before the
// server does, the server ends and says so.
func freeAddress(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// directories that the server would else look for in its installation.
var directories = []string{"data", "logs", "run", "import", "plugins", "licenses", "conf"}

// settings bound the memory: a graph of any size is read and written in pieces.
func (s *scratchServer) settings() string {
	lines := []string{
		"server.bolt.listen_address=" + s.address, "server.bolt.advertised_address=" + s.address,
		"server.http.enabled=false", "server.https.enabled=false",
		"server.memory.heap.initial_size=256m", "server.memory.heap.max_size=512m", "server.memory.pagecache.size=128m",
		"server.jvm.additional=-XX:+UseSerialGC",
		"initial.dbms.default_database=" + s.database, "dbms.usage_report.enabled=false",
	}
	for _, name := range directories[:len(directories)-1] {
		lines = append(lines, "server.directories."+name+"="+filepath.Join(s.dir, name))
	}
	return strings.Join(lines, "\n") + "\n"
}

// prepare fills the directory and hands it over to the user of the server.
func (s *scratchServer) prepare() error {
	for _, name := range directories {
		if err := os.Mkdir(filepath.Join(s.dir, name), 0o700); err != nil {
			return fmt.Errorf("prepare the scratch server: %w", err)
		}
	}
	conf := filepath.Join(s.dir, "conf", "neo4j.conf")
	if err := os.WriteFile(conf, []byte(s.settings()), 0o600); err != nil {
		return fmt.Errorf("configure the scratch server: %w", err)
	}
	return s.own()
}

// own gives everything in the directory to the user of the server.
func (s *scratchServer) own() error {
	if s.owner == nil {
		return nil
	}
	return filepath.WalkDir(s.dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, int(s.owner.Uid), int(s.owner.Gid))
	})
}

func (s *scratchServer) log() string { return filepath.Join(s.dir, "log") }

// start runs the program until stop, or until upkeep ends in whatever way.
func (s *scratchServer) start() error {
	out, err := os.OpenFile(s.log(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of the scratch server: %w", err)
	}
	cmd := exec.Command(s.program, "console") //nolint:noctx // the server outlives the context of its start
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, out, out
	cmd.Env = []string{"LC_ALL=C.UTF-8", "PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "NEO4J_CONF=" + filepath.Join(s.dir, "conf")}
	if java := os.Getenv("JAVA_HOME"); java != "" {
		cmd.Env = append(cmd.Env, "JAVA_HOME="+java)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: s.owner, Setpgid: true}
	s.done = make(chan struct{})
	started := make(chan error, 1)
	go func() {
		// The signal of the parent's death comes when this thread ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(s.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // the log says why it ended
		}
	}()
	if err := errors.Join(<-started, out.Close()); err != nil {
		return fmt.Errorf("start the scratch server: %w", err)
	}
	s.pid = cmd.Process.Pid
	return nil
}

// stop kills the launcher and the server it started: there is nothing to lose.
func (s *scratchServer) stop() error {
	if s.pid == 0 {
		return nil
	}
	if err := syscall.Kill(-s.pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("end the scratch server: %w", err)
	}
	<-s.done
	s.pid = 0 // the number may be somebody else's from now on
	return nil
}

// await gives the server its password and waits until the database is there.
func (s *scratchServer) await(ctx context.Context, in *Instance) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	mine := false
	for {
		var err error
		if !mine {
			err = s.takeOver(ctx)
			mine = err == nil
		}
		if mine {
			if err = in.online(ctx); err == nil || errors.Is(err, service.ErrDamaged) {
				return err
			}
		}
		select {
		case <-s.done:
			return fmt.Errorf("the scratch server ended: %s: %w", s.lastWords(), service.ErrNoScratch)
		case <-ctx.Done():
			return fmt.Errorf("wait for the scratch server: %w: %w", ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// takeOver sets the password of the first login. Somebody else of this machine who
// does so before us has a server without data, and we have none.
func (s *scratchServer) takeOver(ctx context.Context) error {
	d, err := driver.NewDriverWithContext("bolt://"+s.address, driver.BasicAuth(firstLogin, firstLogin, ""), func(c *config.Config) {
		c.SocketConnectTimeout, c.ConnectionAcquisitionTimeout, c.MaxTransactionRetryTime = time.Second, connectPatience, 0
		c.TelemetryDisabled = true
	})
	if err != nil {
		return err
	}
	l := &link{driver: d, name: system, host: s.address}
	_, err = l.inTransaction(ctx, func(tx driver.ManagedTransaction) (any, error) {
		result, err := tx.Run(ctx, "ALTER CURRENT USER SET PASSWORD FROM $old TO $new", map[string]any{"old": firstLogin, "new": s.password})
		if err != nil {
			return nil, err
		}
		return result.Consume(ctx)
	})
	return errors.Join(err, l.close(ctx))
}

func (in *Instance) online(ctx context.Context) error {
	return in.with(ctx, func(l *link) error {
		db, err := l.database(ctx)
		if err == nil && !db.online() && db.statusMsg != "" {
			err = fmt.Errorf("database %s is %s: %s: %w", db.name, db.status, db.statusMsg, service.ErrDamaged)
		} else if err == nil && !db.online() {
			err = fmt.Errorf("database %s is %s: %w", db.name, db.status, service.ErrUnreachable)
		}
		return err
	})
}

// lastWords is the end of the log.
func (s *scratchServer) lastWords() string {
	text, err := os.ReadFile(s.log())
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-1000):]))
}

package neo4j

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	driver "github.com/neo4j/neo4j-go-driver/v5/neo4j"
	"github.com/neo4j/neo4j-go-driver/v5/neo4j/config"

	"upkeep/internal/sandbox"
	"upkeep/internal/service"
)

// Every new server has this login, whose password has to be changed at once.
const firstLogin = "neo4j"

const poll = 200 * time.Millisecond

// scratchServer is a disposable server in a sandbox of its own.
type scratchServer struct {
	box      *sandbox.Sandbox
	listen   string // its address where it runs
	address  string // and from here
	database string
	password string
	running  *sandbox.Server
}

// memory is what a container needs for heap, page cache and the virtual machine, in
// bytes.
const memory = 1 << 30

func (in *Instance) newScratchServer(ctx context.Context, version, database string) (*scratchServer, error) {
	box, err := sandbox.Open(ctx, in.env, sandbox.Wanted{Purpose: scratchPurpose, Users: []string{"neo4j", "nobody"}, Memory: memory,
		Choose: func(ctx context.Context, find sandbox.Find) (string, error) {
			return scratchProgram(ctx, find, version)
		}})
	if err != nil {
		return nil, err
	}
	s := &scratchServer{box: box, database: cmp.Or(database, "neo4j"), password: rand.Text()}
	if s.listen, s.address, err = box.Address(ctx); err != nil {
		return nil, errors.Join(err, box.Close())
	}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(err, box.Close())
	}
	return s, nil
}

// directories that the server would else look for in its installation.
var directories = []string{"data", "logs", "run", "import", "plugins", "licenses", "conf"}

// settings bound the memory: a graph of any size is read and written in pieces.
func (s *scratchServer) settings() string {
	lines := []string{
		"server.bolt.listen_address=" + s.listen, "server.bolt.advertised_address=" + s.listen,
		"server.http.enabled=false", "server.https.enabled=false",
		"server.memory.heap.initial_size=256m", "server.memory.heap.max_size=512m", "server.memory.pagecache.size=128m",
		"server.jvm.additional=-XX:+UseSerialGC",
		"initial.dbms.default_database=" + s.database, "dbms.usage_report.enabled=false",
	}
	for _, name := range directories[:len(directories)-1] {
		lines = append(lines, "server.directories."+name+"="+filepath.Join(s.box.Dir, name))
	}
	return strings.Join(lines, "\n") + "\n"
}

// prepare fills the directory and hands it over to the user of the server.
func (s *scratchServer) prepare() error {
	for _, name := range directories {
		if err := os.Mkdir(filepath.Join(s.box.Dir, name), 0o700); err != nil {
			return fmt.Errorf("prepare the scratch server: %w", err)
		}
	}
	conf := filepath.Join(s.box.Dir, "conf", "neo4j.conf")
	if err := os.WriteFile(conf, []byte(s.settings()), 0o600); err != nil {
		return fmt.Errorf("configure the scratch server: %w", err)
	}
	return s.own()
}

// own gives everything in the directory to the user of the server.
func (s *scratchServer) own() error {
	return filepath.WalkDir(s.box.Dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return s.box.Hand(path)
	})
}

// start runs the program until the sandbox is closed, or until upkeep ends in
// whatever way.
func (s *scratchServer) start(ctx context.Context) {
	env := []string{"HOME=" + s.box.Dir, "NEO4J_CONF=" + filepath.Join(s.box.Dir, "conf")}
	if java := os.Getenv("JAVA_HOME"); java != "" && s.box.Place == (service.Place{}) {
		env = append(env, "JAVA_HOME="+java)
	}
	s.running = s.box.Start(ctx, service.Cmd{Program: s.box.Program, Args: []string{"console"}, Dir: s.box.Dir, Env: env, End: syscall.SIGKILL})
}

// await gives the server its password and waits until the database is there.
func (s *scratchServer) await(ctx context.Context, in *Instance) error {
	mine := false
	return s.running.Await(ctx, poll, func(ctx context.Context) (again bool, err error) {
		if !mine {
			if err := s.takeOver(ctx); err != nil {
				return true, err
			}
			mine = true
		}
		err = in.online(ctx)
		return !errors.Is(err, service.ErrDamaged), err
	})
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

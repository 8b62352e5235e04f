package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"upkeep/internal/sandbox"
	"upkeep/internal/service"
)

// server is a disposable redis-server on a socket in a sandbox of its own. It
// believes to be a replica that cannot reach its primary, because a primary
// drops keys whose time has come while it loads a file, and a replica leaves
// that to its primary.
type server struct {
	box       *sandbox.Sandbox
	password  string
	databases int
	running   *sandbox.Server // nil before the first start
}

func (s *server) socket() string { return filepath.Join(s.box.Dir, "s") }
func (s *server) rdb() string    { return filepath.Join(s.box.Dir, partName) }
func (s *server) conf() string   { return filepath.Join(s.box.Dir, "redis.conf") }

// configuration goes into a file: argv is readable for every user. The primary is
// a port of this machine that is reserved for root and where nobody answers.
func (s *server) configuration() string {
	return strings.Join([]string{
		"port 0", "unixsocket " + strconv.Quote(s.socket()), "unixsocketperm 700",
		"dir " + strconv.Quote(s.box.Dir), "dbfilename " + partName, `save ""`, "appendonly no",
		"databases " + strconv.Itoa(s.databases), "maxmemory 0", "daemonize no",
		"requirepass " + s.password, "masterauth " + s.password,
		"replicaof 127.0.0.1 1", "replica-serve-stale-data yes", "replica-read-only no", "",
	}, "\n")
}

// newServer takes a sandbox and makes it ready.
func (in *Instance) newServer(ctx context.Context, format string, databases int) (*server, error) {
	box, err := sandbox.Open(ctx, in.env, sandbox.Wanted{Purpose: scratchPurpose, Users: []string{"redis", "valkey", "nobody"},
		Choose: func(ctx context.Context, find sandbox.Find) (string, error) { return scratchProgram(ctx, find, format) }})
	if err != nil {
		return nil, err
	}
	s := &server{box: box, password: rand.Text(), databases: databases}
	if err := os.WriteFile(s.conf(), []byte(s.configuration()), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("configure the scratch server: %w", err), box.Close())
	}
	if err := box.Hand(s.conf()); err != nil {
		return nil, errors.Join(err, box.Close())
	}
	return s, nil
}

// start runs the program until stop, or until upkeep ends in whatever way.
func (s *server) start(ctx context.Context) {
	s.running = s.box.Start(ctx, service.Cmd{Program: s.box.Program, Args: []string{s.conf()}, Dir: s.box.Dir, End: syscall.SIGKILL})
}

// await polls until the server has loaded its file and answers.
func (s *server) await(ctx context.Context, in *Instance) error {
	err := s.running.Await(ctx, 20*time.Millisecond, func(ctx context.Context) (again bool, err error) {
		err = in.ping(ctx)
		return isLoading(err) || errors.Is(err, service.ErrUnreachable), err
	})
	var ended *sandbox.Ended
	if errors.As(err, &ended) {
		return deathCause(ended)
	}
	return err
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

// deathCause reads what the server said at its end.
func deathCause(ended *sandbox.Ended) error {
	why := lastWord(ended.Said)
	switch said := ended.Said; {
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

// lastWord is the line that says why the server ended: the one below the title of a
// broken file, else the last one.
func lastWord(said string) string {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	for i, line := range lines[:len(lines)-1] {
		if strings.Contains(line, "RDB ERROR DETECTED") {
			return lines[i+1]
		}
	}
	return lines[len(lines)-1]
}

package neo4j

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"upkeep/internal/service"
)

const (
	dumpPurpose = "dump"
	adminName   = "neo4j-admin"
)

// admin runs neo4j-admin on the files of a server that stands still: the program of
// this machine, or that of a container of the server's own image.
type admin struct {
	dir      string // private; it holds the dump
	database string
	remove   func() error

	run    func(ctx context.Context, s streams, args ...string) error
	stored func(ctx context.Context) (bytes int64, err error) // what the database takes on the server's disk
}

// streams are what the program reads and writes: dumps pass through them, because a
// program in a container may be of a user who cannot enter dir.
type streams struct {
	in  io.Reader
	out io.Writer
}

// admin finds the program while the server still runs, if it does.
func (in *Instance) admin(ctx context.Context, database string, about found) (*admin, error) {
	dir, remove, err := in.env.Dir(dumpPurpose)
	if err != nil {
		return nil, fmt.Errorf("make room for a dump: %w", err)
	}
	a := &admin{dir: dir, database: database, remove: remove}
	if in.cfg.Dump.Data == "" {
		err = in.adminInContainer(ctx, a, about.data)
	} else {
		err = in.adminHere(ctx, a, about.version)
	}
	if err != nil {
		return nil, errors.Join(err, remove())
	}
	return a, nil
}

// adminHere runs the program of this machine as the user to whom the files belong, so
// that what it makes is the server's from the beginning.
func (in *Instance) adminHere(ctx context.Context, a *admin, version string) error {
	info, err := os.Stat(filepath.Join(in.cfg.Dump.Data, "databases"))
	if err != nil {
		return &service.Fault{ID: "neo4j.no-data-directory", Args: service.Args{"path": in.cfg.Dump.Data},
			Err: fmt.Errorf("look for the server's files: %w: %w", err, service.ErrNotFound)}
	}
	program, err := in.adminProgram(ctx, version)
	if err != nil {
		return err
	}
	files := info.Sys().(*syscall.Stat_t)
	if err := configure(a.dir, files, "server.directories.data="+in.cfg.Dump.Data); err != nil {
		return err
	}
	a.run = running(in.env.Run, service.Cmd{Program: program, Env: environment(a.dir, true), Dir: a.dir,
		User: fmt.Sprintf("%d:%d", files.Uid, files.Gid), Search: true})
	a.stored = func(context.Context) (int64, error) {
		return storedHere(storeDirectories(in.cfg.Dump.Data, a.database))
	}
	if err := a.run(ctx, streams{}, "--version"); err != nil {
		return &service.Fault{ID: "neo4j.admin-not-run", Args: service.Args{"program": program, "user": files.Uid, "path": in.cfg.Dump.Data},
			Err: fmt.Errorf("run %s as user %d: %w: %w", program, files.Uid, err, service.ErrNoTool)}
	}
	return nil
}

// adminProgram is one of exactly the server's major version: a newer one would write
// what the server cannot read.
func (in *Instance) adminProgram(ctx context.Context, version string) (string, error) {
	major, _ := strconv.Atoi(majorOf(version)) // 0 when the server does not answer: any
	path, found, err := in.env.Find(ctx, adminName, major)
	if err == nil && !filepath.IsAbs(path) {
		err = fmt.Errorf("%s of this machine, which has the files: %w", adminName, service.ErrNoTool)
	}
	if err == nil && major > 0 && majorOf(found) != majorOf(version) {
		err = fmt.Errorf("%s is of version %s, the server of %s: %w", path, found, version, service.ErrNoTool)
	}
	if err != nil {
		return "", &service.Fault{ID: "neo4j.no-admin", Args: service.Args{"major": majorOf(version)}, Err: err}
	}
	return path, nil
}

// running is the program, which differs in its arguments and streams.
func running(run func(context.Context, service.Cmd) error, c service.Cmd) func(ctx context.Context, s streams, args ...string) error {
	return func(ctx context.Context, s streams, args ...string) error {
		call := c
		call.Args, call.Stdin, call.Stdout = args, s.in, s.out
		return run(ctx, call)
	}
}

// environment names the configuration in dir and bounds the memory. here says that the
// program is of this machine.
func environment(dir string, here bool) []string {
	env := []string{"NEO4J_CONF=" + filepath.Join(dir, "conf"), "HEAP_SIZE=512m"}
	if java := os.Getenv("JAVA_HOME"); java != "" && here {
		env = append(env, "JAVA_HOME="+java)
	}
	return env
}

// configure writes a neo4j.conf for the program alone: it works on the data directory
// that is named, and on nothing else of the server. What is in dir for the program
// belongs to the owner of the server's files, who passes through dir and does not see
// what else is in it.
func configure(dir string, owner *syscall.Stat_t, lines ...string) error {
	mine := []string{filepath.Join(dir, "conf", "neo4j.conf")}
	for _, name := range directories {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			return fmt.Errorf("prepare neo4j-admin: %w", err)
		}
		mine = append(mine, filepath.Join(dir, name))
		if name != "conf" && name != "data" {
			lines = append(lines, "server.directories."+name+"="+filepath.Join(dir, name))
		}
	}
	text := strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(mine[0], []byte(text), 0o600); err != nil {
		return fmt.Errorf("configure neo4j-admin: %w", err)
	}
	return handOver(dir, mine, owner)
}

func handOver(dir string, files []string, owner *syscall.Stat_t) error {
	if os.Getuid() != 0 {
		return nil // the program runs as upkeep itself
	}
	for _, path := range files {
		if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
			return fmt.Errorf("hand %s over to neo4j-admin: %w", path, err)
		}
	}
	return os.Chmod(dir, 0o711)
}

// adminInContainer runs the program of the image, with the configuration and the
// volumes of the service itself, as the user to whom the files belong.
func (in *Instance) adminInContainer(ctx context.Context, a *admin, data string) error {
	owner := ""
	run := func(ctx context.Context, c service.Cmd) error {
		return in.beside(func(containers service.Containers) (err error) {
			box, err := containers.Disposable(ctx, in.env.RunsIn.Unit, service.Disposable{Dir: a.dir, Data: true})
			if err != nil {
				return fmt.Errorf("start a container beside %s: %w", in.env.RunsIn.Unit, err)
			}
			defer func() { err = errors.Join(err, box.Close()) }()
			return box.Run(ctx, c)
		})
	}
	a.run = func(ctx context.Context, s streams, args ...string) error {
		return run(ctx, service.Cmd{Program: adminName, Args: args, User: owner, Stdin: s.in, Stdout: s.out})
	}
	a.stored = func(ctx context.Context) (int64, error) {
		return storedInside(ctx, run, storeDirectories(data, a.database))
	}
	var said bytes.Buffer
	err := run(ctx, service.Cmd{Program: "stat", Args: []string{"-c", "%u:%g", filepath.Join(data, "databases")}, Stdout: &said})
	if err != nil {
		return fmt.Errorf("ask to whom the server's files belong: %w", err)
	}
	owner = strings.TrimSpace(said.String())
	return nil
}

// beside opens what manages the server's container.
func (in *Instance) beside(do func(service.Containers) error) (err error) {
	peer, err := in.env.Peer(in.env.RunsIn.Target)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, peer.Close()) }()
	containers, err := service.As[service.Containers](peer)
	if err != nil {
		return fmt.Errorf("run %s in a container, because dump.data names no directory: %w", adminName, err)
	}
	return do(containers)
}

func (a *admin) path() string { return filepath.Join(a.dir, a.database+".dump") }

func (a *admin) dump(ctx context.Context) error {
	to, err := os.OpenFile(a.path(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = a.run(ctx, streams{out: to}, "database", "dump", a.database, "--to-stdout")
	return errors.Join(err, to.Close())
}

func (a *admin) load(ctx context.Context) error {
	from, err := os.Open(a.path())
	if err != nil {
		return err
	}
	err = a.run(ctx, streams{in: from}, "database", "load", a.database, "--from-stdin", "--overwrite-destination=true")
	return errors.Join(err, from.Close())
}

// check reads the whole store and its indexes.
func (a *admin) check(ctx context.Context) error {
	return a.run(ctx, streams{}, "database", "check", a.database, "--max-off-heap-memory=256m", "--report-path="+a.dir)
}

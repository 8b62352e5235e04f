package neo4j

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
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

	clean func() error // gives back what the program may have made as root
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
	a := &admin{dir: dir, database: database, remove: remove, clean: func() error { return nil }}
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

func (in *Instance) adminHere(ctx context.Context, a *admin, version string) error {
	if _, err := os.Stat(filepath.Join(in.cfg.Dump.Data, "databases")); err != nil {
		return &service.Fault{ID: "neo4j.no-data-directory", Args: service.Args{"path": in.cfg.Dump.Data},
			Err: fmt.Errorf("look for the server's files: %w: %w", err, service.ErrNotFound)}
	}
	program, err := in.adminProgram(ctx, version)
	if err != nil {
		return err
	}
	if err := configure(a.dir, "server.directories.data="+in.cfg.Dump.Data); err != nil {
		return err
	}
	a.run = running(in.env.Run, program, a.dir, true)
	a.stored = func(context.Context) (int64, error) {
		return storedHere(storeDirectories(in.cfg.Dump.Data, a.database))
	}
	a.clean = func() error { return sameOwner(in.cfg.Dump.Data, a.database) }
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

// running is the program with the configuration in dir and bounded memory. here says
// that it runs on this machine.
func running(run func(context.Context, service.Cmd) error, program, dir string, here bool) func(ctx context.Context, s streams, args ...string) error {
	env := []string{"NEO4J_CONF=" + filepath.Join(dir, "conf"), "HEAP_SIZE=512m"}
	if java := os.Getenv("JAVA_HOME"); java != "" && here {
		env = append(env, "JAVA_HOME="+java)
	}
	return func(ctx context.Context, s streams, args ...string) error {
		return run(ctx, service.Cmd{Program: program, Args: args, Env: env, Dir: dir, Stdin: s.in, Stdout: s.out})
	}
}

// configure writes a neo4j.conf for the program alone: it works on the data directory
// that is named, and on nothing else of the server.
func configure(dir string, lines ...string) error {
	for _, name := range directories {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			return fmt.Errorf("prepare neo4j-admin: %w", err)
		}
		if name != "conf" && name != "data" {
			lines = append(lines, "server.directories."+name+"="+filepath.Join(dir, name))
		}
	}
	text := strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(filepath.Join(dir, "conf", "neo4j.conf"), []byte(text), 0o600); err != nil {
		return fmt.Errorf("configure neo4j-admin: %w", err)
	}
	return nil
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

// sameOwner gives files of a database that root has made to the owner of the data
// directory, as whom the server runs.
func sameOwner(data, database string) error {
	info, err := os.Stat(data)
	if err != nil || os.Getuid() != 0 {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t)
	for _, dir := range []string{"databases", "transactions"} {
		err := filepath.WalkDir(filepath.Join(data, dir, database), func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, int(owner.Uid), int(owner.Gid))
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("give the files to the server's user: %w", err)
		}
	}
	return nil
}

func (a *admin) path() string { return filepath.Join(a.dir, a.database+".dump") }

func (a *admin) dump(ctx context.Context) error {
	to, err := os.OpenFile(a.path(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = a.run(ctx, streams{out: to}, "database", "dump", a.database, "--to-stdout")
	return errors.Join(err, to.Close(), a.clean())
}

func (a *admin) load(ctx context.Context) error {
	from, err := os.Open(a.path())
	if err != nil {
		return err
	}
	err = a.run(ctx, streams{in: from}, "database", "load", a.database, "--from-stdin", "--overwrite-destination=true")
	return errors.Join(err, from.Close(), a.clean())
}

// check reads the whole store and its indexes.
func (a *admin) check(ctx context.Context) error {
	return a.run(ctx, streams{}, "database", "check", a.database, "--max-off-heap-memory=256m", "--report-path="+a.dir)
}

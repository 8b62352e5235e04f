package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"upkeep/internal/command"
	"upkeep/internal/sandbox"
	"upkeep/internal/service"
)

// scratchPurpose names the directories of scratch servers.
const scratchPurpose = "postgres"

// Scratch makes an empty server of the copy's major version, on this machine or in a
// container of the server's image, reached through a Unix socket in a private
// directory only. It knows neither the address nor the password of the source.
func (in *Instance) Scratch(ctx context.Context, c service.Copy, _ service.Report) (service.Instance, error) {
	m := c.Manifest()
	s, err := in.newScratchServer(ctx, m)
	if err != nil {
		return nil, err
	}
	sibling := in.siblingAt(s, m.Attrs["bootstrap"])
	if err := sibling.raise(ctx, m); err != nil {
		return nil, errors.Join(err, s.box.Close())
	}
	return sibling, nil
}

// newScratchServer finds the programs and makes the directory.
func (in *Instance) newScratchServer(ctx context.Context, m service.Manifest) (*scratchServer, error) {
	s := &scratchServer{major: majorOf(m.Version), password: rand.Text()}
	var err error
	s.box, err = sandbox.Open(ctx, in.env, sandbox.Wanted{Purpose: scratchPurpose, Users: []string{"postgres", "nobody"},
		Choose: func(ctx context.Context, find sandbox.Find) (string, error) {
			if _, err := exactly(ctx, find, "initdb", s.major); err != nil {
				return "", err
			}
			if _, _, err := find(ctx, "pg_restore", restorerOf(m)); err != nil {
				return "", err
			}
			return exactly(ctx, find, "postgres", s.major)
		}})
	return s, err
}

// exactly finds a program of one major version: a newer server would prove
// something else than that the copy comes back where it came from.
func exactly(ctx context.Context, find sandbox.Find, program string, major int) (string, error) {
	path, version, err := find(ctx, program, major)
	if err == nil && majorOf(version) == major {
		return path, nil
	}
	if err != nil && !errors.Is(err, service.ErrNoTool) {
		return "", fmt.Errorf("look for %s %d: %w", program, major, err)
	}
	return "", &service.Fault{ID: "postgres.no-scratch-version",
		Args: service.Args{"program": program, "major": major, "found": version},
		Err:  fmt.Errorf("%s of version %d is not installed here: %w", program, major, service.ErrNoScratch)}
}

// siblingAt is the instance of a scratch server, which finds its programs where that
// runs. Its environment resolves no secrets.
func (in *Instance) siblingAt(s *scratchServer, user string) *Instance {
	address := url.URL{Scheme: "postgres", User: url.User(user), Path: "/postgres",
		RawQuery: url.Values{"host": {s.box.Dir}, "port": {scratchPort}, "sslmode": {"disable"}}.Encode()}
	return &Instance{env: s.box.Env(), cfg: Config{URL: address.String()}, scratch: s, asked: in.declaredDatabase(),
		password: func(context.Context) (string, error) { return s.password, nil }}
}

// raise makes the cluster, starts it and makes sure that the copy can go into it
// and that it is not the source.
func (in *Instance) raise(ctx context.Context, m service.Manifest) error {
	if err := in.scratch.initialise(ctx, m.Attrs["bootstrap"]); err != nil {
		return fmt.Errorf("make the scratch server: %w", err)
	}
	if err := in.scratch.configure(in.scratch.preloaded(m)); err != nil {
		return fmt.Errorf("configure the scratch server: %w", err)
	}
	if err := in.scratch.start(ctx, func(ctx context.Context) error {
		return in.with(ctx, "postgres", func(conn *pgx.Conn) error { return conn.Ping(ctx) })
	}); err != nil {
		return err
	}
	return in.with(ctx, "postgres", func(conn *pgx.Conn) error {
		s, err := describeServer(ctx, conn)
		if err != nil {
			return err
		}
		if strings.HasPrefix(m.Identity, systemOf(s)) {
			return fmt.Errorf("the scratch server answers as the source, %s: %w", systemOf(s), service.ErrNoScratch)
		}
		return extensionsAvailable(ctx, conn, m)
	})
}

// preloaded chooses the libraries that an extension of the copy may need at the
// start of the server: those that the source preloads, that carry the name of an
// installed extension and that are there: in an image of the source's, all are.
func (s *scratchServer) preloaded(m service.Manifest) (libraries []string) {
	var installed []string
	for _, e := range entriesOf(m, isExtension, "") {
		installed = append(installed, e.Attrs["extension"])
	}
	for name := range strings.SplitSeq(m.Attrs["libraries"], ",") {
		name = strings.Trim(strings.TrimSpace(name), `"`)
		if name == "" || !slices.Contains(installed, name) {
			continue
		}
		_, missing := os.Stat(filepath.Join(filepath.Dir(s.box.Program), "..", "lib", name+".so"))
		if s.contained() || missing == nil {
			libraries = append(libraries, name)
		}
	}
	return libraries
}

// extensionsAvailable reports the extensions of the copy that this machine lacks.
func extensionsAvailable(ctx context.Context, conn *pgx.Conn, m service.Manifest) error {
	available, err := values[string](ctx, conn, "SELECT name::text FROM pg_available_extensions")
	if err != nil {
		return fmt.Errorf("list available extensions: %w", err)
	}
	for _, e := range entriesOf(m, isExtension, "") {
		name := e.Attrs["extension"]
		if !slices.Contains(available, name) {
			return &service.Fault{ID: "postgres.extension-unavailable",
				Args: service.Args{"extension": name, "database": e.Attrs[attrDatabase], "major": majorOf(m.Version)},
				Err:  fmt.Errorf("extension %s is not installed here: %w", name, service.ErrNoScratch)}
		}
	}
	return nil
}

// Sweep ends and removes the scratch servers of killed runs.
func (in *Instance) Sweep(ctx context.Context) error {
	return sandbox.SweepWith(ctx, in.env, func(ctx context.Context, dir string) error {
		if err := endLeftover(ctx, filepath.Join(dir, "data")); err != nil {
			return err
		}
		return command.KillIn(dir) // what only prepared a server, and its children
	}, scratchPurpose, restorePurpose, dumpPurpose)
}

// endLeftover ends the server that runs in a data directory, if there is one. A
// process ID may have been given to somebody else since: only a process that
// stands in that very directory is the one.
func endLeftover(ctx context.Context, data string) error {
	pid, err := postmasterOf(data)
	if err != nil || pid == 0 {
		return err
	}
	if err := endProcess(ctx, pid, func() bool { return standsIn(pid, data) }); err != nil {
		return fmt.Errorf("end the scratch server %d in %s: %w", pid, data, err)
	}
	return nil
}

func postmasterOf(data string) (int, error) {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return 0, nil // killed while it wrote the file: it had not started yet
	}
	return pid, nil
}

func standsIn(pid int, data string) bool {
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	return err == nil && cwd == data
}

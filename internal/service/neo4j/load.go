package neo4j

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	driver "github.com/neo4j/neo4j-go-driver/v5/neo4j"

	"upkeep/internal/service"
)

// restoreDump replaces the database by a dump. What can be refused is refused while
// the server still runs.
func (in *Instance) restoreDump(ctx context.Context, c service.Copy, sel service.Selection, r service.Report) (err error) {
	if !sel.All() {
		return fmt.Errorf("restore %q out of a dump: %w", sel.Only, service.ErrUnsupported)
	}
	if in.env.RunsIn.Target == "" || in.cfg.Dump.StopAtMost == 0 {
		return &service.Fault{ID: "neo4j.dump-needs-stop", Args: service.Args{"target": in.env.Target},
			Err: fmt.Errorf("load a dump into a server that may not be stopped: %w", service.ErrUnsupported)}
	}
	about := in.look(ctx)
	a, err := in.admin(ctx, in.cfg.Database, about)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.remove()) }()
	if err := a.fetch(ctx, c, r); err != nil {
		return err
	}
	if err := newerThan(about.version, c.Manifest().Version); err != nil {
		return err
	}
	loading := false
	_, err = in.still(ctx, a.dir, func(ctx context.Context) error {
		loading = true
		return a.load(ctx)
	})
	if err != nil && loading {
		return &service.Fault{ID: "neo4j.load-broken-off", Args: service.Args{"database": a.database, "detail": err.Error()}, Err: err}
	}
	return err
}

// found is what a server tells of itself before it is stopped.
type found struct{ version, data string }

// dataOfImage is where servers in containers have their data, unless they say
// otherwise.
const dataOfImage = "/data"

// look asks the server as long as it answers: a database that is beyond asking is what
// a restore is for.
func (in *Instance) look(ctx context.Context) found {
	about := found{data: dataOfImage}
	_ = in.with(ctx, func(l *link) error {
		server, err := l.server(ctx)
		if about.version = server.version; err != nil {
			return err
		}
		return l.readIn(ctx, system, "SHOW SETTINGS 'server.directories.data' YIELD value", nil, func(r *driver.Record) error {
			if data, _ := r.Values[0].(string); filepath.IsAbs(data) {
				about.data = data
			}
			return nil
		})
	})
	return about
}

// newerThan refuses a dump of a newer major version than the server's.
func newerThan(server, dump string) error {
	have, err := strconv.Atoi(majorOf(server))
	if err != nil {
		return nil // it cannot be asked
	}
	if from, err := strconv.Atoi(majorOf(dump)); err == nil && from > have {
		return &service.Fault{ID: "neo4j.dump-too-new", Args: service.Args{"dump": dump, "server": server},
			Err: fmt.Errorf("a dump of Neo4j %s for a server of %s: %w", dump, server, service.ErrUnsupported)}
	}
	return nil
}

// fetch writes the dump of a copy where neo4j-admin will read it, and refuses one
// that is damaged or whose store would have to be migrated first.
func (a *admin) fetch(ctx context.Context, c service.Copy, r service.Report) (err error) {
	content, size, err := openDump(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	file, err := os.OpenFile(a.path(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	from := io.TeeReader(untilDone{ctx, content}, io.MultiWriter(file, &meter{total: size, report: r}))
	held, err := readArchive(from)
	if err != nil {
		return err
	}
	if held.legacy() {
		return &service.Fault{ID: "neo4j.dump-too-old", Args: service.Args{"format": held.store},
			Err: fmt.Errorf("the dump holds a store of format %s, which Neo4j 5 has to migrate first: %w", held.store, service.ErrUnsupported)}
	}
	_, err = io.Copy(io.Discard, from)
	return err
}

func openDump(ctx context.Context, c service.Copy) (io.ReadCloser, int64, error) {
	part, err := c.Part(ctx, dumpPart)
	if err != nil {
		return nil, 0, fmt.Errorf("find %s in the copy: %w", dumpPart, err)
	}
	content, err := part.Open(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("open %s of the copy: %w", dumpPart, err)
	}
	return content, part.Size, nil
}

// meter reports what goes by.
type meter struct {
	done, total int64
	report      service.Report
}

func (m *meter) Write(p []byte) (int, error) {
	m.done += int64(len(p))
	m.report.Add(m.done, m.total)
	return len(p), nil
}

// load puts a dump into the files of a scratch server before its first start, and
// lets Neo4j check the store: nobody waits for this one.
func (s *sibling) load(ctx context.Context, c service.Copy, sel service.Selection, r service.Report) error {
	if !sel.All() {
		return fmt.Errorf("restore %q out of a dump: %w", sel.Only, service.ErrUnsupported)
	}
	if s.srv.running != nil { // an earlier attempt began it
		if err := s.srv.running.Stop(); err != nil {
			return err
		}
	}
	box := s.srv.box
	program, _, err := box.Env().Find(ctx, filepath.Join(filepath.Dir(box.Program), adminName), 0)
	if err != nil {
		return &service.Fault{ID: "neo4j.no-admin", Args: service.Args{"major": majorOf(c.Manifest().Version)}, Err: err}
	}
	a := &admin{dir: box.Dir, database: s.srv.database}
	a.run = running(box.Run, service.Cmd{Program: program, Env: environment(a.dir, box.Place == service.Place{}), Dir: a.dir})
	if err := a.fetch(ctx, c, r); err != nil {
		return err
	}
	if err := errors.Join(a.load(ctx), os.Remove(a.path())); err != nil {
		return fmt.Errorf("load the dump: %w", err)
	}
	if err := a.check(ctx); err != nil {
		return fmt.Errorf("check the store: %w: %w", err, service.ErrDamaged)
	}
	return s.begin(ctx, c.Manifest())
}

// begin starts the scratch server over a loaded store. The number of a database comes
// with its store; that of the system database tells servers apart.
func (s *sibling) begin(ctx context.Context, m service.Manifest) error {
	s.srv.start(ctx)
	if err := s.srv.await(ctx, s.in); err != nil {
		return err
	}
	return s.in.with(ctx, func(l *link) error {
		id, err := l.systemID(ctx)
		if err == nil && id == m.Attrs[attrSystem] {
			err = fmt.Errorf("the scratch server is the target itself: %w", service.ErrNoScratch)
		}
		return err
	})
}

// loadme tells how to use a dump with stock tools. Its arguments: version, database,
// times of stop and start, nodes, relationships, store format.
const loadme = `# Dump of a Neo4j database

Database %[2]s of Neo4j %[1]s, dumped by neo4j-admin while the server was stopped, from %[3]s until %[4]s.
Its count store said %[5]d nodes and %[6]d relationships. The store is of format %[7]s. Users and roles are in the
system database and not in it.

## Load it

With the server stopped, on a server of the same or a newer version:

    neo4j-admin database load %[2]s --from-path=THIS-DIRECTORY --overwrite-destination=true

Start it and compare: MATCH (n) RETURN count(n); MATCH ()-[r]->() RETURN count(r).

## Look at it without loading

    neo4j-admin database load %[2]s --from-path=THIS-DIRECTORY --info
    neo4j-admin database check %[2]s --from-path=THIS-DIRECTORY
`

// extractDump gives the dump as it was written.
func extractDump(ctx context.Context, c service.Copy, put func(*tar.Header, io.Reader) error) (err error) {
	content, size, err := openDump(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	x := &extractor{m: c.Manifest(), put: put}
	about := x.aboutDump()
	if err := put(x.header("README.md", int64(len(about))), strings.NewReader(about)); err != nil {
		return err
	}
	return put(x.header(x.m.Attrs[attrDatabase]+".dump", size), content)
}

func (x *extractor) aboutDump() string {
	a := x.m.Attrs
	return fmt.Sprintf(loadme, x.m.Version, a[attrDatabase], a[attrStopped], a[attrStarted],
		x.m.Counts["nodes"], x.m.Counts["relationships"], a[attrStore])
}

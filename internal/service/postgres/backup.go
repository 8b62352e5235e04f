package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"upkeep/internal/service"
)

// snapshot is one consistent view per database of a server, exported by one
// transaction each. The views of several databases are opened one right after the
// other: PostgreSQL has no common one.
//
// Every row is read once: the bytes that are stored are those that are counted.
type snapshot struct {
	in       *Instance
	server   server
	dumper   int // major version of pg_dump
	taken    time.Time
	identity string
	roles    []role
	findings []service.Finding
	views    []*view
	readers  chan struct{} // how many COPY run at a time

	mu    sync.Mutex
	read  map[string]rowDigest // of parts with rows, by name
	whole map[string]string    // SHA-256 of parts that programs wrote, by name
}

// readersAtOnce is how many tables are read at a time: enough to keep the network
// and one disk busy, few enough not to be felt by the application.
const readersAtOnce = 2

// dumpsAtOnce is how many pg_dump run at a time.
const dumpsAtOnce = 2

// Snapshot opens the views. The transactions stay open until Close: they hold
// ACCESS SHARE locks and keep VACUUM from removing what they see.
func (in *Instance) Snapshot(ctx context.Context, _ service.Previous, _ service.Report) (service.Snapshot, error) {
	s := &snapshot{in: in, readers: make(chan struct{}, readersAtOnce), read: map[string]rowDigest{}, whole: map[string]string{}}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *snapshot) open(ctx context.Context) error {
	conn, missing, err := s.in.connectServer(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = goodbye(ctx, conn) }()
	if s.server, err = describeServer(ctx, conn); err != nil {
		return err
	}
	if s.dumper, err = s.in.haveDumpPrograms(ctx, s.server.Major); err != nil {
		return err
	}
	if s.roles, err = roles(ctx, conn); err != nil {
		return err
	}
	if s.server.Passwords {
		if err := addPasswords(ctx, conn, s.roles); err != nil {
			return err
		}
	}
	if s.taken, err = value[time.Time](ctx, conn, "SELECT clock_timestamp()"); err != nil {
		return fmt.Errorf("read the server's clock: %w", err)
	}
	return s.openViews(ctx, conn, missing)
}

func (s *snapshot) openViews(ctx context.Context, conn *pgx.Conn, missing string) error {
	found, absent, err := s.in.databases(ctx, conn)
	if err != nil {
		return err
	}
	if missing != "" && !slices.Contains(absent, missing) {
		absent = append(absent, missing)
	}
	var shapes []string
	for _, d := range found {
		v, err := s.in.openView(ctx, d)
		if err != nil {
			return fmt.Errorf("open a view of database %q: %w", d.Name, err)
		}
		s.views = append(s.views, v)
		shapes = append(shapes, v.shape)
	}
	s.identity = identity(s.server, found, shapes)
	s.findings = s.lacking(absent)
	return s.spoolSchemas(ctx)
}

// spoolSchemas lets pg_dump read the schemas before anybody can queue up behind
// our locks: it takes its own.
func (s *snapshot) spoolSchemas(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(dumpsAtOnce)
	for _, v := range s.views {
		group.Go(func() (err error) {
			v.schema, err = s.in.spool(ctx, s.dumpSchema(v))
			return err
		})
	}
	return group.Wait()
}

// lacking names what the copy will not hold.
func (s *snapshot) lacking(absent []string) (found []service.Finding) {
	var v service.Verdict
	for _, name := range absent {
		v.Crit("database-missing", name, service.Args{"database": name})
	}
	if !s.server.Passwords {
		v.Warn("roles-without-passwords", "", service.Args{"role": s.server.Me})
	}
	for _, view := range s.views {
		for _, pair := range view.orphaning() {
			v.Warn("exclude-breaks-keys", view.Name+"."+pair.referenced, service.Args{
				"database": view.Name, "table": pair.referenced, "by": pair.by})
		}
		var foreign []string
		for _, t := range view.tables {
			if t.Kind == foreignTable {
				foreign = append(foreign, t.Schema+"."+t.Name)
			}
		}
		if len(foreign) > 0 {
			v.Warn("foreign-tables", view.Name, service.Args{
				"database": view.Name, "count": len(foreign), "tables": strings.Join(foreign, ", ")})
		}
	}
	return v.Findings
}

// Parts lists the globals, and of every database the schema, the large objects if
// there are any, and each table that has rows of its own.
func (s *snapshot) Parts(context.Context) iter.Seq2[service.Part, error] {
	parts := []service.Part{part(globalsName, s.digested(globalsName, s.dumpGlobals))}
	for _, v := range s.views {
		parts = append(parts, part(schemaName(v.Name), s.digested(schemaName(v.Name), v.schema.content)))
		if v.largeObjects > 0 {
			parts = append(parts, part(largeObjectsName(v.Name), s.dumpLargeObjects(v)))
		}
		for _, t := range v.tables {
			if v.copies(t) {
				parts = append(parts, part(tableName(v.Name, t.Schema, t.Name), s.copyTable(v, t)))
			}
		}
	}
	slices.SortFunc(parts, func(a, b service.Part) int { return strings.Compare(a.Name, b.Name) })
	return func(yield func(service.Part, error) bool) {
		for _, p := range parts {
			if !yield(p, nil) {
				return
			}
		}
	}
}

// part makes a part of a producer. Its text is not the same twice even where the
// rows are, so it has no identity and is always read.
func part(name string, produce producer) service.Part {
	return service.Part{Name: name, Size: -1, Open: func(ctx context.Context) (io.ReadCloser, error) {
		return newStream(ctx, produce), nil
	}}
}

// digested records the digest of what a program writes: it holds no rows that
// could be counted, and a comment that changed would restore without an error.
func (s *snapshot) digested(name string, produce producer) producer {
	return func(ctx context.Context, w io.Writer) error {
		sum := sha256.New()
		if err := produce(ctx, io.MultiWriter(sum, w)); err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.whole[name] = hex.EncodeToString(sum.Sum(nil))
		return nil
	}
}

// done records what a part turned out to hold.
func (s *snapshot) done(name string, d rowDigest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read[name] = d
}

// Close ends the transactions. Readers that are still open end with an error.
func (s *snapshot) Close() error {
	var failed error
	for _, v := range s.views {
		failed = errors.Join(failed, v.close())
	}
	return failed
}

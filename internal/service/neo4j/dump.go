package neo4j

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"time"

	"upkeep/internal/service"
)

// dumpPart is the one part of a copy by dump: the file as neo4j-admin wrote it.
const dumpPart = "database.dump"

// dumpFormat is the format of such a copy.
const dumpFormat = dumped + " 1"

// Further attributes of a manifest of a dump.
const (
	attrStore   = "store"  // format of the store in it
	attrSystem  = "system" // number of the source's system database
	attrStopped = "stopped"
	attrStarted = "started"
	attrDown    = "down_s" // from the one to the other
)

// dumpedCopy is the copy of a database that stood still: it lies on the scratch disk
// until it is stored.
type dumpedCopy struct {
	admin    *admin
	manifest service.Manifest
	size     int64
}

// snapshotDump stops the server, dumps the database and starts the server again. All
// that can fail without the server being stopped is tried before.
func (in *Instance) snapshotDump(ctx context.Context) (service.Snapshot, error) {
	if err := in.Sweep(ctx); err != nil {
		return nil, fmt.Errorf("sweep what a killed run left: %w", err)
	}
	a, err := in.admin(ctx, in.cfg.Database, in.look(ctx))
	if err != nil {
		return nil, err
	}
	s := &dumpedCopy{admin: a}
	if err := s.take(ctx, in); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *dumpedCopy) take(ctx context.Context, in *Instance) error {
	if err := s.admin.room(ctx); err != nil {
		return err
	}
	before, err := in.tallied(ctx)
	if err != nil {
		return err
	}
	stood, err := in.still(ctx, s.admin.dir, s.admin.dump)
	if err != nil {
		return err
	}
	after, err := in.tallied(ctx)
	if err != nil {
		return fmt.Errorf("count again: %w", err)
	}
	store, err := s.prove(ctx)
	if err != nil {
		return err
	}
	s.describe(before, after, stood, store, in.cfg.Database)
	return nil
}

// prove reads the dump once before anybody relies on it.
func (s *dumpedCopy) prove(ctx context.Context) (a archive, err error) {
	file, err := os.Open(s.admin.path())
	if err != nil {
		return a, fmt.Errorf("open the dump: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	if err != nil {
		return a, err
	}
	s.size = info.Size()
	return readArchive(untilDone{ctx, file})
}

// untilDone ends a long read with the context.
type untilDone struct {
	ctx  context.Context
	from io.Reader
}

func (r untilDone) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.from.Read(p)
}

func (s *dumpedCopy) describe(before, after tallied, stood pause, store archive, database string) {
	stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
	s.manifest = service.Manifest{Taken: before.at, Version: before.version, Identity: before.identity, Counts: before.totals(),
		Attrs: map[string]string{attrFormat: dumpFormat, attrDatabase: database, attrStore: store.store, attrSystem: before.system,
			attrFrom: stamp(before.at), attrUntil: stamp(after.at), attrStopped: stamp(stood.from), attrStarted: stamp(stood.until),
			attrDown: strconv.FormatFloat(stood.until.Sub(stood.from).Seconds(), 'f', 1, 64)}}
	s.manifest.Counts["bytes"] = store.bytes
	entries, moved := bracket(before, after)
	if s.manifest.Entries = entries; moved > 0 {
		s.manifest.Findings = append(s.manifest.Findings, service.Finding{ID: "counts-moved", Severity: service.Warning,
			Args: service.Args{"counts": moved, "from": stamp(before.at), "until": stamp(after.at)}})
	}
}

// Parts is the dump.
func (s *dumpedCopy) Parts(context.Context) iter.Seq2[service.Part, error] {
	return func(yield func(service.Part, error) bool) {
		yield(service.Part{Name: dumpPart, Size: s.size, Open: func(context.Context) (io.ReadCloser, error) {
			return os.Open(s.admin.path())
		}}, nil)
	}
}

// Manifest is that of the stop.
func (s *dumpedCopy) Manifest(context.Context) (service.Manifest, error) { return s.manifest, nil }

// Close removes the dump. It may be called again.
func (s *dumpedCopy) Close() error { return s.admin.remove() }

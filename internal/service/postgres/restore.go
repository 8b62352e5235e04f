package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/jackc/pgx/v5"

	"upkeep/internal/sandbox"
	"upkeep/internal/service"
)

// restoring is one restore of a whole copy. Every database is built beside the one
// it replaces, which stays as it is until the new one is complete.
type restoring struct {
	in       *Instance
	from     service.Copy
	manifest service.Manifest
	server   server
	report   service.Report
	progress counter
	box      *sandbox.Sandbox // the container that pg_restore runs in; nil = this machine
}

// Restore replaces the target's databases with those of the copy, or with a
// selection the rows of the selected tables. On a declared server roles that exist
// keep what they have, missing ones come back with their passwords, and databases
// that the copy does not know are left alone.
//
// Into a scratch server rows are loaded as they are, so that Verify can name what
// differs; into a declared one only what matches the manifest.
func (in *Instance) Restore(ctx context.Context, c service.Copy, sel service.Selection, r service.Report) (err error) {
	run := &restoring{in: in, from: c, manifest: c.Manifest(), report: r}
	conn, _, err := in.connectServer(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = goodbye(ctx, conn) }()
	if run.server, err = describeServer(ctx, conn); err != nil {
		return err
	}
	if err := run.possible(ctx); err != nil {
		return err
	}
	if err := run.equip(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.unequip()) }()
	if !sel.All() {
		return run.selected(ctx, conn, sel.Only)
	}
	return run.everything(ctx, conn)
}

// possible is asked before anything is changed.
func (r *restoring) possible(ctx context.Context) error {
	major := majorOf(r.manifest.Version)
	if r.server.Major < major {
		return fmt.Errorf("a copy of PostgreSQL %s cannot go into a server of version %s: %w",
			r.manifest.Version, r.server.Version, service.ErrUnsupported)
	}
	if r.server.Standby {
		return fmt.Errorf("the server is a standby, it follows another one and cannot be restored into: %w", service.ErrUnsupported)
	}
	_, _, err := r.in.env.Find(ctx, "pg_restore", restorerOf(r.manifest))
	return err
}

// restorerOf is the lowest major version of pg_restore that reads a copy.
func restorerOf(m service.Manifest) int {
	dumper, err := strconv.Atoi(m.Attrs["pg_dump"])
	if err != nil {
		return majorOf(m.Version)
	}
	return dumper
}

func (r *restoring) everything(ctx context.Context, conn *pgx.Conn) error {
	if err := r.countBytes(ctx); err != nil {
		return err
	}
	if err := r.globals(ctx, conn); err != nil {
		return fmt.Errorf("restore roles: %w", err)
	}
	for _, e := range entriesOf(r.manifest, isDatabase, "") {
		if err := r.database(ctx, e); err != nil {
			return fmt.Errorf("restore database %q: %w", e.Attrs[attrDatabase], err)
		}
	}
	return nil
}

func (r *restoring) countBytes(ctx context.Context) error {
	for p, err := range r.from.Parts(ctx) {
		if err != nil {
			return fmt.Errorf("list the parts of the copy: %w", err)
		}
		r.progress.total += max(p.Size, 0)
	}
	return nil
}

// openPart opens the content of a part and counts what is read of it.
func (r *restoring) openPart(ctx context.Context, name string) (io.ReadCloser, error) {
	p, err := r.from.Part(ctx, name)
	if err != nil {
		return nil, err
	}
	if p.Open == nil {
		return nil, fmt.Errorf("part %q has no content: %w", name, service.ErrDamaged)
	}
	content, err := p.Open(ctx)
	if err != nil {
		return nil, err
	}
	return &counted{ReadCloser: content, to: &r.progress, report: r.report}, nil
}

// spool puts a part into a file: pg_restore works side by side, and more than
// once, only on what it can seek in.
func (r *restoring) spool(ctx context.Context, name, dir string) (path string, err error) {
	path = filepath.Join(dir, "schema.dump")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	return path, errors.Join(r.whole(ctx, name, file), file.Close(), r.hand(path))
}

// whole writes a part to w and makes sure that it is the one of the manifest.
func (r *restoring) whole(ctx context.Context, name string, w io.Writer) (err error) {
	content, err := r.openPart(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(sum, w), content); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != r.manifest.Attrs[attrDigest+name] {
		return fmt.Errorf("part %q is not what the manifest promises: %w", name, service.ErrDamaged)
	}
	return nil
}

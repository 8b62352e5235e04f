package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"

	"upkeep/internal/service"
)

// database builds one database beside the one it replaces, and swaps them.
func (r *restoring) database(ctx context.Context, e service.Entry) (err error) {
	dir, remove, err := r.dir()
	if err != nil {
		return fmt.Errorf("make a directory to work in: %w", err)
	}
	defer func() { err = errors.Join(err, remove()) }()
	schema, err := r.spool(ctx, schemaName(e.Attrs[attrDatabase]), dir)
	if err != nil {
		return fmt.Errorf("read the schema of the copy: %w", err)
	}
	admin, err := r.in.connectBeside(ctx, e.Attrs[attrDatabase])
	if err != nil {
		return err
	}
	defer func() { _ = goodbye(ctx, admin) }()
	swap := newSwap(admin, e.Attrs[attrDatabase])
	if err := swap.clear(ctx); err != nil {
		return fmt.Errorf("remove what an interrupted restore left: %w", err)
	}
	if err := r.build(ctx, admin, e, swap.fresh, schema); err != nil {
		return errors.Join(err, swap.discard(ctx))
	}
	return swap.finish(ctx, func() error { return r.properties(ctx, admin, e, schema) })
}

// restorePurpose names the directories that restores work in.
const restorePurpose = "pgrestore"

// build fills a new database: definitions, rows, what follows from rows.
func (r *restoring) build(ctx context.Context, admin *pgx.Conn, e service.Entry, fresh, schema string) error {
	if err := r.createDatabase(ctx, admin, e, fresh); err != nil {
		return err
	}
	if err := r.pgRestore(ctx, restored{database: fresh, args: []string{"--section=pre-data", schema}}); err != nil {
		return fmt.Errorf("restore definitions: %w", err)
	}
	name := e.Attrs[attrDatabase]
	if err := r.loadTables(ctx, fresh, e.Attrs["encoding"], entriesOf(r.manifest, isTable, name)); err != nil {
		return err
	}
	if err := r.setSequences(ctx, fresh, entriesOf(r.manifest, isSequence, name)); err != nil {
		return fmt.Errorf("set sequences: %w", err)
	}
	if err := r.loadLargeObjects(ctx, name, fresh); err != nil {
		return fmt.Errorf("restore large objects: %w", err)
	}
	if err := r.pgRestore(ctx, restored{database: fresh, args: []string{"--section=post-data", "--jobs=2", schema}}); err != nil {
		return fmt.Errorf("restore indexes and constraints: %w", err)
	}
	if r.in.scratch != nil {
		return nil
	}
	// Without statistics the first queries of the application would be planned blind.
	return r.in.with(ctx, fresh, func(conn *pgx.Conn) error { return execute(ctx, conn, "ANALYZE") })
}

func (r *restoring) createDatabase(ctx context.Context, admin *pgx.Conn, e service.Entry, fresh string) error {
	err := execute(ctx, admin, createDatabase(fresh, e, r.server.Major))
	if state(err) == stateBadLocale && r.in.scratch != nil {
		return &service.Fault{ID: "postgres.locale-missing", Args: service.Args{
			"collate": e.Attrs["collate"], "ctype": e.Attrs["ctype"], "database": e.Attrs[attrDatabase]},
			Err: fmt.Errorf("%w: %w", service.ErrNoScratch, err)}
	}
	if err != nil {
		return fmt.Errorf("create it: %w", err)
	}
	return nil
}

func (r *restoring) loadLargeObjects(ctx context.Context, name, fresh string) (err error) {
	if len(entriesOf(r.manifest, isLargeObjects, name)) == 0 {
		return nil
	}
	content, err := r.openPart(ctx, largeObjectsName(name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	return r.pgRestore(ctx, restored{database: fresh, stdin: content})
}

// setSequences works on a database under its present name.
func (r *restoring) setSequences(ctx context.Context, present string, entries []service.Entry) error {
	return r.in.with(ctx, present, func(conn *pgx.Conn) error {
		for _, e := range entries {
			name := quote(e.Attrs[attrSchema], e.Attrs["sequence"])
			_, err := conn.Exec(ctx, "SELECT pg_catalog.setval($1::regclass, $2, $3)", name, e.Count, e.Attrs["called"] == "true")
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	})
}

// databaseLine is a line of a table of contents about the database itself.
var databaseLine = regexp.MustCompile(`^\d+; \d+ \d+ (DATABASE|DATABASE PROPERTIES|ACL - DATABASE|COMMENT - DATABASE|SECURITY LABEL - DATABASE) `)

// properties applies owner, rights, settings and comment of the database. The
// archive has them as statements under the database's own name, so that they can
// be run only once it has that name.
func (r *restoring) properties(ctx context.Context, admin *pgx.Conn, e service.Entry, schema string) error {
	name := e.Attrs[attrDatabase]
	if err := execute(ctx, admin, "ALTER DATABASE "+quote(name)+" OWNER TO "+quote(e.Attrs["owner"])); err != nil {
		return fmt.Errorf("set the owner: %w", err)
	}
	if strings.ContainsAny(name, "\r\n") {
		return nil // pg_restore refuses to write such a name; Verify tells what is missing
	}
	toc, err := r.contents(ctx, schema, func(line string) bool { return databaseLine.MatchString(line) })
	if err != nil {
		return err
	}
	var script bytes.Buffer
	if err := r.useList(ctx, schema, toc, restored{stdout: &script, args: []string{"--create", "--file=-"}}); err != nil {
		return fmt.Errorf("read the properties: %w", err)
	}
	for _, statement := range statements(script.String()) {
		if strings.HasPrefix(statement, "CREATE DATABASE") {
			continue
		}
		if err := execute(ctx, admin, statement); err != nil {
			return fmt.Errorf("set properties: %w", err)
		}
	}
	return nil
}

// contents returns the chosen lines of an archive's table of contents.
func (r *restoring) contents(ctx context.Context, archive string, choose func(line string) bool) (string, error) {
	var all bytes.Buffer
	if err := r.pgRestore(ctx, restored{stdout: &all, args: []string{"--create", "--list", archive}}); err != nil {
		return "", fmt.Errorf("list the contents of the schema: %w", err)
	}
	var chosen strings.Builder
	for line := range strings.Lines(all.String()) {
		if choose(line) {
			chosen.WriteString(line)
		}
	}
	return chosen.String(), nil
}

// useList runs pg_restore on the chosen lines of an archive.
func (r *restoring) useList(ctx context.Context, archive, toc string, run restored) error {
	chosen := archive + ".list"
	if err := errors.Join(os.WriteFile(chosen, []byte(toc), 0o600), r.hand(chosen)); err != nil {
		return err
	}
	run.args = append(run.args, "--use-list="+chosen, archive)
	return r.pgRestore(ctx, run)
}

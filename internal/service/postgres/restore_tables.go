package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"upkeep/internal/service"
)

// selects reports whether a table is meant by a pattern: TABLE, SCHEMA.TABLE or
// DATABASE.SCHEMA.TABLE, with * for any text.
func selects(pattern string, e service.Entry) bool {
	name := e.Attrs[attrTable]
	for _, qualifier := range []string{"", e.Attrs[attrSchema], e.Attrs[attrDatabase]} {
		if qualifier != "" {
			name = qualifier + "." + name
		}
		if matches(pattern, name) {
			return true
		}
	}
	return false
}

// selectTables returns the tables that a pattern means. They are of one database:
// one transaction replaces their rows.
func selectTables(m service.Manifest, pattern string) ([]service.Entry, error) {
	var chosen []service.Entry
	for _, e := range entriesOf(m, isTable, "") {
		if !selects(pattern, e) || e.Attrs["extension"] != "" {
			continue
		}
		if e.Attrs[attrRows] != "" {
			return nil, fmt.Errorf("the copy holds no rows of table %s, they were excluded: %w", e.Name, service.ErrUnsupported)
		}
		if len(chosen) > 0 && chosen[0].Attrs[attrDatabase] != e.Attrs[attrDatabase] {
			return nil, fmt.Errorf("%q means tables of several databases, %q and %q: name one, DATABASE.SCHEMA.TABLE: %w",
				pattern, chosen[0].Attrs[attrDatabase], e.Attrs[attrDatabase], service.ErrUnsupported)
		}
		chosen = append(chosen, e)
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no table of the copy matches %q: %w", pattern, service.ErrNotFound)
	}
	return chosen, nil
}

// selected replaces the rows of some tables in one transaction. Tables that are
// gone are made again first, and where the whole database is gone, that.
func (r *restoring) selected(ctx context.Context, server *pgx.Conn, pattern string) (err error) {
	chosen, err := selectTables(r.manifest, pattern)
	if err != nil {
		return err
	}
	dir, remove, err := r.dir()
	if err != nil {
		return fmt.Errorf("make a directory to work in: %w", err)
	}
	defer func() { err = errors.Join(err, remove()) }()
	archive, err := r.spool(ctx, schemaName(chosen[0].Attrs[attrDatabase]), dir)
	if err != nil {
		return fmt.Errorf("read the schema of the copy: %w", err)
	}
	e := entriesOf(r.manifest, isDatabase, chosen[0].Attrs[attrDatabase])[0]
	conn, err := r.in.steady(ctx, e.Attrs[attrDatabase], e.Attrs["encoding"])
	if errors.Is(err, errNoDatabase) {
		return r.buildSelected(ctx, server, e, chosen, archive)
	}
	if err != nil {
		return err
	}
	defer func() { _ = goodbye(ctx, conn) }()
	return r.replaceSelected(ctx, conn, e, chosen, archive)
}

func (r *restoring) replaceSelected(ctx context.Context, conn *pgx.Conn, e service.Entry, chosen []service.Entry, archive string) error {
	name := e.Attrs[attrDatabase]
	gone, err := missingOf(ctx, conn, chosen)
	if err != nil {
		return err
	}
	if err := r.recreate(ctx, name, archive, gone, "--section=pre-data"); err != nil {
		return fmt.Errorf("make tables again: %w", err)
	}
	if err := r.replaceRows(ctx, conn, chosen, e.Attrs["encoding"]); err != nil {
		return err
	}
	if err := r.recreate(ctx, name, archive, gone, "--section=post-data"); err != nil {
		return fmt.Errorf("restore indexes and constraints: %w", err)
	}
	return r.setSequences(ctx, name, r.ownedBy(chosen))
}

// buildSelected makes the database with all its definitions, but rows of the
// selected tables only. References to tables without rows would not hold, so there
// are none.
func (r *restoring) buildSelected(ctx context.Context, server *pgx.Conn, e service.Entry, chosen []service.Entry, archive string) error {
	if err := r.globals(ctx, server); err != nil {
		return fmt.Errorf("restore roles: %w", err)
	}
	swap := newSwap(server, e.Attrs[attrDatabase])
	if err := swap.clear(ctx); err != nil {
		return fmt.Errorf("remove what an interrupted restore left: %w", err)
	}
	if err := r.fillSelected(ctx, server, e, swap.fresh, chosen, archive); err != nil {
		return errors.Join(err, swap.discard(ctx))
	}
	return swap.finish(ctx, func() error { return r.properties(ctx, server, e, archive) })
}

func (r *restoring) fillSelected(ctx context.Context, server *pgx.Conn, e service.Entry, fresh string, chosen []service.Entry, archive string) error {
	if err := r.createDatabase(ctx, server, e, fresh); err != nil {
		return err
	}
	if err := r.pgRestore(ctx, restored{database: fresh, args: []string{"--section=pre-data", archive}}); err != nil {
		return fmt.Errorf("restore definitions: %w", err)
	}
	if err := r.loadTables(ctx, fresh, e.Attrs["encoding"], chosen); err != nil {
		return err
	}
	toc, err := r.contents(ctx, archive, func(line string) bool { return !strings.HasPrefix(contentOf(line), "FK CONSTRAINT ") })
	if err != nil {
		return err
	}
	if err := r.useList(ctx, archive, toc, restored{database: fresh, args: []string{"--section=post-data"}}); err != nil {
		return fmt.Errorf("restore indexes and constraints: %w", err)
	}
	return r.setSequences(ctx, fresh, r.ownedBy(chosen))
}

func missingOf(ctx context.Context, conn *pgx.Conn, chosen []service.Entry) (gone []service.Entry, err error) {
	for _, e := range chosen {
		exists, err := value[bool](ctx, conn, "SELECT to_regclass($1) IS NOT NULL", quote(e.Attrs[attrSchema], e.Attrs[attrTable]))
		if err != nil {
			return nil, err
		}
		if !exists {
			gone = append(gone, e)
		}
	}
	return gone, nil
}

// recreate restores what the archive's table of contents has of some tables.
func (r *restoring) recreate(ctx context.Context, database, archive string, gone []service.Entry, section string) error {
	if len(gone) == 0 {
		return nil
	}
	lines := map[string]bool{}
	for _, e := range gone {
		if err := r.contentLines(e, lines); err != nil {
			return err
		}
	}
	toc, err := r.contents(ctx, archive, func(line string) bool { return lines[contentOf(line)] })
	if err != nil {
		return err
	}
	return r.useList(ctx, archive, toc, restored{database: database, args: []string{section}})
}

// contentOf is a line of a table of contents without its numbers: "TABLE public
// users owner".
func contentOf(line string) string {
	fields := strings.SplitN(strings.TrimRight(line, "\n"), " ", 4)
	if len(fields) < 4 {
		return ""
	}
	return fields[3]
}

// contentLines adds the lines that belong to a table. Names may hold blanks, so
// whole lines are made up and compared, none is taken apart.
func (r *restoring) contentLines(e service.Entry, lines map[string]bool) error {
	schema, table, owner := e.Attrs[attrSchema], e.Attrs[attrTable], e.Attrs["owner"]
	add := func(sort, tag string) {
		line := sort + " " + schema + " " + tag + " " + owner
		lines[strings.NewReplacer("\n", " ", "\r", " ").Replace(line)] = true
	}
	for _, sort := range []string{"TABLE", "TABLE ATTACH", "ROW SECURITY"} {
		add(sort, table)
	}
	add("ACL", "TABLE "+table)
	add("COMMENT", "TABLE "+table)
	below := map[string][]string{attrColumns: {"DEFAULT"}, "constraints": {"CONSTRAINT", "FK CONSTRAINT", "CHECK CONSTRAINT"}, "triggers": {"TRIGGER"}}
	for attr, sorts := range below {
		names, err := unlist(e.Attrs[attr])
		if err != nil {
			return err
		}
		for _, name := range names {
			for _, sort := range sorts {
				add(sort, table+" "+name)
			}
		}
	}
	indexes, err := unlist(e.Attrs["indexes"])
	if err != nil {
		return err
	}
	for _, name := range indexes {
		add("INDEX", name)
	}
	for _, s := range r.ownedBy([]service.Entry{e}) {
		add("SEQUENCE", s.Attrs["sequence"])
		add("SEQUENCE OWNED BY", s.Attrs["sequence"])
	}
	return nil
}

// ownedBy returns the sequences that belong to columns of the tables.
func (r *restoring) ownedBy(tables []service.Entry) (found []service.Entry) {
	for _, s := range entriesOf(r.manifest, isSequence, tables[0].Attrs[attrDatabase]) {
		for _, e := range tables {
			if s.Attrs["owner_schema"] == e.Attrs[attrSchema] && s.Attrs["owner_table"] == e.Attrs[attrTable] {
				found = append(found, s)
			}
		}
	}
	return found
}

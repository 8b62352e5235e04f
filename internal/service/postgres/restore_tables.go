package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
// gone are made again first.
func (r *restoring) selected(ctx context.Context, pattern string) (err error) {
	chosen, err := selectTables(r.manifest, pattern)
	if err != nil {
		return err
	}
	name := chosen[0].Attrs[attrDatabase]
	encoding := ""
	for _, e := range entriesOf(r.manifest, isDatabase, name) {
		encoding = e.Attrs["encoding"]
	}
	conn, err := r.in.steady(ctx, name, encoding)
	if err != nil {
		return err
	}
	defer func() { _ = goodbye(ctx, conn) }()
	gone, err := missingOf(ctx, conn, chosen)
	if err != nil {
		return err
	}
	dir, remove, err := r.in.env.Dir(restorePurpose)
	if err != nil {
		return fmt.Errorf("make a directory to work in: %w", err)
	}
	defer func() { err = errors.Join(err, remove()) }()
	if err := r.recreate(ctx, name, dir, gone, "--section=pre-data"); err != nil {
		return fmt.Errorf("make tables again: %w", err)
	}
	if err := r.replaceRows(ctx, conn, chosen, encoding); err != nil {
		return err
	}
	if err := r.recreate(ctx, name, dir, gone, "--section=post-data"); err != nil {
		return fmt.Errorf("restore indexes and constraints: %w", err)
	}
	return r.setSequences(ctx, name, r.ownedBy(chosen))
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
func (r *restoring) recreate(ctx context.Context, database, dir string, gone []service.Entry, section string) error {
	if len(gone) == 0 {
		return nil
	}
	lines := map[string]bool{}
	for _, e := range gone {
		if err := r.contentLines(e, lines); err != nil {
			return err
		}
	}
	archive := filepath.Join(dir, "schema.dump")
	if _, err := os.Stat(archive); errors.Is(err, os.ErrNotExist) {
		if archive, err = r.spool(ctx, schemaName(database), dir); err != nil {
			return fmt.Errorf("read the schema of the copy: %w", err)
		}
	}
	toc, err := r.contents(ctx, archive, func(line string) bool { return lines[contentOf(line)] })
	if err != nil {
		return err
	}
	chosen := filepath.Join(dir, "tables.list")
	if err := os.WriteFile(chosen, []byte(toc), 0o600); err != nil {
		return err
	}
	return r.pgRestore(ctx, nil, nil, "--exit-on-error", "--no-password", "-d", conninfo(database), "--use-list="+chosen, section, archive)
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

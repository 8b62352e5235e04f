package postgres

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"upkeep/internal/service"
)

// extracting writes a copy as files that pg_restore and psql read.
type extracting struct {
	from     service.Copy
	manifest service.Manifest
	only     string
	put      func(h *tar.Header, content io.Reader) error
}

// Extract writes README.md with the commands, globals.sql, and per database
// schema.dump (for pg_restore), rows.sql with one file per table (for psql) and
// large-objects.dump. The rows are COPY blocks, not \copy commands: those have to
// stand on one line, and a name may hold line feeds.
func (in *Instance) Extract(ctx context.Context, c service.Copy, sel service.Selection, put func(h *tar.Header, content io.Reader) error) error {
	x := &extracting{from: c, manifest: c.Manifest(), only: sel.Only, put: put}
	if !sel.All() {
		if _, err := selectTables(x.manifest, sel.Only); err != nil {
			return err
		}
	}
	if err := x.text("README.md", x.readme()); err != nil {
		return err
	}
	if sel.All() {
		if err := x.whole(ctx, globalsName, "globals.sql"); err != nil {
			return err
		}
	}
	for _, e := range entriesOf(x.manifest, isDatabase, "") {
		if err := x.database(ctx, e); err != nil {
			return fmt.Errorf("extract database %q: %w", e.Attrs[attrDatabase], err)
		}
	}
	return nil
}

func (x *extracting) database(ctx context.Context, e service.Entry) error {
	name := e.Attrs[attrDatabase]
	tables := x.tables(name)
	if x.only != "" && len(tables) == 0 {
		return nil
	}
	if err := x.whole(ctx, schemaName(name), schemaName(name)); err != nil {
		return err
	}
	if x.only == "" && len(entriesOf(x.manifest, isLargeObjects, name)) > 0 {
		if err := x.whole(ctx, largeObjectsName(name), largeObjectsName(name)); err != nil {
			return err
		}
	}
	if err := x.text(escape(name)+"/rows.sql", x.script(e, tables)); err != nil {
		return err
	}
	for _, t := range tables {
		if err := x.table(ctx, t, e.Attrs["encoding"]); err != nil {
			return err
		}
	}
	return nil
}

// tables are those with rows in the copy, and of them the selected ones.
func (x *extracting) tables(database string) (found []service.Entry) {
	for _, e := range entriesOf(x.manifest, isTable, database) {
		if e.Attrs[attrRows] == "" && (x.only == "" || selects(x.only, e)) {
			found = append(found, e)
		}
	}
	return found
}

func tableFile(e service.Entry) string {
	return "tables/" + escape(e.Attrs[attrSchema]) + "/" + escape(e.Attrs[attrTable]) + ".sql"
}

// script loads the rows of one database and sets its sequences.
func (x *extracting) script(e service.Entry, tables []service.Entry) string {
	names := "UTF8"
	if e.Attrs["encoding"] == "SQL_ASCII" {
		names = "SQL_ASCII"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\\set ON_ERROR_STOP on\nSET client_encoding TO '%s';\n%s;\nBEGIN;\n", names, strings.Join(steadySettings, ";\n"))
	for _, t := range tables {
		fmt.Fprintf(&b, "\\ir '%s'\n", tableFile(t))
	}
	if x.only == "" {
		for _, s := range entriesOf(x.manifest, isSequence, e.Attrs[attrDatabase]) {
			fmt.Fprintf(&b, "SELECT pg_catalog.setval(%s, %d, %s);\n",
				literal(quote(s.Attrs[attrSchema], s.Attrs["sequence"])), s.Count, s.Attrs["called"])
		}
	}
	b.WriteString("COMMIT;\n")
	return b.String()
}

// table puts the rows between the command that loads them and the mark of their end.
func (x *extracting) table(ctx context.Context, e service.Entry, encoding string) error {
	columns, err := unlist(e.Attrs[attrColumns])
	if err != nil {
		return err
	}
	head := "COPY " + quote(e.Attrs[attrSchema], e.Attrs[attrTable]) + columnList(columns) +
		" FROM stdin WITH (ENCODING " + literal(encoding) + ");\n"
	return x.part(ctx, e.Name, escape(e.Attrs[attrDatabase])+"/"+tableFile(e), head, "\\.\n")
}

func (x *extracting) whole(ctx context.Context, part, file string) error {
	return x.part(ctx, part, file, "", "")
}

func (x *extracting) part(ctx context.Context, name, file, head, tail string) (err error) {
	p, err := x.from.Part(ctx, name)
	if err != nil {
		return err
	}
	content, err := p.Open(ctx)
	if err != nil {
		return fmt.Errorf("open part %q: %w", name, err)
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	size := int64(len(head)) + p.Size + int64(len(tail))
	return x.put(x.header(file, size), io.MultiReader(strings.NewReader(head), content, strings.NewReader(tail)))
}

func (x *extracting) text(file, text string) error {
	return x.put(x.header(file, int64(len(text))), strings.NewReader(text))
}

// header keeps files to their owner: rows and digests of passwords are in them.
func (x *extracting) header(file string, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: file, Size: size, Mode: 0o600, ModTime: x.manifest.Taken}
}

// readme says how to bring everything back with PostgreSQL's own programs.
func (x *extracting) readme() string {
	var b strings.Builder
	fmt.Fprintf(&b, readmeHead, x.manifest.Version, x.manifest.Taken.UTC().Format("2006-01-02 15:04:05 MST"), majorOf(x.manifest.Version))
	for _, e := range entriesOf(x.manifest, isDatabase, "") {
		name := e.Attrs[attrDatabase]
		if x.only != "" && len(x.tables(name)) == 0 {
			continue
		}
		target, dir := shellWord(conninfo(name)), escape(name)
		fmt.Fprintf(&b, "\n## Database %s\n\n", strconv.Quote(name))
		fmt.Fprintf(&b, "    psql -X -d postgres -c %s\n", shellWord(createDatabase(name, e, majorOf(x.manifest.Version))))
		fmt.Fprintf(&b, "    pg_restore --exit-on-error --section=pre-data -d %s %s/schema.dump\n", target, dir)
		fmt.Fprintf(&b, "    psql -X -q -d %s -f %s/rows.sql\n", target, dir)
		if x.only == "" && len(entriesOf(x.manifest, isLargeObjects, name)) > 0 {
			fmt.Fprintf(&b, "    pg_restore --exit-on-error -d %s %s/large-objects.dump\n", target, dir)
		}
		fmt.Fprintf(&b, "    pg_restore --exit-on-error --section=post-data -d %s %s/schema.dump\n", target, dir)
	}
	return b.String()
}

const readmeHead = `# PostgreSQL %s, as of %s

These files need only psql and pg_restore of version %d or later. Run the commands in
this directory, as a superuser (PGHOST, PGPORT, PGUSER and PGPASSWORD say where).
File names spell every character that is not a letter or a digit as %%XX.

Roles come first, in a server that has none of them; where some exist already,
remove their CREATE ROLE lines from the file before. Every role gets the password it
had, also the one you log in as:

    psql -X -v ON_ERROR_STOP=1 -d postgres -f globals.sql

The lines below create each database, restore its definitions, load its rows and
sequences, and then add indexes and constraints. To load a table into a database that
is there already, run only its file: psql -X -d DATABASE -f DIRECTORY/tables/SCHEMA/TABLE.sql

    COPY blocks in tables/ are plain text: one row per line, tabs between columns, \N for NULL.
`

// shellWord quotes text for a POSIX shell.
func shellWord(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

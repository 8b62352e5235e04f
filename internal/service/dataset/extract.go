package dataset

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"
	"strconv"
	"strings"
	"time"

	"upkeep/internal/service"
)

// The store lies in a directory of its own, so that no file of it takes the place of the
// readme.
const (
	readme = "README.md"
	under  = "store/"
)

const instructions = `# Data files

Below store/ lie the files as they were, each by its path within the directory of the
store. Put them back while none of their writers runs:

    cp -a store/. DIRECTORY/

%d files, %d bytes, %d rows in %d tables, copied %s. Parquet, CSV and JSON are read by
DuckDB, pandas and others: duckdb -c "select count(*) from 'store/results.parquet'".
`

// Extract puts the files under store/.
func (in *Instance) Extract(ctx context.Context, c service.Copy, sel service.Selection, put func(*tar.Header, io.Reader) error) error {
	m := c.Manifest()
	text := fmt.Sprintf(instructions, m.Counts[countFiles], m.Counts[countBytes], m.Counts[countRows], m.Counts[countTables], m.Taken.Format(time.RFC3339))
	err := put(&tar.Header{Typeflag: tar.TypeReg, Name: readme, Mode: 0o600, Size: int64(len(text)), ModTime: m.Taken}, strings.NewReader(text))
	if err != nil {
		return err
	}
	return parts(ctx, c, sel, func(p service.Part) error {
		content, err := openPart(ctx, p)
		if err != nil {
			return err
		}
		uid, gid := owner(p)
		return errors.Join(put(&tar.Header{Typeflag: tar.TypeReg, Name: under + p.Name, Mode: int64(modeOf(p)), Size: p.Size, ModTime: timeOf(p),
			Uid: uid, Gid: gid, Uname: p.Attrs[attrUser], Gname: p.Attrs[attrGroup]}, content), content.Close())
	})
}

// parts calls do with the selected files of a copy.
func parts(ctx context.Context, c service.Copy, sel service.Selection, do func(service.Part) error) error {
	chosen, any := selected(sel), false
	for p, err := range c.Parts(ctx) {
		if err != nil {
			return fmt.Errorf("list the copy: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if !chosen(memberOf(p)) {
			continue
		}
		any = true
		if err := clean(p.Name); err != nil {
			return err
		}
		if err := do(p); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	if !any && !sel.All() {
		return &service.Fault{ID: "dataset.nothing-selected", Args: service.Args{"only": sel.Only},
			Err: fmt.Errorf("the copy has no table or file %q: %w", sel.Only, service.ErrUnsupported)}
	}
	return ctx.Err()
}

// owner is that of a part's file on this machine: by name, because numbers differ
// between machines, and by number where nobody has the name.
func owner(p service.Part) (uid, gid int) {
	uid, gid = number10(p.Attrs[attrUID]), number10(p.Attrs[attrGID])
	if u, err := user.Lookup(p.Attrs[attrUser]); err == nil {
		uid = number10(u.Uid)
	}
	if g, err := user.LookupGroup(p.Attrs[attrGroup]); err == nil {
		gid = number10(g.Gid)
	}
	return uid, gid
}

func number10(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

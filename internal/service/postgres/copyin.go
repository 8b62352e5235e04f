package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"upkeep/internal/service"
)

// loadersAtOnce is how many tables are loaded at a time.
const loadersAtOnce = 2

// loadTables loads tables of the copy into a database that has their definitions,
// under its present name.
func (r *restoring) loadTables(ctx context.Context, present, encoding string, entries []service.Entry) error {
	work := make(chan service.Entry)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(work)
		for _, e := range entries {
			if e.Attrs[attrRows] != "" {
				continue
			}
			select {
			case work <- e:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range loadersAtOnce {
		group.Go(func() error { return r.loader(ctx, present, encoding, work) })
	}
	return group.Wait()
}

func (r *restoring) loader(ctx context.Context, present, encoding string, work <-chan service.Entry) error {
	conn, err := r.in.steady(ctx, present, encoding)
	if err != nil {
		return err
	}
	defer func() { _ = goodbye(ctx, conn) }()
	for e := range work {
		if err := r.loadNew(ctx, conn, e, encoding); err != nil {
			return fmt.Errorf("load table %s: %w", quote(e.Attrs[attrSchema], e.Attrs[attrTable]), err)
		}
	}
	return nil
}

// loadNew fills an empty table. TRUNCATE in the same transaction lets COPY write
// rows that are frozen already and, where no standby listens, without WAL. Rows
// that an extension put into its own table stay: the copy has the user's only.
func (r *restoring) loadNew(ctx context.Context, conn *pgx.Conn, e service.Entry, encoding string) error {
	begin, options := []string{"BEGIN"}, ""
	if e.Attrs["extension"] == "" {
		begin = append(begin, "TRUNCATE ONLY "+quote(e.Attrs[attrSchema], e.Attrs[attrTable]))
		options = "FREEZE, "
	}
	if err := execute(ctx, conn, begin...); err != nil {
		return err
	}
	if err := r.copyIn(ctx, conn, e, encoding, options); err != nil {
		return err // the connection is closed, and the transaction with it
	}
	return execute(ctx, conn, "COMMIT")
}

// copyIn streams a part into its table and compares what it held with the
// manifest.
func (r *restoring) copyIn(ctx context.Context, conn *pgx.Conn, e service.Entry, encoding, options string) (err error) {
	columns, err := unlist(e.Attrs[attrColumns])
	if err != nil {
		return err
	}
	content, err := r.openPart(ctx, e.Name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	var d rowDigest
	statement := "COPY " + quote(e.Attrs[attrSchema], e.Attrs[attrTable]) + columnList(columns) +
		" FROM STDIN (FORMAT text, " + options + "ENCODING " + literal(encoding) + ")"
	_, err = conn.PgConn().CopyFrom(ctx, io.TeeReader(content, &d), statement)
	if err != nil {
		return fault(err)
	}
	if r.in.scratch == nil && (!d.whole() || d.rows != e.Count || d.sum() != e.Digest) {
		return fmt.Errorf("the copy holds %d rows that differ from the %d of its manifest: %w", d.rows, e.Count, service.ErrDamaged)
	}
	return nil
}

package postgres

import (
	"context"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
)

// largeObjectsSQL gives each large object in pieces of 1 MiB: lo_get returns one
// value, which must fit into memory. Holes read as zeros, as pg_dump reads them.
// Each is closed at once: open ones are found by a linear search.
const largeObjectsSQL = `COPY (
  SELECT s.oid, piece, lo_get(s.oid, piece * 1048576, 1048576)
  FROM (SELECT oid, lo_lseek64(fd, 0, 2) AS size, lo_close(fd) AS closed
        FROM (SELECT oid, lo_open(oid, 262144) AS fd FROM pg_largeobject_metadata OFFSET 0) o OFFSET 0) s,
       generate_series(0, s.size / 1048576) AS piece
  WHERE s.closed = 0) TO STDOUT`

// digestLargeObjects digests all large objects of a database.
func digestLargeObjects(ctx context.Context, conn *pgx.Conn) (string, error) {
	d, err := copyDigest(ctx, conn, largeObjectsSQL, nil)
	if err != nil {
		return "", fmt.Errorf("digest large objects: %w", err)
	}
	return d.sum(), nil
}

// dumpLargeObjects is the one part whose source is read twice: pg_dump writes it
// in a private format, so the digest takes a pass of its own in the same view. The
// patterns for schema and tables leave none that pg_dump would lock.
func (s *snapshot) dumpLargeObjects(v *view) producer {
	return func(ctx context.Context, w io.Writer) error {
		err := s.in.runDump(ctx, w, "pg_dump", s.server.Major, "-Fc", "-Z0", "--snapshot="+v.id, "--section=data",
			"-b", "-n", "information_schema", "-T", "*.*", "-d", conninfo(v.Name))
		if err != nil {
			return fmt.Errorf("dump large objects of %q: %w", v.Name, err)
		}
		conn, release, err := s.borrow(ctx, v)
		if err != nil {
			return err
		}
		defer release()
		var d rowDigest
		if d, err = copyDigest(ctx, conn, largeObjectsSQL, nil); err != nil {
			return fmt.Errorf("digest large objects of %q: %w", v.Name, err)
		}
		s.done(largeObjectsName(v.Name), d)
		return nil
	}
}

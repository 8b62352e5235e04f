package postgres

import (
	"context"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"

	"upkeep/internal/service"
)

// copyTable streams the rows of one table and digests them on the way.
func (s *snapshot) copyTable(v *view, t table) producer {
	name := tableName(v.Name, t.Schema, t.Name)
	statement := copyOut(t.Schema, t.Name, t.Columns, t.Condition, v.Encoding)
	return func(ctx context.Context, w io.Writer) error {
		conn, release, err := s.borrow(ctx, v)
		if err != nil {
			return fmt.Errorf("copy table %s: %w", quote(v.Name, t.Schema, t.Name), err)
		}
		defer release()
		d, err := copyDigest(ctx, conn, statement, w)
		if err != nil {
			return fmt.Errorf("copy table %s: %w", quote(v.Name, t.Schema, t.Name), err)
		}
		s.done(name, d)
		return nil
	}
}

// borrow waits for a turn and for a connection of the view. One whose reader broke
// off is of no more use, and so is the copy.
func (s *snapshot) borrow(ctx context.Context, v *view) (*pgx.Conn, func(), error) {
	select {
	case s.readers <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	select {
	case conn := <-v.free:
		return conn, func() {
			v.free <- conn
			<-s.readers
		}, nil
	case <-ctx.Done():
		<-s.readers
		return nil, nil, ctx.Err()
	}
}

// copyDigest runs a COPY … TO STDOUT into w, which may be nil, and digests it.
func copyDigest(ctx context.Context, conn *pgx.Conn, statement string, w io.Writer) (rowDigest, error) {
	var d rowDigest
	tag, err := conn.PgConn().CopyTo(ctx, &tee{&d, w}, statement)
	if err != nil {
		return rowDigest{}, fault(err)
	}
	if !d.whole() || tag.RowsAffected() != d.rows {
		return rowDigest{}, fmt.Errorf("the server sent %d rows and says %d: %w", d.rows, tag.RowsAffected(), service.ErrUnreachable)
	}
	return d, nil
}

// tee is called for every row: an io.MultiWriter would cost more than the copying.
type tee struct {
	digest *rowDigest
	w      io.Writer
}

func (t *tee) Write(p []byte) (int, error) {
	if _, err := t.digest.Write(p); err != nil {
		return 0, err
	}
	if t.w == nil {
		return len(p), nil
	}
	return t.w.Write(p)
}

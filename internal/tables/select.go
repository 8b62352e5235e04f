package tables

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Select answers a statement that somebody else wrote: exactly one SELECT. DuckDB's own
// parser decides, before anything is run: preparing several statements would run all but the
// last. The answer may be larger than memory: the driver would hold all of it there, so it is
// put into a table of its own, which goes to the scratch directory, and read in pieces.
func (d *DB) Select(ctx context.Context, statement string) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		if err := d.judge(ctx, statement); err != nil {
			yield(Row{}, err)
			return
		}
		if err := d.inPieces(ctx, statement, yield); err != nil {
			yield(Row{}, err)
		}
	}
}

// answer is a temporary table: it belongs to one connection and is seen by no other.
const answer = "_upkeep answer"

// piece is a whole part of the 122,880 rows that DuckDB keeps together.
const piece = 20_480

func (d *DB) inPieces(ctx context.Context, statement string, yield func(Row, error) bool) (err error) {
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if _, err := conn.ExecContext(ctx, "CREATE TEMP TABLE "+Name(answer)+" AS "+statement); err != nil {
		if Misused(err) { // DESCRIBE and its like make no table; what is wrong fails again
			_, err = ask(ctx, conn, yield, statement)
		}
		return err
	}
	defer func() {
		_, drop := conn.ExecContext(context.WithoutCancel(ctx), "DROP TABLE "+Name(answer))
		err = errors.Join(err, drop)
	}()
	return readPieces(ctx, conn, yield)
}

func readPieces(ctx context.Context, conn *sql.Conn, yield func(Row, error) bool) error {
	rows, named, err := extent(ctx, conn)
	if err != nil {
		return err
	}
	if named { // a column of the answer hides the number of its row
		_, err := ask(ctx, conn, yield, "SELECT * FROM "+Name(answer))
		return err
	}
	for from := int64(0); from < rows; from += piece {
		wanted, err := ask(ctx, conn, yield, fmt.Sprintf("SELECT * FROM %s WHERE rowid >= %d AND rowid < %d ORDER BY rowid", Name(answer), from, from+piece))
		if err != nil || !wanted {
			return err
		}
	}
	return nil
}

// extent is how many rows an answer has, and whether one of its columns is called rowid.
func extent(ctx context.Context, conn *sql.Conn) (rows int64, named bool, err error) {
	if err := conn.QueryRowContext(ctx, "SELECT count(*) FROM "+Name(answer)).Scan(&rows); err != nil {
		return 0, false, err
	}
	none, err := conn.QueryContext(ctx, "SELECT * FROM "+Name(answer)+" LIMIT 0")
	if err != nil {
		return 0, false, err
	}
	columns, err := none.Columns()
	named = slices.ContainsFunc(columns, func(name string) bool { return strings.EqualFold(name, "rowid") })
	return rows, named, errors.Join(err, none.Err(), none.Close())
}

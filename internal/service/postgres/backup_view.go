package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"upkeep/internal/service"
)

// view is one database as one transaction sees it. That transaction only holds
// the locks and the snapshot; reading is done by others that import it, so that a
// reader which breaks off takes nothing down.
type view struct {
	database
	in           *Instance
	id           string // of the exported snapshot
	exporter     *pgx.Conn
	tables       []table
	sequences    []sequence
	extensions   []extension
	largeObjects int64
	shape        string // digest of the schema, for the identity

	leave func(*pgx.Conn) error // closes a connection, also after the run was cancelled

	mu   sync.Mutex
	idle []*pgx.Conn
}

// relkinds.
const (
	plainTable       = "r"
	partitionedTable = "p"
	foreignTable     = "f"
)

const (
	// lockPatience is how long one lock may be waited for. Whoever waits for ACCESS
	// EXCLUSIVE behind us makes everybody else wait, so this is short.
	lockPatience = 30 * time.Second
	// viewAttempts is how often a schema may change between looking and locking.
	viewAttempts = 5
	// locksAtOnce bounds the length of one statement.
	locksAtOnce = 500
)

// errMoved is a schema that changed between looking and locking.
var errMoved = errors.New("the schema changed while it was being locked")

func (in *Instance) openView(ctx context.Context, d database) (*view, error) {
	var err error
	for range viewAttempts {
		v := &view{database: d, in: in, leave: func(c *pgx.Conn) error { return goodbye(ctx, c) }}
		if err = v.open(ctx); err == nil {
			return v, nil
		}
		err = errors.Join(err, v.close())
		if !errors.Is(err, errMoved) {
			break
		}
	}
	return nil, err
}

// open locks first and takes the snapshot then: LOCK takes none, so a TRUNCATE or a
// rewrite that ran between the two could otherwise make a full table look empty.
func (v *view) open(ctx context.Context) (err error) {
	if v.exporter, err = v.in.steady(ctx, v.Name, v.Encoding); err != nil {
		return err
	}
	seen, err := tables(ctx, v.exporter)
	if err != nil {
		return err
	}
	if err := v.lock(ctx, seen); err != nil {
		return err
	}
	if v.tables, err = tables(ctx, v.exporter); err != nil {
		return err
	}
	if !slices.EqualFunc(seen, v.tables, sameShape) {
		return errMoved
	}
	if v.id, err = value[string](ctx, v.exporter, "SELECT pg_export_snapshot()"); err != nil {
		return fmt.Errorf("export the snapshot: %w", err)
	}
	return v.describe(ctx)
}

func sameShape(a, b table) bool {
	return a.OID == b.OID && a.Kind == b.Kind && slices.Equal(a.Columns, b.Columns)
}

// lock begins the transaction.
func (v *view) lock(ctx context.Context, seen []table) error {
	err := execute(ctx, v.exporter, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
		fmt.Sprintf("SET LOCAL lock_timeout TO %d", lockPatience.Milliseconds()))
	if err != nil {
		return err
	}
	var names []string
	for _, t := range seen {
		if t.Kind != foreignTable { // LOCK refuses them
			names = append(names, quote(t.Schema, t.Name))
		}
	}
	for batch := range slices.Chunk(names, locksAtOnce) {
		err := execute(ctx, v.exporter, "LOCK TABLE ONLY "+strings.Join(batch, ", ONLY ")+" IN ACCESS SHARE MODE")
		if state(err) == stateNoTable {
			return errMoved
		}
		if err != nil {
			return fmt.Errorf("lock tables: %w", err)
		}
	}
	return nil
}

// describe reads what the manifest says beside the tables.
func (v *view) describe(ctx context.Context) (err error) {
	if v.sequences, err = sequences(ctx, v.exporter); err != nil {
		return err
	}
	if v.extensions, err = extensions(ctx, v.exporter); err != nil {
		return err
	}
	v.largeObjects, err = value[int64](ctx, v.exporter, "SELECT count(*) FROM pg_largeobject_metadata")
	if err != nil {
		return fmt.Errorf("count large objects: %w", err)
	}
	v.shape, err = shape(ctx, v.exporter)
	return err
}

// copies reports whether the rows of a table become a part.
func (v *view) copies(t table) bool {
	return t.Kind == plainTable && !v.in.cfg.leavesOutRows(v.Name, t.Schema, t.Name)
}

// reader returns a connection that sees the view.
func (v *view) reader(ctx context.Context) (*pgx.Conn, error) {
	v.mu.Lock()
	if n := len(v.idle); n > 0 {
		conn := v.idle[n-1]
		v.idle = v.idle[:n-1]
		v.mu.Unlock()
		return conn, nil
	}
	v.mu.Unlock()
	conn, err := v.in.steady(ctx, v.Name, v.Encoding)
	if err != nil {
		return nil, err
	}
	err = execute(ctx, conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
		"SET TRANSACTION SNAPSHOT "+literal(v.id))
	if err != nil {
		_ = goodbye(ctx, conn)
		return nil, fmt.Errorf("import the snapshot: %w", err)
	}
	return conn, nil
}

// giveBack keeps a reader for the next table, unless it broke.
func (v *view) giveBack(ctx context.Context, conn *pgx.Conn) {
	if conn.IsClosed() || conn.PgConn().TxStatus() != 'T' {
		_ = goodbye(ctx, conn)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.idle = append(v.idle, conn)
}

// rest closes the idle readers: another database is being read now.
func (v *view) rest() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, conn := range v.idle {
		_ = v.leave(conn) // it only read
	}
	v.idle = nil
}

func (v *view) close() error {
	if v.exporter == nil {
		return nil
	}
	v.rest()
	if err := v.leave(v.exporter); err != nil && !errors.Is(fault(err), service.ErrUnreachable) {
		return fmt.Errorf("end the view of database %q: %w", v.Name, err)
	}
	return nil
}

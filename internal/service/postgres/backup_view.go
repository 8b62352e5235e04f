package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"upkeep/internal/service"
)

// view is one database as one transaction sees it, and as others see it that import
// its snapshot. Each of them holds a lock on every table from the beginning: one that
// asked for it later would queue behind an ALTER or TRUNCATE that waits for the
// first, and nobody would ever get on.
type view struct {
	database
	in           *Instance
	id           string      // of the exported snapshot
	conns        []*pgx.Conn // the first one exported it
	free         chan *pgx.Conn
	schema       *spooled // pg_dump takes locks of its own, so it runs at the beginning too
	tables       []table
	sequences    []sequence
	extensions   []extension
	largeObjects int64
	shape        string // digest of the schema, for the identity

	leave func(*pgx.Conn) error // closes a connection, also after the run was cancelled
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
func (v *view) open(ctx context.Context) error {
	exporter, err := v.connect(ctx)
	if err != nil {
		return err
	}
	seen, err := tables(ctx, exporter)
	if err != nil {
		return err
	}
	if err := begin(ctx, exporter); err != nil {
		return err
	}
	if err := lock(ctx, exporter, seen); err != nil {
		return err
	}
	if v.tables, err = tables(ctx, exporter); err != nil {
		return err
	}
	if !slices.EqualFunc(seen, v.tables, sameShape) {
		return errMoved
	}
	if v.id, err = value[string](ctx, exporter, "SELECT pg_export_snapshot()"); err != nil {
		return fmt.Errorf("export the snapshot: %w", err)
	}
	if err := v.describe(ctx, exporter); err != nil {
		return err
	}
	return v.addReaders(ctx)
}

// connect adds a connection to the view.
func (v *view) connect(ctx context.Context) (*pgx.Conn, error) {
	conn, err := v.in.steady(ctx, v.Name, v.Encoding)
	if err == nil {
		v.conns = append(v.conns, conn)
	}
	return conn, err
}

// addReaders completes the view with connections that see the same.
func (v *view) addReaders(ctx context.Context) error {
	for len(v.conns) < readersAtOnce {
		conn, err := v.connect(ctx)
		if err != nil {
			return err
		}
		if err := begin(ctx, conn, "SET TRANSACTION SNAPSHOT "+literal(v.id)); err != nil {
			return fmt.Errorf("import the snapshot: %w", err)
		}
		if err := lock(ctx, conn, v.tables); err != nil {
			return err
		}
	}
	v.free = make(chan *pgx.Conn, len(v.conns))
	for _, conn := range v.conns {
		v.free <- conn
	}
	return nil
}

func sameShape(a, b table) bool {
	return a.OID == b.OID && a.Kind == b.Kind && slices.Equal(a.Columns, b.Columns)
}

func begin(ctx context.Context, conn *pgx.Conn, more ...string) error {
	statements := append([]string{"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}, more...)
	return execute(ctx, conn, append(statements, fmt.Sprintf("SET LOCAL lock_timeout TO %d", lockPatience.Milliseconds()))...)
}

func lock(ctx context.Context, conn *pgx.Conn, seen []table) error {
	var names []string
	for _, t := range seen {
		if t.Kind != foreignTable { // LOCK refuses them
			names = append(names, quote(t.Schema, t.Name))
		}
	}
	for batch := range slices.Chunk(names, locksAtOnce) {
		err := execute(ctx, conn, "LOCK TABLE ONLY "+strings.Join(batch, ", ONLY ")+" IN ACCESS SHARE MODE")
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
func (v *view) describe(ctx context.Context, conn *pgx.Conn) (err error) {
	if v.sequences, err = sequences(ctx, conn); err != nil {
		return err
	}
	if v.extensions, err = extensions(ctx, conn); err != nil {
		return err
	}
	v.largeObjects, err = value[int64](ctx, conn, "SELECT count(*) FROM pg_largeobject_metadata")
	if err != nil {
		return fmt.Errorf("count large objects: %w", err)
	}
	v.shape, err = shape(ctx, conn)
	return err
}

// copies reports whether the rows of a table become a part.
func (v *view) copies(t table) bool {
	return t.Kind == plainTable && !v.in.cfg.leavesOutRows(v.Name, t.Schema, t.Name)
}

// reference is a table whose rows are left out and one that is copied and points to it.
type reference struct{ referenced, by string }

// orphaning lists the foreign keys that cannot hold once the copy is restored.
func (v *view) orphaning() (found []reference) {
	out := map[uint32]table{}
	for _, t := range v.tables {
		if t.Kind == plainTable && !v.copies(t) {
			out[t.OID] = t
		}
	}
	for _, t := range v.tables {
		for _, oid := range t.References {
			if r, missing := out[oid]; missing && v.copies(t) {
				found = append(found, reference{r.Schema + "." + r.Name, t.Schema + "." + t.Name})
			}
		}
	}
	return found
}

func (v *view) close() error {
	var failed error
	if v.schema != nil {
		failed = v.schema.remove()
	}
	for _, conn := range v.conns {
		if err := v.leave(conn); err != nil && !errors.Is(fault(err), service.ErrUnreachable) {
			failed = errors.Join(failed, fmt.Errorf("end the view of database %q: %w", v.Name, err))
		}
	}
	return failed
}

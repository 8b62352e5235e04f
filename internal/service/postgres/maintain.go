package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"upkeep/internal/quantity"
	"upkeep/internal/service"
)

// Care bounds every statement of maintenance.
type Care struct {
	// LockTimeout is how long a statement may wait for another session. What waits
	// lets ordinary reads and writes pass.
	LockTimeout quantity.Duration `yaml:"lock_timeout"`
	Timeout     quantity.Duration `yaml:"timeout"` // of one statement; 0 = none
}

// What a step does.
const (
	opVacuum  = "vacuum"
	opAnalyze = "analyze"
	opSweep   = "drop-index" // a leftover of a rebuild that failed
	opReindex = "reindex"
	// opDenied does nothing: it keeps in view what is due and not ours to touch.
	opDenied = "denied"
)

// careArgs is all that doing a step needs. What it is about is found by OID: the
// names are for people and may be spelt in any way.
type careArgs struct {
	Database string `json:"database"`
	Encoding string `json:"encoding"`
	Schema   string `json:"schema"`
	Table    string `json:"table"`
	Index    string `json:"index,omitempty"`
	OID      uint32 `json:"oid"` // of the table or the index
	TableOID uint32 `json:"table_oid,omitempty"`
	// Filenode changes when a table or an index is written anew.
	Filenode uint32     `json:"filenode"`
	Frozen   string     `json:"frozen,omitempty"` // oldest transactions of a table that is to be frozen
	Analyze  bool       `json:"analyze,omitempty"`
	Vacuumed *time.Time `json:"vacuumed,omitempty"` // when last, as it was planned
	Analyzed *time.Time `json:"analyzed,omitempty"`
}

// Maintenance lists what is due in every database of the target, also in those
// that copies leave out. Nothing is due on a standby: it takes over what its primary
// does.
func (in *Instance) Maintenance(ctx context.Context) ([]service.Step, error) {
	conn, _, err := in.connectServer(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = goodbye(ctx, conn) }()
	s, err := describeServer(ctx, conn)
	if err != nil || s.Standby {
		return nil, err
	}
	if err := counting(ctx, conn); err != nil {
		return nil, err
	}
	everything := Instance{cfg: Config{Databases: in.cfg.Databases}}
	found, _, err := everything.databases(ctx, conn) // one that is missing is the check's business
	if err != nil {
		return nil, err
	}
	var steps []service.Step
	for _, d := range found {
		due, err := in.dueIn(ctx, s, d)
		if err != nil {
			return nil, fmt.Errorf("look for what is due in database %q: %w", d.Name, err)
		}
		steps = append(steps, due...)
	}
	return steps, nil
}

// counting wants the server to know of dead rows: without, nothing looks due.
func counting(ctx context.Context, conn *pgx.Conn) error {
	counts, err := value[bool](ctx, conn, "SELECT current_setting('track_counts')::bool")
	if err != nil {
		return fmt.Errorf("read track_counts: %w", err)
	}
	if !counts {
		return &service.Fault{ID: "postgres.care-blind", Err: fmt.Errorf("track_counts is off: %w", service.ErrUnsupported)}
	}
	return nil
}

// dueIn lists the steps of one database: first what frees space, then tables, then
// indexes, whose judgement needs the statistics of tables.
func (in *Instance) dueIn(ctx context.Context, s server, d database) ([]service.Step, error) {
	conn, err := in.steady(ctx, d.Name, d.Encoding)
	if err != nil {
		return nil, err
	}
	defer func() { _ = goodbye(ctx, conn) }()
	due := &planning{in: in, conn: conn, server: s, database: d}
	for _, part := range []func(context.Context) error{due.leftovers, due.tables, due.indexes, due.others} {
		if err := part(ctx); err != nil {
			return nil, err
		}
	}
	return due.steps, nil
}

// planning collects the steps of one database.
type planning struct {
	in       *Instance
	conn     *pgx.Conn
	server   server
	database database
	steps    []service.Step
	denied   []string // what is due and not ours to touch
}

// add makes a step. Seen stays empty: data written since the plan is no reason to
// refuse, and what is is compared by Do.
func (p *planning) add(op string, a careArgs, title service.Args) error {
	a.Database, a.Encoding = p.database.Name, p.database.Encoding
	text, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("plan %s of %q: %w", op, a.Table, err)
	}
	names := []string{escape(a.Database), escape(a.Schema), escape(a.Table)}
	if a.Index != "" {
		names[2] = escape(a.Index)
	}
	title["database"] = a.Database
	p.steps = append(p.steps, service.Step{ID: op + " " + strings.Join(names, "."), Target: p.in.env.Target, Op: op, Args: text,
		Risk: service.Harmless, Title: service.Message{ID: "postgres." + op, Args: title}})
	return nil
}

// others names what is due and belongs to somebody else.
func (p *planning) others(context.Context) error {
	if len(p.denied) == 0 {
		return nil
	}
	slices.Sort(p.denied)
	const shown = 5
	about := service.Args{"role": p.server.Me, "database": p.database.Name, "count": len(p.denied),
		"names": p.denied[:min(len(p.denied), shown)], "major": p.server.Major}
	text, err := json.Marshal(about)
	if err != nil {
		return fmt.Errorf("plan what belongs to others: %w", err)
	}
	p.steps = append(p.steps, service.Step{ID: opDenied + " " + escape(p.database.Name), Target: p.in.env.Target, Op: opDenied, Args: text,
		Risk: service.ReadOnly, Title: service.Message{ID: "postgres." + opDenied, Args: about}})
	return nil
}

// Do does one step of Maintenance. A step whose work is done already says so.
func (in *Instance) Do(ctx context.Context, s service.Step, r service.Report) (service.Outcome, error) {
	if s.Op == opDenied {
		return denied(s)
	}
	var a careArgs
	if err := json.Unmarshal(s.Args, &a); err != nil {
		return service.Outcome{}, fmt.Errorf("read step %s: %w", s.ID, err)
	}
	work := map[string]func(*caring, context.Context) error{
		opVacuum: (*caring).vacuum, opAnalyze: (*caring).vacuum, opSweep: (*caring).sweep, opReindex: (*caring).reindex,
	}[s.Op]
	if work == nil {
		return service.Outcome{}, fmt.Errorf("step %s does %q: %w", s.ID, s.Op, service.ErrUnsupported)
	}
	conn, err := in.connectForCare(ctx, a)
	if errors.Is(err, errNoDatabase) {
		return service.Outcome{}, fmt.Errorf("database %q has gone: %w: %w", a.Database, service.ErrStale, err)
	}
	if err != nil {
		return service.Outcome{}, err
	}
	defer func() { _ = goodbye(ctx, conn) }()
	c := &caring{in: in, conn: conn, careArgs: a, op: s.Op, report: r}
	if err := work(c, ctx); err != nil {
		return service.Outcome{Verdict: c.verdict}, fmt.Errorf("%s in database %q: %w", s.Op, a.Database, in.careFault(ctx, err))
	}
	return service.Outcome{Verdict: c.verdict}, nil
}

// denied makes a finding of what nobody has done.
func denied(s service.Step) (o service.Outcome, err error) {
	var about service.Args
	if err := json.Unmarshal(s.Args, &about); err != nil {
		return o, fmt.Errorf("read step %s: %w", s.ID, err)
	}
	database, _ := about["database"].(string)
	o.Verdict.Warn("care-denied", database, about)
	return o, nil
}

// caring is one step that is being done.
type caring struct {
	careArgs
	in      *Instance
	conn    *pgx.Conn
	op      string
	report  service.Report
	verdict service.Verdict
}

// already is for a step that finds its work done: how says by what.
func (c *caring) already(how string) {
	c.verdict.Set("done", "already")
	c.verdict.Set("by", how)
}

// connectForCare makes the server give up where somebody else keeps us waiting, and
// where we are gone: a rebuild must not go on for hours after its plan was killed.
func (in *Instance) connectForCare(ctx context.Context, a careArgs) (*pgx.Conn, error) {
	conn, err := in.steady(ctx, a.Database, a.Encoding)
	if err != nil {
		return nil, err
	}
	err = execute(ctx, conn,
		fmt.Sprintf("SET lock_timeout TO %d", in.cfg.Care.LockTimeout.Std().Milliseconds()),
		fmt.Sprintf("SET statement_timeout TO %d", in.cfg.Care.Timeout.Std().Milliseconds()),
		// From version 14 on.
		"SELECT pg_catalog.set_config(name, '5s', false) FROM pg_catalog.pg_settings WHERE name = 'client_connection_check_interval'")
	if err != nil {
		_ = goodbye(ctx, conn)
		return nil, err
	}
	return conn, nil
}

const (
	stateCancelled = "57014" // also what statement_timeout ends with
	stateUnique    = "23505"
)

// careFault gives the errors of maintenance their own words.
func (in *Instance) careFault(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return err
	case state(err) == stateLocked:
		return &service.Fault{ID: "postgres.care-waited", Args: service.Args{"seconds": in.cfg.Care.LockTimeout.Std().Seconds()}, Err: err}
	case state(err) == stateCancelled:
		return &service.Fault{ID: "postgres.care-timeout", Args: service.Args{"seconds": in.cfg.Care.Timeout.Std().Seconds()},
			Err: fmt.Errorf("%w: %w", context.DeadlineExceeded, err)}
	}
	return err
}

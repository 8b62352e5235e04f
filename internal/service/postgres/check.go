package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"upkeep/internal/service"
)

// checking is one check of one server. What a role without pg_monitor cannot see
// is a finding of its own and hides nothing else.
type checking struct {
	in      *Instance
	conn    *pgx.Conn
	server  server
	found   []database
	monitor bool // our role sees what all sessions do
	verdict service.Verdict
}

// Check asks the server real questions. Only when it cannot be asked at all is
// there nothing but an error. A server that has no connection left for us has none
// for the application either: that is told, not unknown.
func (in *Instance) Check(ctx context.Context) (v service.Verdict, err error) {
	conn, missing, err := in.connectServer(ctx)
	if id, _ := service.ErrorID(err); id == faultNoSlots {
		v.Crit("connections-exhausted", "", nil)
		return v, nil
	}
	if err != nil {
		return v, err
	}
	c := &checking{in: in, conn: conn}
	defer func() { _ = goodbye(ctx, conn) }()
	if err := c.prepare(ctx, missing); err != nil {
		return c.verdict, err
	}
	err = c.run(ctx)
	return c.verdict, err
}

func (c *checking) prepare(ctx context.Context, missing string) (err error) {
	if c.server, err = describeServer(ctx, c.conn); err != nil {
		return err
	}
	c.verdict.Set("version", c.server.Version)
	c.verdict.Set("standby", c.server.Standby)
	var absent []string
	if c.found, absent, err = c.in.databases(ctx, c.conn); err != nil {
		return err
	}
	if missing != "" && !slices.Contains(absent, missing) {
		absent = append(absent, missing)
	}
	for _, name := range absent {
		c.verdict.Crit("database-missing", name, service.Args{"database": name})
	}
	c.monitor, err = value[bool](ctx, c.conn, "SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')")
	if err != nil {
		return err
	}
	if !c.monitor {
		c.verdict.Unsure("no-pg-monitor", "", service.Args{"role": c.server.Me})
	}
	return nil
}

// run judges every part on its own: one that cannot be read does not hide the
// findings of the others.
func (c *checking) run(ctx context.Context) error {
	parts := []func(context.Context) error{
		c.password, c.connections, c.pools, c.transactions, c.replication, c.slots, c.wraparound,
		c.archiver, c.checksums, c.statements, c.sizes, c.databases,
	}
	var failed []error
	for _, part := range parts {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(failed, fault(err))...)
		}
		failed = append(failed, part(ctx))
	}
	return errors.Join(failed...)
}

// password looks for one that stands in the address.
func (c *checking) password(context.Context) error {
	cfg, err := pgx.ParseConfig(c.in.cfg.URL)
	if err == nil && c.in.scratch == nil && hasPassword(c.in.cfg.URL) {
		c.verdict.Warn("password-in-url", "", service.Args{"user": cfg.User})
	}
	return nil
}

// connectionUse is what ordinary roles have and what is taken of it.
type connectionUse struct {
	Used     int
	Limit    int // max_connections without those that are reserved
	Reserved int
}

// Reserved connections beyond the superuser's exist from 16 on. A role without
// pg_monitor sees that a session is there, not of which sort it is.
const connectionsSQL = `
SELECT (SELECT count(*) FROM pg_stat_activity
        WHERE backend_type = 'client backend' OR (backend_type IS NULL AND usesysid IS NOT NULL))::int AS used,
       (current_setting('max_connections')::int - r.reserved) AS limit, r.reserved
FROM (SELECT current_setting('superuser_reserved_connections')::int
             + coalesce(current_setting('reserved_connections', true), '0')::int AS reserved) r`

func (c *checking) use(ctx context.Context) (connectionUse, error) {
	all, err := collect[connectionUse](ctx, c.conn, connectionsSQL)
	if err != nil {
		return connectionUse{}, fmt.Errorf("count connections: %w", err)
	}
	return all[0], nil
}

func (c *checking) connections(ctx context.Context) error {
	use, err := c.use(ctx)
	if err != nil {
		return err
	}
	c.verdict.Set("connections", use.Used)
	c.verdict.Set("connections_limit", use.Limit)
	share := float64(use.Used) / float64(max(use.Limit, 1))
	args := service.Args{"used": use.Used, "limit": use.Limit, "reserved": use.Reserved, "share": share}
	limits := c.in.cfg.Connections
	switch {
	case use.Used > use.Limit: // ours is one of the reserved
		c.verdict.Crit("connections-exhausted", "", args)
	case limits.Critical > 0 && share >= float64(limits.Critical):
		c.verdict.Crit("connections-high", "", args)
	case limits.Warning > 0 && share >= float64(limits.Warning):
		c.verdict.Warn("connections-high", "", args)
	}
	return nil
}

// pools compares what the applications may open together with what there is.
func (c *checking) pools(ctx context.Context) error {
	if len(c.in.cfg.Pools) == 0 {
		return nil
	}
	use, err := c.use(ctx)
	if err != nil {
		return err
	}
	total := 0
	for _, pool := range c.in.cfg.Pools {
		total += pool.max()
	}
	c.verdict.Set("pools_max", total)
	if total > use.Limit {
		c.verdict.Warn("pools-exceed-connections", "", service.Args{"pools": total, "limit": use.Limit, "reserved": use.Reserved})
	}
	return nil
}

const stateNotReady = "55000" // object_not_in_prerequisite_state

func (c *checking) sizes(ctx context.Context) error {
	return c.in.checkSizes(ctx, c.conn, c.found, &c.verdict)
}

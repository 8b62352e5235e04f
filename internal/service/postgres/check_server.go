package postgres

import (
	"context"
	"fmt"

	"upkeep/internal/service"
)

// session is one that has held a transaction for too long.
type session struct {
	PID      int
	Role     string
	Database string
	App      string
	Idle     bool
	Seconds  float64
}

const sessionsSQL = `
SELECT pid, coalesce(usename::text, '') AS role, coalesce(datname::text, '') AS database,
       coalesce(application_name, '') AS app, state LIKE 'idle in transaction%' AS idle,
       extract(epoch FROM clock_timestamp() - xact_start)::float8 AS seconds
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
  AND clock_timestamp() - xact_start > make_interval(secs => $1)
ORDER BY xact_start LIMIT 20`

// prepared transactions outlive their session and hold locks until somebody ends them.
const preparedSQL = `
SELECT gid, database::text AS database, extract(epoch FROM clock_timestamp() - prepared)::float8 AS seconds
FROM pg_prepared_xacts WHERE clock_timestamp() - prepared > make_interval(secs => $1) ORDER BY prepared LIMIT 20`

func (c *checking) transactions(ctx context.Context) error {
	limit := c.in.cfg.LongTransaction.Std().Seconds()
	if limit == 0 {
		return nil
	}
	found, err := collect[session](ctx, c.conn, sessionsSQL, limit)
	if err != nil {
		return fmt.Errorf("list long transactions: %w", err)
	}
	for _, s := range found {
		slug := "long-transaction"
		if s.Idle {
			slug = "idle-in-transaction"
		}
		c.verdict.Warn(slug, fmt.Sprintf("%d", s.PID), service.Args{
			"pid": s.PID, "role": s.Role, "database": s.Database, "app": s.App, "seconds": s.Seconds})
	}
	type prepared struct {
		GID      string
		Database string
		Seconds  float64
	}
	left, err := collect[prepared](ctx, c.conn, preparedSQL, limit)
	if err != nil {
		return fmt.Errorf("list prepared transactions: %w", err)
	}
	for _, p := range left {
		c.verdict.Warn("prepared-transaction", p.GID, service.Args{"gid": p.GID, "database": p.Database, "seconds": p.Seconds})
	}
	return nil
}

const (
	// lagWarning and lagCritical are seconds that a standby is behind.
	lagWarning  = 60
	lagCritical = 600
	// slotWarning and slotCritical are bytes of WAL that one slot holds back.
	slotWarning  = 1 << 30
	slotCritical = 10 << 30
)

// standby is one that streams from this server.
type standby struct {
	Name    string
	State   string
	Seconds float64
	Bytes   int64
}

// A primary tells how far its standbys are; a standby how old its last change is,
// but only while there are changes it has received and not replayed.
const (
	standbysSQL = `
SELECT coalesce(nullif(application_name, ''), client_addr::text, 'standby') AS name, coalesce(state, '') AS state,
       coalesce(extract(epoch FROM replay_lag), 0)::float8 AS seconds,
       coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), 0)::bigint AS bytes
FROM pg_stat_replication WHERE state IS DISTINCT FROM 'backup' ORDER BY 1`
	behindSQL = `
SELECT '' AS name, coalesce((SELECT status FROM pg_stat_wal_receiver), '') AS state,
       CASE WHEN pg_last_wal_receive_lsn() IS NOT DISTINCT FROM pg_last_wal_replay_lsn() THEN 0
            ELSE coalesce(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 0) END::float8 AS seconds,
       coalesce(pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), 0)::bigint AS bytes`
)

func (c *checking) replication(ctx context.Context) error {
	sql := standbysSQL
	if c.server.Standby {
		sql = behindSQL
	}
	found, err := collect[standby](ctx, c.conn, sql)
	if err != nil {
		return fmt.Errorf("read replication: %w", err)
	}
	for _, s := range found {
		if c.server.Standby && s.State == "" && c.monitor {
			c.verdict.Warn("not-streaming", "", nil)
		}
		args := service.Args{"standby": s.Name, "seconds": s.Seconds, "bytes": s.Bytes}
		switch {
		case s.Seconds >= lagCritical:
			c.verdict.Crit("replication-lag", s.Name, args)
		case s.Seconds >= lagWarning:
			c.verdict.Warn("replication-lag", s.Name, args)
		}
	}
	return nil
}

func (c *checking) slots(ctx context.Context) error {
	type slot struct {
		Name   string
		Active bool
		Lost   bool
		Bytes  int64
	}
	found, err := collect[slot](ctx, c.conn, `
		SELECT slot_name::text AS name, active, coalesce(wal_status = 'lost', false) AS lost,
		       coalesce(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
		                                ELSE pg_current_wal_lsn() END, restart_lsn), 0)::bigint AS bytes
		FROM pg_replication_slots ORDER BY 1`)
	if err != nil {
		return fmt.Errorf("read replication slots: %w", err)
	}
	for _, s := range found {
		args := service.Args{"slot": s.Name, "bytes": s.Bytes, "active": s.Active}
		switch {
		case s.Lost:
			c.verdict.Crit("slot-lost", s.Name, args)
		case s.Bytes >= slotCritical:
			c.verdict.Crit("slot-holds-wal", s.Name, args)
		case s.Bytes >= slotWarning || !s.Active:
			c.verdict.Warn("slot-holds-wal", s.Name, args)
		}
	}
	return nil
}

const (
	// PostgreSQL stops writing 3 million transactions before 2^31.
	wraparoundLimit    = 1<<31 - 3_000_000
	wraparoundWarning  = 0.40
	wraparoundCritical = 0.75
)

// wraparound looks at all databases, also those that are not the target's: any one
// of them stops the whole server.
func (c *checking) wraparound(ctx context.Context) error {
	type age struct {
		Database string
		XID      int64
		Multi    int64
	}
	found, err := collect[age](ctx, c.conn, `
		SELECT datname::text AS database, age(datfrozenxid)::bigint AS xid, mxid_age(datminmxid)::bigint AS multi
		FROM pg_database ORDER BY 1`)
	if err != nil {
		return fmt.Errorf("read ages: %w", err)
	}
	var oldest int64
	for _, a := range found {
		for kind, age := range map[string]int64{"transactions": a.XID, "multixacts": a.Multi} {
			oldest = max(oldest, age)
			share := float64(age) / wraparoundLimit
			args := service.Args{"database": a.Database, "kind": kind, "age": age, "share": share, "left": wraparoundLimit - age}
			switch {
			case share >= wraparoundCritical:
				c.verdict.Crit("wraparound", a.Database, args)
			case share >= wraparoundWarning:
				c.verdict.Warn("wraparound", a.Database, args)
			}
		}
	}
	c.verdict.Set("oldest_transaction_age", oldest)
	return nil
}

func (c *checking) archiver(ctx context.Context) error {
	type archiver struct {
		On      bool
		Failing bool
		Failed  int64
		WAL     string
		Seconds float64
	}
	found, err := collect[archiver](ctx, c.conn, `
		SELECT current_setting('archive_mode') <> 'off' AS on,
		       coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) AS failing,
		       failed_count AS failed, coalesce(last_failed_wal, '') AS wal,
		       coalesce(extract(epoch FROM clock_timestamp() - coalesce(last_archived_time, stats_reset)), 0)::float8 AS seconds
		FROM pg_stat_archiver`)
	if err != nil {
		return fmt.Errorf("read the archiver: %w", err)
	}
	for _, a := range found {
		if a.On && a.Failing {
			c.verdict.Crit("archive-failing", "", service.Args{"failures": a.Failed, "wal": a.WAL, "seconds": a.Seconds})
		}
	}
	return nil
}

// checksums reports damage that the server has met while reading pages.
func (c *checking) checksums(ctx context.Context) error {
	type failures struct {
		Database string
		Count    int64
	}
	found, err := collect[failures](ctx, c.conn, `
		SELECT coalesce(datname::text, 'shared') AS database, checksum_failures AS count
		FROM pg_stat_database WHERE checksum_failures > 0 ORDER BY 1`)
	if err != nil {
		return fmt.Errorf("read checksum failures: %w", err)
	}
	for _, f := range found {
		c.verdict.Crit("checksum-failures", f.Database, service.Args{"database": f.Database, "count": f.Count})
	}
	return nil
}

package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"upkeep/internal/quantity"
	"upkeep/internal/service"
)

// Vacuum says when a table is vacuumed or analyzed. A share of 0 switches its
// reason off.
type Vacuum struct {
	Dead     quantity.Share `yaml:"dead"`     // of a table's rows, also of its TOAST
	Modified quantity.Share `yaml:"modified"` // of a table's rows since it was last analyzed; a table that never was is due
	Freeze   quantity.Share `yaml:"freeze"`   // of autovacuum_freeze_max_age or its counterpart for multixacts
	Rows     int            `yaml:"rows"`     // fewer dead or modified rows are left alone
}

// dueTable is one that VACUUM or ANALYZE would help.
type dueTable struct {
	OID       uint32
	Schema    string
	Name      string
	Label     string // as it is written in SQL
	Filenode  uint32 // 0 for a partitioned table
	Dead      int64
	Live      int64
	ToastDead int64
	ToastLive int64
	Modified  int64
	Vacuumed  *time.Time
	Analyzed  *time.Time
	Frozen    string
	Age       int64
	AgeMax    int64
	Ages      string // transactions or multixacts: what Age counts
	IsDead    bool
	IsToast   bool
	IsOld     bool
	IsStale   bool
	Allowed   bool
}

// tableSQL is what is known of tables, estimates of the statistics collector
// among it. An age is that of the table or its TOAST, whichever is nearer to its
// limit; limits that single tables have of their own are not looked at.
const tableSQL = `
SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, format('%I.%I', n.nspname, c.relname) AS label,
       coalesce(pg_relation_filenode(c.oid), 0)::oid AS filenode, c.relkind, c.relowner,
       s.n_dead_tup AS dead, s.n_live_tup AS live, s.n_mod_since_analyze AS modified,
       coalesce(ts.n_dead_tup, 0) AS toastdead, coalesce(ts.n_live_tup, 0) AS toastlive,
       greatest(s.last_vacuum, s.last_autovacuum) AS vacuumed, greatest(s.last_analyze, s.last_autoanalyze) AS analyzed,
       concat_ws(' ', c.relfrozenxid, c.relminmxid, t.relfrozenxid, t.relminmxid) AS frozen,
       x.age, x.agemax, x.ages
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_stat_all_tables s ON s.relid = c.oid
LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
LEFT JOIN pg_stat_all_tables ts ON ts.relid = t.oid
LEFT JOIN LATERAL (
  SELECT age::bigint, agemax, ages FROM (
    SELECT greatest(age(c.relfrozenxid), age(t.relfrozenxid)) AS age,
           current_setting('autovacuum_freeze_max_age')::bigint AS agemax, 'transactions' AS ages WHERE c.relkind <> 'p'
    UNION ALL
    SELECT greatest(mxid_age(c.relminmxid), mxid_age(t.relminmxid)),
           current_setting('autovacuum_multixact_freeze_max_age')::bigint, 'multixacts' WHERE c.relkind <> 'p') both_ages
  ORDER BY age::float8 / agemax DESC LIMIT 1) x ON true`

// dueTablesSQL keeps the tables that ask for care and that nobody vacuums right
// now. A session that is not ours to watch hides its table (null). Catalogues get
// no ANALYZE, and those that all databases share are left to autovacuum.
func dueTablesSQL(major int) string {
	return `
SELECT oid, schema, name, label, filenode, dead, live, toastdead, toastlive, modified, vacuumed, analyzed, frozen,
       coalesce(age, 0) AS age, coalesce(agemax, 0) AS agemax, coalesce(ages, '') AS ages,
       isdead, istoast, isold, isstale, ` + mayCare(major) + ` AS allowed
FROM (SELECT *,
       $1::float8 > 0 AND dead >= greatest($4, 1) AND dead >= $1 * (dead + live) AS isdead,
       $1 > 0 AND toastdead >= greatest($4, 1) AND toastdead >= $1 * (toastdead + toastlive) AS istoast,
       coalesce($3::float8 > 0 AND age >= $3 * agemax, false) AS isold,
       $2::float8 > 0 AND schema <> 'pg_catalog' AND (modified >= greatest($4::bigint, 1) AND modified >= $2 * live
         OR analyzed IS NULL AND CASE relkind WHEN 'p' THEN
              EXISTS (SELECT FROM pg_partition_tree(oid) p WHERE p.isleaf AND coalesce(pg_relation_size(p.relid), 0) > 0)
            ELSE coalesce(pg_relation_size(oid), 0) > 0 END) AS isstale
      FROM (` + tableSQL + ` WHERE c.relkind IN ('r', 'm', 'p') AND c.relpersistence <> 't' AND NOT c.relisshared
            AND (n.nspname = 'pg_catalog' OR ` + userSchema + `)) known) judged
WHERE (isdead OR istoast OR isold OR isstale)
  AND NOT EXISTS (SELECT FROM pg_stat_progress_vacuum p WHERE p.datname = current_database() AND coalesce(p.relid, oid) = oid)
ORDER BY schema COLLATE "C", name COLLATE "C"`
}

// mayCare is the server's own rule for VACUUM and ANALYZE.
func mayCare(major int) string {
	rule := `(pg_has_role(relowner, 'USAGE') OR (SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = current_database())`
	if major >= 17 {
		rule += ` OR has_table_privilege(oid, 'MAINTAIN')`
	}
	return rule + ")"
}

// tables plans VACUUM and ANALYZE.
func (p *planning) tables(ctx context.Context) error {
	limit := p.in.cfg.Vacuum
	found, err := collect[dueTable](ctx, p.conn, dueTablesSQL(p.server.Major),
		float64(limit.Dead), float64(limit.Modified), float64(limit.Freeze), int64(limit.Rows))
	if err != nil {
		return fmt.Errorf("look for tables that ask for care: %w", err)
	}
	for _, t := range found {
		switch {
		case t.Allowed:
			err = p.table(t)
		case t.Schema != "pg_catalog": // catalogues are the superuser's own
			p.denied = append(p.denied, t.Label)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// table plans one step for one table: a VACUUM that does all that is due, or ANALYZE.
func (p *planning) table(t dueTable) error {
	if t.IsDead || t.IsToast || t.IsOld {
		return p.add(opVacuum, t.args(), t.title(p.in.cfg.Vacuum))
	}
	return p.add(opAnalyze, t.args(), t.title(p.in.cfg.Vacuum))
}

func (t dueTable) args() careArgs {
	a := careArgs{Schema: t.Schema, Table: t.Name, OID: t.OID, Filenode: t.Filenode,
		Analyze: t.IsStale, Vacuumed: t.Vacuumed, Analyzed: t.Analyzed}
	if t.IsOld {
		a.Frozen = t.Frozen
	}
	return a
}

// title gives the numbers of every reason beside its limit.
func (t dueTable) title(limit Vacuum) service.Args {
	title := service.Args{"table": t.Label, "dead": int64(0), "age": int64(0), "toast": !t.IsDead,
		"stale": t.IsStale, "analyzed": t.Analyzed != nil}
	dead, rows := t.Dead, t.Dead+t.Live
	if !t.IsDead {
		dead, rows = t.ToastDead, t.ToastDead+t.ToastLive
	}
	if t.IsDead || t.IsToast {
		title["dead"], title["rows"], title["share"], title["limit"] = dead, rows, float64(dead)/float64(rows), float64(limit.Dead)
	}
	if t.IsOld {
		title["age"], title["ages"], title["age_share"], title["age_limit"] = t.Age, t.Ages, float64(t.Age)/float64(t.AgeMax), float64(limit.Freeze)
	}
	if t.IsStale {
		title["modified"], title["live"], title["modified_limit"] = t.Modified, t.Live, float64(limit.Modified)
	}
	return title
}

// tableState is what Do compares.
type tableState struct {
	Label    string
	Schema   string
	Name     string
	Filenode uint32
	Dead     int64
	Live     int64
	Vacuumed *time.Time
	Analyzed *time.Time
	Frozen   string
	Bytes    int64
}

const tableStateSQL = `SELECT label, schema, name, filenode, dead, live, vacuumed, analyzed, frozen,
  coalesce(pg_total_relation_size(oid), 0) AS bytes FROM (` + tableSQL + ` WHERE c.oid = $1) known`

func (c *caring) table(ctx context.Context) (tableState, error) {
	found, err := collect[tableState](ctx, c.conn, tableStateSQL, c.OID)
	if err != nil {
		return tableState{}, fmt.Errorf("look at table %q: %w", c.Table, err)
	}
	if len(found) == 0 {
		return tableState{}, fmt.Errorf("table %q has gone since it was planned: %w", c.Table, service.ErrStale)
	}
	return found[0], nil
}

// vacuum does VACUUM, with ANALYZE and FREEZE where they are due, or ANALYZE alone.
// It never rewrites a table: FULL would shut everybody out.
func (c *caring) vacuum(ctx context.Context) error {
	before, err := c.table(ctx)
	if err != nil {
		return err
	}
	if how := c.doneBy(before); how != "" {
		c.already(how)
		return nil
	}
	err = c.watched(ctx, vacuumProgressSQL, c.OID, func() error {
		return execute(ctx, c.conn, c.vacuumStatement()+quote(before.Schema, before.Name))
	})
	if err != nil {
		return err
	}
	after, err := c.counted(ctx, before)
	if err != nil {
		return err
	}
	c.verdict.Set("done", c.op)
	c.verdict.Set("dead_before", before.Dead)
	c.verdict.Set("dead_after", after.Dead)
	c.verdict.Set("bytes_before", before.Bytes)
	c.verdict.Set("bytes_after", after.Bytes)
	c.heldBack(before, after)
	return nil
}

func (c *caring) vacuumStatement() string {
	if c.op == opAnalyze {
		return "ANALYZE "
	}
	var options []string
	if c.Analyze {
		options = append(options, "ANALYZE")
	}
	if c.Frozen != "" {
		options = append(options, "FREEZE")
	}
	if len(options) == 0 {
		return "VACUUM "
	}
	return "VACUUM (" + strings.Join(options, ", ") + ") "
}

// doneBy says what has done the step's work since it was planned, or nothing. A
// table that was written anew has no dead rows; one whose oldest transactions are
// others was frozen.
func (c *caring) doneBy(now tableState) string {
	vacuumed, analyzed := later(now.Vacuumed, c.Vacuumed), later(now.Analyzed, c.Analyzed)
	switch {
	case c.op == opAnalyze && analyzed:
		return opAnalyze
	case c.op == opAnalyze, c.Analyze && !analyzed:
		return ""
	case now.Filenode != c.Filenode:
		return "rewrite"
	case c.Frozen == "" && vacuumed, c.Frozen != "" && now.Frozen != c.Frozen:
		return opVacuum
	}
	return ""
}

func later(now, before *time.Time) bool {
	return now != nil && (before == nil || now.After(*before))
}

// counted waits until the server's statistics know of the work: before version 15
// they come with some delay. A server that leaves a table out only warns, so this
// is the proof that it did not.
func (c *caring) counted(ctx context.Context, before tableState) (tableState, error) {
	const patience, pause = 50, 100 * time.Millisecond
	for range patience {
		after, err := c.table(ctx)
		if err != nil {
			return after, err
		}
		if c.op == opVacuum && later(after.Vacuumed, before.Vacuumed) || c.op == opAnalyze && later(after.Analyzed, before.Analyzed) {
			return after, nil
		}
		select {
		case <-ctx.Done():
			return after, ctx.Err()
		case <-time.After(pause):
		}
	}
	return tableState{}, fmt.Errorf("the server left table %s out: the role may not do %s there, or the statistics do not move: %w", before.Label, c.op, service.ErrDenied)
}

// heldBack reports rows that a VACUUM could not remove or freeze because somebody
// may still see them.
func (c *caring) heldBack(before, after tableState) {
	if c.op != opVacuum {
		return
	}
	limit := c.in.cfg.Vacuum
	share := float64(after.Dead) / float64(max(after.Dead+after.Live, 1))
	left := limit.Dead > 0 && after.Dead >= int64(max(limit.Rows, 1)) && share >= float64(limit.Dead)
	if left || c.Frozen != "" && after.Frozen == before.Frozen {
		c.verdict.Warn("vacuum-held-back", c.Database+"."+after.Label, service.Args{
			"table": after.Label, "database": c.Database, "left": left, "dead": after.Dead, "share": share})
	}
}

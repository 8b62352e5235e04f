package postgres

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"upkeep/internal/quantity"
	"upkeep/internal/service"
)

// Slow says which statements are findings: those that take longer than Mean on
// average and were run at least Calls times.
type Slow struct {
	Mean  quantity.Duration `yaml:"mean"`  // of one run, since the statistics were last reset; 0 switches it off
	Calls int               `yaml:"calls"` // fewer runs say little
}

// statement is one statement of one database, over all roles. The text is the
// extension's: constants stand as $1.
type statement struct {
	Database string  `json:"database"`
	ID       int64   `json:"id"`
	Query    string  `json:"query"`
	Calls    int64   `json:"calls"`
	Mean     float64 `json:"mean_s"`
	Total    float64 `json:"total_s"`
	Rows     int64   `json:"rows"`
	All      int64   `json:"-"` // how many there are in all, shown or not
}

const (
	// topStatements is how many statements are facts, and how many findings at most.
	topStatements = 10
	// shownQuery is how many characters of a statement are shown.
	shownQuery = 200
)

// statementsSQL sums up over roles and nesting. What copies, maintains or defines
// is slow by nature and is left out. The times had other names before version 1.8
// of the extension, which a server that was upgraded may still have.
const statementsSQL = `
SELECT *, count(*) OVER () AS all FROM (
  SELECT d.datname::text AS database, s.queryid AS id, min(s.query) AS query, sum(s.calls)::bigint AS calls,
         (sum(s.%[2]s) / sum(s.calls) / 1000)::float8 AS mean, (sum(s.%[2]s) / 1000)::float8 AS total, sum(s.rows)::bigint AS rows
  FROM %[1]s s JOIN pg_catalog.pg_database d ON d.oid = s.dbid
  WHERE s.dbid = ANY ($1) AND s.queryid IS NOT NULL AND s.calls > 0
    AND s.query ~* '^(\s|[(]|--[^\n]*\n|/[*]([^*]|[*]+[^*/])*[*]+/)*(select|insert|update|delete|merge|with|values|call)\M'
  GROUP BY 1, 2) sums
WHERE mean >= $2 AND calls >= $3 ORDER BY total DESC, database, id LIMIT $4`

// recorder is the extension where the check looks for it. Recording is false where
// settings keep it from noticing anything.
type recorder struct {
	Schema    string
	Old       bool // version 1.7 or older
	Dated     bool // it knows when it was reset: from version 1.9 on
	Recording bool
}

// A setting of the extension is unknown (null) where its library is not loaded.
const recorderSQL = `
SELECT n.nspname::text AS schema,
       NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = v.oid AND a.attname = 'mean_exec_time') AS old,
       EXISTS (SELECT FROM pg_class i WHERE i.relnamespace = n.oid AND i.relname = 'pg_stat_statements_info') AS dated,
       coalesce(current_setting('pg_stat_statements.track', true), '') <> 'none'
         AND coalesce(current_setting('compute_query_id', true), '') <> 'off' AS recording
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
JOIN pg_class v ON v.relnamespace = n.oid AND v.relname = 'pg_stat_statements'
WHERE e.extname = 'pg_stat_statements'`

// statements lists what took most of the server's time, and judges what is slow.
func (c *checking) statements(ctx context.Context) error {
	found, err := collect[recorder](ctx, c.conn, recorderSQL)
	if err != nil {
		return fmt.Errorf("look for pg_stat_statements: %w", err)
	}
	if len(found) == 0 {
		c.noStatements(service.Args{"installed": false})
		return nil
	}
	err = c.topStatements(ctx, found[0])
	switch state(err) {
	case stateNotReady: // the library is not preloaded
		c.noStatements(service.Args{"installed": true})
		return nil
	case stateNoPrivilege:
		c.noStatements(service.Args{"installed": true, "denied": true, "schema": found[0].Schema, "role": c.server.Me})
		return nil
	}
	if err == nil && !found[0].Recording {
		c.noStatements(service.Args{"installed": true, "off": true})
	}
	return err
}

func (c *checking) noStatements(args service.Args) {
	args["database"] = c.conn.Config().Database
	c.verdict.Warn("no-pg-stat-statements", "", args)
}

func (c *checking) topStatements(ctx context.Context, from recorder) error {
	top, err := c.statementsOver(ctx, from, 0, 1)
	if err != nil {
		return err
	}
	since, err := sinceReset(ctx, c.conn, from)
	if err != nil {
		return err
	}
	c.verdict.Set("statements", top)
	if since > 0 {
		c.verdict.Set("statements_since_s", since)
	}
	limit := c.in.cfg.Slow
	if limit.Mean == 0 {
		return nil
	}
	slow, err := c.statementsOver(ctx, from, limit.Mean.Std().Seconds(), int64(limit.Calls))
	if err != nil {
		return err
	}
	c.verdict.Set("statements_slow", countOf(slow))
	for _, s := range slow {
		c.verdict.Warn("slow-statement", s.Database+" "+strconv.FormatInt(s.ID, 10), service.Args{
			"database": s.Database, "id": strconv.FormatInt(s.ID, 10), "query": s.Query, "calls": s.Calls, "mean": s.Mean, "total": s.Total,
			"rows": s.Rows, "limit": limit.Mean.Std().Seconds(), "since": since, "count": s.All, "schema": from.Schema})
	}
	return nil
}

// countOf is how many there are, of which the given ones are the first.
func countOf(shown []statement) int64 {
	if len(shown) == 0 {
		return 0
	}
	return shown[0].All
}

func (c *checking) statementsOver(ctx context.Context, from recorder, mean float64, calls int64) ([]statement, error) {
	column := "total_exec_time"
	if from.Old {
		column = "total_time"
	}
	oids := make([]uint32, len(c.found))
	for i, d := range c.found {
		oids[i] = d.OID
	}
	sql := fmt.Sprintf(statementsSQL, quote(from.Schema, "pg_stat_statements"), column)
	found, err := collect[statement](ctx, c.conn, sql, oids, mean, calls, topStatements)
	if err != nil {
		return nil, fmt.Errorf("read pg_stat_statements: %w", err)
	}
	for i, s := range found {
		found[i].Query = shorten(withoutValues(s.Query))
	}
	return found, nil
}

// sinceReset is how many seconds the statistics go back, 0 where that is not known.
func sinceReset(ctx context.Context, conn *pgx.Conn, from recorder) (float64, error) {
	if !from.Dated {
		return 0, nil
	}
	seconds, err := value[float64](ctx, conn, "SELECT coalesce(extract(epoch FROM clock_timestamp() - stats_reset), 0)::float8 FROM "+
		quote(from.Schema, "pg_stat_statements_info"))
	if err != nil {
		return 0, fmt.Errorf("read when pg_stat_statements was reset: %w", err)
	}
	return seconds, nil
}

// tokens finds, in this order: comments; identifiers and parameters; constants.
var tokens = regexp.MustCompile(`(?s)--[^\n]*|/\*.*?\*/` +
	`|"(?:[^"]|"")*"|\$[0-9]+` +
	`|[eE]'(?:[^'\\]|''|\\.)*(?:'|$)|'(?:[^']|'')*(?:'|$)|\$(?:[A-Za-z_][A-Za-z_0-9]*)?\$.*` +
	`|[A-Za-z_\x{80}-\x{10ffff}][A-Za-z_0-9$\x{80}-\x{10ffff}]*|[0-9][0-9.]*`)

var kept = regexp.MustCompile(`^("|\$[0-9]|[^0-9'$][^']*$)`)

// withoutValues takes out the constants that the extension left in: it keeps a text
// as it was sent where its entry was thrown out while the statement ran.
func withoutValues(query string) string {
	return tokens.ReplaceAllStringFunc(query, func(token string) string {
		switch {
		case strings.HasPrefix(token, "--"), strings.HasPrefix(token, "/*"):
			return " "
		case kept.MatchString(token):
			return token
		}
		return "?"
	})
}

// shorten puts a statement on one line and cuts it between characters.
func shorten(query string) string {
	runes := []rune(strings.Join(strings.Fields(strings.ToValidUTF8(query, "?")), " "))
	if len(runes) <= shownQuery {
		return string(runes)
	}
	return string(runes[:shownQuery]) + "…"
}

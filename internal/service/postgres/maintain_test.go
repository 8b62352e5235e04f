package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"upkeep/internal/catalogue"
	"upkeep/internal/quantity"
	"upkeep/internal/service"
	"upkeep/internal/service/postgres"
	"upkeep/internal/service/servicetest"
	"upkeep/lab"
)

// carer is what maintenance needs of an instance.
type carer interface {
	service.Maintainer
	service.Doer
}

// still switches autovacuum off: it would do the work that a test wants to see due.
var still = map[string]string{"autovacuum": "off", "max_prepared_transactions": "2"}

func careFor(t *testing.T, server *lab.Server, edit func(*postgres.Config)) carer {
	t.Helper()
	return declare(t, servicetest.Env(t), server, "postgres", func(c *postgres.Config) {
		c.Vacuum.Rows, c.Reindex.Size = 100, 256<<10
		if edit != nil {
			edit(c)
		}
	}).(carer)
}

// plan lists what is due and wants every title to have words.
func plan(t *testing.T, in service.Maintainer) []service.Step {
	t.Helper()
	steps, err := in.Maintenance(t.Context())
	must(t, err)
	seen := map[string]bool{}
	for _, s := range steps {
		if seen[s.ID] || s.Target != "target" || s.Risk != service.Harmless && s.Op != "denied" || s.Seen != "" {
			t.Errorf("step %+v", s)
		}
		seen[s.ID] = true
		spoken(t, s.Title)
	}
	return steps
}

// spoken returns the English words of a step.
func spoken(t *testing.T, m service.Message) string {
	t.Helper()
	words, err := catalogue.New(catalogue.Source{Prefix: "postgres", Text: postgres.Kind.Text()})
	must(t, err)
	for _, lang := range catalogue.Languages() {
		if said := words.Words(lang).Message(m.ID, m.Args); strings.ContainsAny(said, "?!") || strings.Contains(said, "{{") {
			t.Errorf("%s in %s says %q", m.ID, lang, said)
		}
	}
	return words.Words("en").Message(m.ID, m.Args)
}

// ids are the steps of a plan, for comparing.
func ids(steps []service.Step) string {
	var all []string
	for _, s := range steps {
		all = append(all, s.ID)
	}
	return strings.Join(all, ", ")
}

// doAll does a plan as another process would: from its text.
func doAll(t *testing.T, in service.Doer, steps []service.Step) []service.Outcome {
	t.Helper()
	var all []service.Outcome
	for _, s := range steps {
		text, err := json.Marshal(s)
		must(t, err)
		var read service.Step
		must(t, json.Unmarshal(text, &read))
		o, err := in.Do(t.Context(), read, service.Report{})
		if err != nil {
			t.Fatalf("%s: %v", s.ID, err)
		}
		all = append(all, o)
	}
	return all
}

// settle waits until the server's statistics know as many dead rows of a table.
func settle(t *testing.T, server *lab.Server, database, table string, dead int64) {
	t.Helper()
	waitFor(t, func() bool {
		return ask[int64](t, server.DSN(database), "SELECT n_dead_tup FROM pg_stat_all_tables WHERE relid = '"+table+"'::regclass") >= dead
	})
}

func TestOnlyTablesThatAskForItAreVacuumed(t *testing.T) {
	on(t, majors, still, func(t *testing.T, server *lab.Server) {
		sql(t, server.DSN("postgres"), "CREATE DATABASE cot")
		sql(t, server.DSN("cot"),
			"CREATE TABLE dead (n int)", "INSERT INTO dead SELECT generate_series(1, 10000)",
			"CREATE TABLE fine (n int)", "INSERT INTO fine SELECT generate_series(1, 10000)",
			"CREATE TABLE few (n int)", "INSERT INTO few SELECT generate_series(1, 90)",
			"CREATE TABLE changed (n int)", "INSERT INTO changed SELECT generate_series(1, 1000)",
			"CREATE TABLE never (n int)", "INSERT INTO never VALUES (1)",
			"CREATE TABLE empty (n int)",
			"CREATE TABLE parent (n int) PARTITION BY RANGE (n)", "CREATE TABLE child PARTITION OF parent FOR VALUES FROM (0) TO (100)",
			"INSERT INTO child VALUES (1)")
		// A session hands its counts over when it ends, which its client does not wait for:
		// those that came after ANALYZE would count as changes since.
		waitFor(t, func() bool {
			return ask[int64](t, server.DSN("cot"), "SELECT count(*) FROM pg_stat_all_tables WHERE n_mod_since_analyze > 0 AND relname IN ('dead', 'fine', 'few', 'changed', 'child')") == 5
		})
		sql(t, server.DSN("cot"), "ANALYZE dead, fine, few, changed, child")
		sql(t, server.DSN("cot"), "UPDATE dead SET n = n WHERE n <= 5000", "UPDATE fine SET n = n WHERE n <= 50", "DELETE FROM few",
			"INSERT INTO changed SELECT generate_series(1, 500)")
		settle(t, server, "cot", "dead", 5000)
		waitFor(t, func() bool {
			return ask[int64](t, server.DSN("cot"), "SELECT n_mod_since_analyze FROM pg_stat_all_tables WHERE relname = 'changed'") == 500
		})
		in := careFor(t, server, nil)
		steps := plan(t, in)
		const want = "analyze cot.public.changed, vacuum cot.public.dead, analyze cot.public.never, analyze cot.public.parent"
		if ids(steps) != want {
			t.Fatalf("due are %s", ids(steps))
		}
		if again := plan(t, in); jsonOf(t, again) != jsonOf(t, steps) {
			t.Errorf("the second plan is\n%s, the first\n%s", jsonOf(t, again), jsonOf(t, steps))
		}
		if said := spoken(t, steps[1].Title); !strings.Contains(said, "5,000 of 15,000 rows are dead (33.3 %, due from 20 %); analyze: 5,000 rows changed") {
			t.Errorf("the title says %q", said)
		}
		for i, o := range doAll(t, in, steps) {
			if done := o.Verdict.Facts["done"]; done != steps[i].Op || len(o.Verdict.Findings) > 0 {
				t.Errorf("%s: %v, %v", steps[i].ID, o.Verdict.Facts, o.Verdict.Findings)
			}
		}
		if dead := ask[int64](t, server.DSN("cot"), "SELECT n_dead_tup FROM pg_stat_all_tables WHERE relname = 'dead'"); dead != 0 {
			t.Errorf("%d rows are still dead", dead)
		}
		if left := plan(t, in); len(left) > 0 {
			t.Errorf("still due: %s", ids(left))
		}
		for i, o := range doAll(t, in, steps) {
			if o.Verdict.Facts["done"] != "already" {
				t.Errorf("%s was done again: %v", steps[i].ID, o.Verdict.Facts)
			}
		}
	})
}

func TestToastAndHostileNamesAreVacuumed(t *testing.T) {
	server := startServer(t, still)
	seedEverything(t, server)
	table := quoted(hostile) + "." + quoted("T\"o;a'st")
	sql(t, server.DSN(hostile), "CREATE TABLE "+table+" (id int, body text)", "ALTER TABLE "+table+" ALTER body SET STORAGE EXTERNAL",
		"INSERT INTO "+table+" SELECT g, repeat('x', 9000) FROM generate_series(1, 300) g", "ANALYZE")
	sql(t, server.DSN(hostile), "UPDATE "+table+" SET body = body || 'y' WHERE id <= 90")
	waitFor(t, func() bool { return strings.Contains(ids(careSteps(t, server)), "vacuum") })
	in := careFor(t, server, func(c *postgres.Config) { c.Vacuum.Modified, c.Exclude = 0, []string{"*"} })
	var steps []service.Step // beside those for catalogues
	for _, s := range plan(t, in) {
		if s.Title.Args["toast"] == true {
			steps = append(steps, s)
		}
	}
	if len(steps) != 1 || !strings.Contains(spoken(t, steps[0].Title), "TOAST rows are dead") {
		t.Fatalf("due are %s", jsonOf(t, steps))
	}
	if o := doAll(t, in, plan(t, in))[0]; o.Verdict.Facts["done"] != "vacuum" {
		t.Errorf("did %v", o.Verdict)
	}
	if left := plan(t, in); len(left) > 0 {
		t.Errorf("still due: %s", ids(left))
	}
}

func careSteps(t *testing.T, server *lab.Server) []service.Step {
	t.Helper()
	return plan(t, careFor(t, server, nil))
}

func TestOldTransactionsAreFrozen(t *testing.T) {
	server := startServer(t, map[string]string{"autovacuum": "off", "autovacuum_freeze_max_age": "100000", "vacuum_freeze_min_age": "100000"})
	sql(t, server.DSN("postgres"), "CREATE TABLE old (n int)", "INSERT INTO old VALUES (1)", "ANALYZE",
		"DO $$ BEGIN FOR i IN 1..60000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$")
	in := careFor(t, server, func(c *postgres.Config) { c.Vacuum.Freeze = 0.5 })
	var old []service.Step
	for _, s := range plan(t, in) {
		if strings.HasSuffix(s.ID, ".public.old") {
			old = append(old, s)
		}
	}
	if len(old) != 1 || !strings.Contains(spoken(t, old[0].Title), "of the limit, due from 50 %") {
		t.Fatalf("due are %s", jsonOf(t, old))
	}
	doAll(t, in, old)
	if age := ask[int64](t, server.DSN("postgres"), "SELECT age(relfrozenxid) FROM pg_class WHERE relname = 'old'"); age > 1000 {
		t.Errorf("the oldest transaction is %d back", age)
	}
	if o := doAll(t, in, old)[0]; o.Verdict.Facts["done"] != "already" {
		t.Errorf("frozen twice: %v", o.Verdict)
	}
}

func TestRowsThatSomebodyStillSeesAreAFinding(t *testing.T) {
	server := startServer(t, still)
	sql(t, server.DSN("postgres"), "CREATE TABLE seen (n int)", "INSERT INTO seen SELECT generate_series(1, 1000)", "ANALYZE seen")
	holder := dial(t, server.DSN("postgres"))
	_, err := holder.Exec(t.Context(), "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM seen")
	must(t, err)
	sql(t, server.DSN("postgres"), "DELETE FROM seen WHERE n <= 900")
	settle(t, server, "postgres", "seen", 900)
	in := careFor(t, server, nil)
	o := doAll(t, in, plan(t, in))[0]
	if !has(o.Verdict, "vacuum-held-back", "postgres.public.seen") {
		t.Errorf("found %v, facts %v", o.Verdict.Findings, o.Verdict.Facts)
	}
}

func TestCareWaitsForNobodyForLong(t *testing.T) {
	server := startServer(t, still)
	sql(t, server.DSN("postgres"), "CREATE TABLE locked (n int)", "INSERT INTO locked VALUES (1)")
	in := careFor(t, server, func(c *postgres.Config) { c.Care.LockTimeout = quantity.Duration(200 * time.Millisecond) })
	steps := plan(t, in)
	holder := dial(t, server.DSN("postgres"))
	_, err := holder.Exec(t.Context(), "BEGIN; LOCK TABLE locked IN SHARE MODE")
	must(t, err)
	_, err = in.Do(t.Context(), steps[0], service.Report{})
	if id, _ := service.ErrorID(err); !errors.Is(err, service.ErrBusy) || id != "postgres.care-waited" {
		t.Errorf("a locked table: %v, %s", err, id)
	}
	_, err = holder.Exec(t.Context(), "ROLLBACK; DROP TABLE locked")
	must(t, err)
	if _, err := in.Do(t.Context(), steps[0], service.Report{}); !errors.Is(err, service.ErrStale) {
		t.Errorf("a table that has gone: %v", err)
	}
}

func TestProgressIsReportedAndTheTimeIsLimited(t *testing.T) {
	server := startServer(t, map[string]string{"autovacuum": "off", "vacuum_cost_delay": "20ms", "vacuum_cost_limit": "20", "vacuum_cost_page_miss": "10", "vacuum_cost_page_hit": "10"})
	sql(t, server.DSN("postgres"), "CREATE TABLE large (n int, t text)", "INSERT INTO large SELECT g, repeat('x', 500) FROM generate_series(1, 5000) g", "ANALYZE large")
	sql(t, server.DSN("postgres"), "DELETE FROM large WHERE n % 2 = 0")
	settle(t, server, "postgres", "large", 2500)
	short := careFor(t, server, func(c *postgres.Config) { c.Care.Timeout = quantity.Duration(300 * time.Millisecond) })
	steps := plan(t, short)
	_, err := short.Do(t.Context(), steps[0], service.Report{})
	if id, _ := service.ErrorID(err); id != "postgres.care-timeout" {
		t.Errorf("over its time: %v", err)
	}
	var mu sync.Mutex
	var done, total int64
	report := service.Report{Progress: func(d, t int64) { mu.Lock(); defer mu.Unlock(); done, total = d, t }}
	_, err = careFor(t, server, nil).Do(t.Context(), steps[0], report)
	must(t, err)
	if total < 2<<20 || done <= 0 || done > total {
		t.Errorf("reported %d of %d", done, total)
	}
}

func TestWhatTheRoleMayNotMaintainIsSaid(t *testing.T) {
	on(t, ends, still, func(t *testing.T, server *lab.Server) {
		sql(t, server.DSN("postgres"), "CREATE ROLE app LOGIN PASSWORD 'right'", "CREATE SCHEMA own AUTHORIZATION app",
			"CREATE TABLE own.mine (n int)", "ALTER TABLE own.mine OWNER TO app", "INSERT INTO own.mine VALUES (1)",
			"CREATE TABLE theirs (n int)", "INSERT INTO theirs VALUES (1)")
		url := strings.Replace(server.URL("postgres"), "postgres@", "app@", 1)
		in := declareURL(t, servicetest.Env(t), url, literalRef("right"), nil).(carer)
		steps := plan(t, in)
		if ids(steps) != "analyze postgres.own.mine, denied postgres" {
			t.Fatalf("due are %s", ids(steps))
		}
		o := doAll(t, in, steps)[1]
		if !has(o.Verdict, "care-denied", "postgres") || fmt.Sprint(o.Verdict.Findings[0].Args["names"]) != "[public.theirs]" {
			t.Errorf("found %v", o.Verdict.Findings)
		}
		// The server only warns when it leaves a table out.
		stolen := strings.Replace(string(steps[0].Args), fmt.Sprint(ask[uint32](t, server.DSN("postgres"), "SELECT 'own.mine'::regclass::oid")),
			fmt.Sprint(ask[uint32](t, server.DSN("postgres"), "SELECT 'theirs'::regclass::oid")), 1)
		steps[0].Args = json.RawMessage(stolen)
		if _, err := in.Do(t.Context(), steps[0], service.Report{}); !errors.Is(err, service.ErrDenied) {
			t.Errorf("a table of somebody else: %v", err)
		}
	})
}

func TestNothingIsDueOnAStandby(t *testing.T) {
	server := startServer(t, still)
	sql(t, server.DSN("postgres"), "CREATE TABLE never (n int)", "INSERT INTO never VALUES (1)")
	in := careFor(t, server, nil)
	if steps := plan(t, in); len(steps) != 1 {
		t.Errorf("due are %s", ids(steps))
	}
	must(t, server.Stop())
	must(t, os.WriteFile(filepath.Join(server.Data, "standby.signal"), nil, 0o644))
	must(t, server.Start(t.Context()))
	if steps := plan(t, in); len(steps) != 0 {
		t.Errorf("due are %s", ids(steps))
	}
}

func TestWhatCannotBeToldIsAnError(t *testing.T) {
	server := startServer(t, map[string]string{"autovacuum": "off", "track_counts": "off"})
	_, err := careFor(t, server, nil).Maintenance(t.Context())
	if id, _ := service.ErrorID(err); id != "postgres.care-blind" {
		t.Errorf("without counts: %v", err)
	}
	in := careFor(t, server, func(c *postgres.Config) { c.URL = strings.Replace(c.URL, ":"+itoa(server.Port), ":1", 1) })
	if _, err := in.Maintenance(t.Context()); !errors.Is(err, service.ErrUnreachable) {
		t.Errorf("nobody there: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := in.Do(ended, service.Step{Op: "vacuum", Args: json.RawMessage(`{"database": "postgres"}`)}, service.Report{}); err == nil {
		t.Error("done although the context had ended")
	}
	if _, err := in.Do(t.Context(), service.Step{Op: "full", Args: json.RawMessage(`{}`)}, service.Report{}); !errors.Is(err, service.ErrUnsupported) {
		t.Errorf("an unknown step: %v", err)
	}
}

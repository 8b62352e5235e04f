package postgres_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"upkeep/internal/quantity"
	"upkeep/internal/service"
	"upkeep/internal/service/postgres"
	"upkeep/internal/service/servicetest"
	"upkeep/lab"
)

// only are the steps with one of these operations.
func only(steps []service.Step, ops ...string) (found []service.Step) {
	for _, s := range steps {
		for _, op := range ops {
			if s.Op == op {
				found = append(found, s)
			}
		}
	}
	return found
}

// indexesOf fills a table with as many rows as make its indexes judgeable.
var indexesOf = []string{
	"CREATE TABLE items (id bigint PRIMARY KEY, name text, kind int, body text)",
	"INSERT INTO items SELECT g, md5(g::text), CASE WHEN g % 4 = 0 THEN NULL ELSE g END, repeat('b', g % 50) FROM generate_series(1, 60000) g",
	"CREATE INDEX by_name ON items (name)",
	"CREATE INDEX by_kind ON items (kind, name) WITH (fillfactor = 70)",
	"CREATE INDEX by_upper ON items (upper(name))",
	"CREATE INDEX z_part ON items (id) INCLUDE (name) WHERE id % 2 = 0",
}

func TestBloatIsEstimatedOnEveryMajor(t *testing.T) {
	on(t, majors, still, func(t *testing.T, server *lab.Server) {
		sql(t, server.DSN("postgres"), indexesOf...)
		sql(t, server.DSN("postgres"), "VACUUM ANALYZE items")
		in := careFor(t, server, func(c *postgres.Config) { c.Reindex.Bloat = 0.15 })
		if due := only(plan(t, in), "reindex"); len(due) > 0 {
			t.Errorf("fresh indexes are due: %s", jsonOf(t, due))
		}
		sql(t, server.DSN("postgres"), "DELETE FROM items WHERE id % 10 > 0", "VACUUM ANALYZE items")
		in = careFor(t, server, func(c *postgres.Config) { c.Reindex.Bloat = 0.70 })
		steps := only(plan(t, in), "reindex")
		const want = "reindex postgres.public.by_kind, reindex postgres.public.by_name, reindex postgres.public.by_upper, " +
			"reindex postgres.public.items_pkey, reindex postgres.public.z_part"
		if ids(steps) != want {
			t.Fatalf("due are %s", ids(steps))
		}
		for i, o := range doAll(t, in, steps) {
			before, after := o.Verdict.Facts["bytes_before"].(int64), o.Verdict.Facts["bytes_after"].(int64)
			if o.Verdict.Facts["done"] != "reindex" || after*3 > before {
				t.Errorf("%s: %v", steps[i].ID, o.Verdict.Facts)
			}
		}
		if left := only(plan(t, in), "reindex", "drop-index"); len(left) > 0 {
			t.Errorf("still due: %s", ids(left))
		}
		for i, o := range doAll(t, in, steps) {
			if o.Verdict.Facts["done"] != "already" {
				t.Errorf("%s was done again: %v", steps[i].ID, o.Verdict.Facts)
			}
		}
		if n := ask[int](t, server.DSN("postgres"), "SELECT count(*) FROM items"); n != 6000 {
			t.Errorf("%d rows are left", n)
		}
	})
}

func TestInvalidIndexesAreBuiltAnew(t *testing.T) {
	on(t, ends, still, func(t *testing.T, server *lab.Server) {
		sql(t, server.DSN("postgres"), "CREATE TABLE twice (n int)", "INSERT INTO twice VALUES (1), (1)", "ANALYZE twice")
		// One of them has a name as a rebuild gives, and is nobody's leftover.
		for _, name := range []string{quoted(`Q"u o'te`), "mine_ccnew"} {
			_, err := dial(t, server.DSN("postgres")).Exec(t.Context(), "CREATE UNIQUE INDEX CONCURRENTLY "+name+" ON twice (n)")
			if err == nil {
				t.Fatal("the index was built")
			}
		}
		sql(t, server.DSN("postgres"), `DROP INDEX "Q""u o'te"`)
		in := careFor(t, server, nil)
		steps := plan(t, in)
		if ids(steps) != "reindex postgres.public.mine_ccnew" || !strings.Contains(spoken(t, steps[0].Title), "it is invalid") {
			t.Fatalf("due are %s", ids(steps))
		}
		_, err := in.Do(t.Context(), steps[0], service.Report{})
		if id, _ := service.ErrorID(err); id != "postgres.index-not-unique" || !errors.Is(err, service.ErrRefused) || strings.Contains(err.Error(), "(1)") {
			t.Errorf("equal rows: %v", err)
		}
		if n := ask[int](t, server.DSN("postgres"), "SELECT count(*) FROM pg_index WHERE indrelid = 'twice'::regclass"); n != 1 {
			t.Errorf("the failed attempt leaves %d indexes", n)
		}
		sql(t, server.DSN("postgres"), "DELETE FROM twice WHERE ctid = '(0,1)'")
		if o := doAll(t, in, steps)[0]; o.Verdict.Facts["done"] != "reindex" {
			t.Errorf("did %v", o.Verdict)
		}
		if !ask[bool](t, server.DSN("postgres"), "SELECT indisvalid FROM pg_index WHERE indexrelid = 'mine_ccnew'::regclass") {
			t.Error("the index is not valid")
		}
		if left := plan(t, in); len(left) > 0 {
			t.Errorf("still due: %s", ids(left))
		}
	})
}

// cutOff begins to build an index anew while somebody keeps it waiting, and gives up.
func cutOff(t *testing.T, server *lab.Server, in service.Doer, step service.Step) {
	t.Helper()
	holder := dial(t, server.DSN("postgres"))
	if _, err := holder.Exec(t.Context(), "BEGIN; INSERT INTO items (id) VALUES (-1)"); err != nil {
		t.Fatal(err)
	}
	ctx, kill := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := in.Do(ctx, step, service.Report{})
		ended <- err
	}()
	waitFor(t, func() bool {
		return ask[bool](t, server.DSN("postgres"), "SELECT EXISTS (SELECT FROM pg_class WHERE relname = 'items_pkey_ccnew')")
	})
	kill()
	if err := <-ended; err == nil {
		t.Error("done although it was cut off")
	}
	waitFor(t, func() bool {
		return !ask[bool](t, server.DSN("postgres"), "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'REINDEX%' AND state = 'active')")
	})
	_, err := holder.Exec(t.Context(), "ROLLBACK")
	must(t, err)
}

func TestALeftoverIsSweptByTheNextPlan(t *testing.T) {
	on(t, ends, still, func(t *testing.T, server *lab.Server) {
		sql(t, server.DSN("postgres"), indexesOf...)
		sql(t, server.DSN("postgres"), "DELETE FROM items WHERE id % 10 > 0")
		sql(t, server.DSN("postgres"), "VACUUM ANALYZE items", "DROP INDEX by_name, by_kind, by_upper, z_part", "CREATE TABLE other (n int)", "CREATE INDEX fine_ccnew ON other (n)")
		in := careFor(t, server, nil)
		steps := plan(t, in)
		if ids(steps) != "reindex postgres.public.items_pkey" {
			t.Fatalf("due are %s", ids(steps))
		}
		cutOff(t, server, in, steps[0])
		if v := check(t, in.(service.Checker)); !has(v, "invalid-index", "items_pkey_ccnew") {
			t.Errorf("found %v", v.Findings)
		}
		steps = plan(t, in)
		if ids(steps) != "drop-index postgres.public.items_pkey_ccnew, reindex postgres.public.items_pkey" {
			t.Fatalf("due are %s", ids(steps))
		}
		doAll(t, in, steps)
		if left := plan(t, in); len(left) > 0 {
			t.Errorf("still due: %s", ids(left))
		}
		if o := doAll(t, in, steps); o[0].Verdict.Facts["done"] != "already" || o[1].Verdict.Facts["done"] != "already" {
			t.Errorf("done again: %v", o)
		}
		if n := ask[int](t, server.DSN("postgres"), "SELECT count(*) FROM pg_index WHERE indrelid IN ('items'::regclass, 'other'::regclass)"); n != 2 {
			t.Errorf("there are %d indexes", n)
		}
	})
}

func TestARebuildThatIsKeptWaitingLeavesNothing(t *testing.T) {
	server := startServer(t, still)
	sql(t, server.DSN("postgres"), indexesOf...)
	sql(t, server.DSN("postgres"), "DELETE FROM items WHERE id % 10 > 0")
	sql(t, server.DSN("postgres"), "VACUUM ANALYZE items", "DROP INDEX by_name, by_kind, by_upper, z_part")
	in := careFor(t, server, func(c *postgres.Config) { c.Care.LockTimeout = quantity.Duration(300 * time.Millisecond) })
	steps := plan(t, in)
	holder := dial(t, server.DSN("postgres"))
	_, err := holder.Exec(t.Context(), "BEGIN; INSERT INTO items (id) VALUES (-1)")
	must(t, err)
	_, err = in.Do(t.Context(), steps[0], service.Report{})
	if id, _ := service.ErrorID(err); id != "postgres.care-waited" || !errors.Is(err, service.ErrBusy) {
		t.Errorf("kept waiting: %v", err)
	}
	_, err = holder.Exec(t.Context(), "ROLLBACK")
	must(t, err)
	doAll(t, in, plan(t, in))
	if left := plan(t, in); len(left) > 0 {
		t.Errorf("still due: %s", ids(left))
	}
}

func TestAnExclusionConstraintIsNamedAndLeftAlone(t *testing.T) {
	server := startServer(t, still)
	sql(t, server.DSN("postgres"), "CREATE TABLE slots (n int, EXCLUDE (n WITH =))", "INSERT INTO slots SELECT generate_series(1, 60000)",
		"DELETE FROM slots WHERE n % 10 > 0")
	sql(t, server.DSN("postgres"), "VACUUM ANALYZE slots")
	in := careFor(t, server, nil)
	if due := plan(t, in); len(due) > 0 {
		t.Errorf("due are %s", ids(due))
	}
	if v := check(t, in.(service.Checker)); !has(v, "index-needs-window", "postgres.public.slots_n_excl") {
		t.Errorf("found %v", v.Findings)
	}
}

func TestARebuildWantsRoom(t *testing.T) {
	lab.Need(t, "root")
	server := startServer(t, still)
	disk := smallDisk(t, server, 16<<20)
	sql(t, server.DSN("postgres"), "CREATE TABLESPACE small LOCATION '"+disk+"'", "CREATE TABLE items (id bigint)",
		"INSERT INTO items SELECT generate_series(1, 400000)", "CREATE INDEX tight ON items (id) TABLESPACE small",
		"DELETE FROM items WHERE id % 10 > 0")
	sql(t, server.DSN("postgres"), "VACUUM ANALYZE items")
	in := careFor(t, server, nil)
	steps := plan(t, in)
	if ids(steps) != "reindex postgres.public.tight" || !strings.Contains(spoken(t, steps[0].Title), "free space is measured before") {
		t.Fatalf("due are %s", jsonOf(t, steps))
	}
	if _, err := in.Do(t.Context(), steps[0], service.Report{}); !errors.Is(err, service.ErrNoSpace) {
		t.Errorf("without room: %v", err)
	}
	if n := ask[int](t, server.DSN("postgres"), "SELECT count(*) FROM pg_index WHERE indrelid = 'items'::regclass"); n != 1 {
		t.Errorf("there are %d indexes", n)
	}
	// Seen from elsewhere, the same path is another disk: nothing is known of it.
	sql(t, server.DSN("postgres"), "CREATE ROLE app LOGIN PASSWORD 'right'", "ALTER TABLE items OWNER TO app")
	url := strings.Replace(server.URL("postgres"), "postgres@", "app@", 1)
	blind := declareURL(t, servicetest.Env(t), url, literalRef("right"), func(c *postgres.Config) { c.Reindex.Size = 1 << 20 }).(carer)
	if steps := plan(t, blind); !strings.Contains(spoken(t, steps[0].Title), "could not be measured from here") {
		t.Errorf("the title says %q", spoken(t, steps[0].Title))
	}
}

// smallDisk is a place on one that belongs to the server's user.
func smallDisk(t *testing.T, server *lab.Server, size int64) string {
	t.Helper()
	dir := filepath.Join(lab.SmallDisk(t, size), "space")
	must(t, os.Mkdir(dir, 0o700))
	owner, err := os.Stat(server.Data)
	must(t, err)
	id := owner.Sys().(*syscall.Stat_t)
	must(t, os.Chown(dir, int(id.Uid), int(id.Gid)))
	return dir
}

package postgres_test

import (
	"errors"
	"strings"
	"testing"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
	"upkeep/lab"
)

func shop(t *testing.T) (*lab.Server, instance) {
	t.Helper()
	server := startServer(t, nil)
	sql(t, server.DSN("postgres"), "CREATE ROLE owner LOGIN PASSWORD 'first'", "CREATE DATABASE shop OWNER owner", "ALTER DATABASE shop SET work_mem TO '9MB'", "REVOKE TEMPORARY ON DATABASE shop FROM PUBLIC")
	sql(t, server.DSN("shop"),
		"CREATE TABLE item (id serial PRIMARY KEY, name text)",
		"INSERT INTO item (name) SELECT 'item ' || g FROM generate_series(1, 500) g",
		"CREATE TABLE sale (id serial PRIMARY KEY, item_id int REFERENCES item)",
		"INSERT INTO sale (item_id) SELECT g FROM generate_series(1, 100) g",
		"CREATE TABLE log (id serial PRIMARY KEY, line text)",
		"CREATE INDEX log_line ON log (line)",
		"INSERT INTO log (line) SELECT 'line ' || g FROM generate_series(1, 300) g",
		"CREATE FUNCTION loud() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''fired''; END'",
		"CREATE TRIGGER loud BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION loud()")
	return server, declare(t, servicetest.Env(t), server, "shop", nil)
}

func TestRestoreReplacesALiveDatabaseUnderItsUsers(t *testing.T) {
	server, in := shop(t)
	copied := backUp(t, in)
	sql(t, server.DSN("shop"), "DROP TABLE sale", "DELETE FROM item", "CREATE TABLE later (a int)")
	sql(t, server.DSN("postgres"), "ALTER ROLE owner PASSWORD 'second'")
	busy := dial(t, server.DSN("shop")) // a session that must not stop it

	for range 2 {
		restore(t, in, copied, "")
		none(t, notAmcheck(verify(t, in, copied)))
	}
	if busy.Ping(t.Context()) == nil {
		t.Error("a session on the replaced database is still alive")
	}
	left := ask[int](t, server.DSN("postgres"), "SELECT count(*) FROM pg_database WHERE datname LIKE 'upkeep%'")
	if left != 0 {
		t.Errorf("%d databases were left behind", left)
	}
	second := strings.Replace(server.URL("shop"), "postgres@", "owner:second@", 1)
	sql(t, second, "SELECT 1") // a role that exists keeps its password
}

// notAmcheck leaves out that a live server does not have the extension.
func notAmcheck(v service.Verdict) service.Verdict {
	kept := v.Findings[:0]
	for _, f := range v.Findings {
		if f.ID != "no-amcheck" {
			kept = append(kept, f)
		}
	}
	v.Findings = kept
	return v
}

func TestRestoreBringsBackWhatIsGone(t *testing.T) {
	server, in := shop(t)
	copied := backUp(t, in)
	sql(t, server.DSN("postgres"), "DROP DATABASE shop", "DROP ROLE owner")
	restore(t, in, copied, "")
	none(t, notAmcheck(verify(t, in, copied)))
	sql(t, strings.Replace(server.URL("shop"), "postgres@", "owner:first@", 1), "SELECT count(*) FROM pg_class")
}

func TestARestoreThatFailsLeavesTheOldData(t *testing.T) {
	server, in := shop(t)
	copied := backUp(t, in)
	sql(t, server.DSN("shop"), "INSERT INTO item (name) VALUES ('newest')")
	for name, bad := range map[string]service.Copy{
		"truncated": servicetest.Truncate(copied, "shop/tables/public.item"),
		"flipped":   servicetest.Flip(copied, "shop/tables/public.log"),
		"lost":      servicetest.Lose(copied, "shop/tables/public.sale"),
		"schema":    servicetest.Flip(copied, "shop/schema.dump"),
	} {
		t.Run(name, func(t *testing.T) {
			if err := in.Restore(t.Context(), bad, service.Selection{}, service.Report{}); err == nil {
				t.Fatal("a bad copy was restored")
			}
			if n := ask[int](t, server.DSN("shop"), "SELECT count(*) FROM item"); n != 501 {
				t.Errorf("item has %d rows, had 501", n)
			}
			if left := ask[int](t, server.DSN("postgres"), "SELECT count(*) FROM pg_database WHERE datname LIKE 'upkeep%'"); left != 0 {
				t.Errorf("%d databases were left behind", left)
			}
		})
	}
}

func TestAnInterruptedSwapIsMended(t *testing.T) {
	server, in := shop(t)
	copied := backUp(t, in)
	// As a run leaves it that is killed between the two renames.
	var old string
	conn := dial(t, server.DSN("postgres"))
	must(t, conn.QueryRow(t.Context(), "SELECT 'upkeep_before_' || left(encode(sha256('shop'), 'hex'), 12)").Scan(&old))
	sql(t, server.DSN("postgres"), "ALTER DATABASE shop ALLOW_CONNECTIONS false", "ALTER DATABASE shop RENAME TO "+old)

	// A bad copy: the old data must be back under its name.
	if in.Restore(t.Context(), servicetest.Lose(copied, "shop/tables/public.item"), service.Selection{}, service.Report{}) == nil {
		t.Fatal("a bad copy was restored")
	}
	if n := ask[int](t, server.DSN("shop"), "SELECT count(*) FROM item"); n != 500 {
		t.Errorf("item has %d rows, had 500", n)
	}
	restore(t, in, copied, "")
	none(t, notAmcheck(verify(t, in, copied)))
}

func TestOneTableComesBackAlone(t *testing.T) {
	server, in := shop(t)
	copied := backUp(t, in)
	for name, harm := range map[string]string{
		"rows are gone":     "DELETE FROM log; SELECT setval('log_id_seq', 1)",
		"the table is gone": "DROP TABLE log",
	} {
		for _, only := range []string{"log", "public.log", "shop.public.log", "public.l*"} {
			t.Run(name+" "+only, func(t *testing.T) {
				conn := dial(t, server.DSN("shop"))
				if _, err := conn.PgConn().Exec(t.Context(), harm+"; INSERT INTO item (name) VALUES ('kept')").ReadAll(); err != nil {
					t.Fatal(err)
				}
				before := ask[int](t, server.DSN("shop"), "SELECT count(*) FROM item")
				restore(t, in, copied, only)
				v := notAmcheck(verify(t, in, copied))
				for _, f := range v.Findings {
					if !strings.Contains(f.Subject, "item") {
						t.Errorf("unexpected finding %s %q %v", f.ID, f.Subject, f.Args)
					}
				}
				if after := ask[int](t, server.DSN("shop"), "SELECT count(*) FROM item"); after != before {
					t.Errorf("item had %d rows and has %d", before, after)
				}
				if n := ask[int](t, server.DSN("shop"), "SELECT count(*) FROM pg_trigger WHERE tgname = 'loud' AND tgenabled = 'O'"); n != 1 {
					t.Error("the trigger is not as it was")
				}
			})
		}
	}
}

func TestASelectionThatCannotBeHonouredChangesNothing(t *testing.T) {
	server, in := shop(t)
	sql(t, server.DSN("postgres"), "CREATE TABLE log (id int)")
	copied := backUp(t, in)
	for only, want := range map[string]error{
		"nowhere":       service.ErrNotFound,
		"public.log":    service.ErrUnsupported, // in two databases
		"item":          service.ErrRefused,     // sale refers to it
		"shop.public.*": nil,
	} {
		err := in.Restore(t.Context(), copied, service.Selection{Only: only}, service.Report{})
		if !errors.Is(err, want) {
			t.Errorf("%s: %v; want %v", only, err, want)
		}
	}
	none(t, notAmcheck(verify(t, in, copied)))
}

func TestExcludedRowsStayOutAndTheirTablesComeBackEmpty(t *testing.T) {
	server, _ := shop(t)
	sql(t, server.DSN("postgres"), "CREATE DATABASE scratch_1")
	in := declare(t, servicetest.Env(t), server, "shop", exclude("shop.public.l*", "scratch_*"))
	copied := backUp(t, in)
	if _, err := copied.Part(t.Context(), "shop/tables/public.log"); !errors.Is(err, service.ErrNotFound) {
		t.Errorf("the excluded rows are in the copy: %v", err)
	}
	if n := copied.Manifest().Counts["databases"]; n != 2 {
		t.Errorf("%d databases were copied", n)
	}
	sibling := scratch(t, in, copied)
	restore(t, sibling, copied, "")
	none(t, verify(t, sibling, copied))
}

func TestExcludedRowsThatOthersReferToAreNamed(t *testing.T) {
	server, _ := shop(t)
	in := declare(t, servicetest.Env(t), server, "shop", exclude("shop.public.item"))
	found := backUp(t, in).Manifest().Findings
	if len(found) != 1 || found[0].ID != "exclude-breaks-keys" || found[0].Args["table"] != "public.item" || found[0].Args["by"] != "public.sale" {
		t.Errorf("found %v", found)
	}
	both := declare(t, servicetest.Env(t), server, "shop", exclude("shop.public.item", "shop.public.sale"))
	if found := backUp(t, both).Manifest().Findings; len(found) != 0 {
		t.Errorf("with both left out: %v", found)
	}
}

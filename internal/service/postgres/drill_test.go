package postgres_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upkeep/internal/service"
	"upkeep/internal/service/postgres"
	"upkeep/internal/service/servicetest"
)

// change runs statements in a database of an instance.
func change(t *testing.T, in service.Instance, database string, statements ...string) {
	t.Helper()
	conn, err := postgres.Connect(t.Context(), in, database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	for _, statement := range statements {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// Every fault is planted into a scratch server that was found equal before, and
// taken back: what follows is found equal again.
func TestVerifyFindsEveryPlantedFault(t *testing.T) {
	server := startServer(t, nil)
	sql(t, server.DSN("postgres"), "CREATE ROLE app LOGIN", "CREATE ROLE team", "GRANT team TO app", "CREATE DATABASE shop")
	sql(t, server.DSN("shop"),
		"CREATE EXTENSION pg_trgm",
		"CREATE TABLE item (id int PRIMARY KEY, name text, price int CONSTRAINT positive CHECK (price > 0))",
		"INSERT INTO item SELECT g, 'item ' || g, g FROM generate_series(1, 500) g",
		"CREATE INDEX item_name ON item (name)",
		"CREATE SEQUENCE tick", "SELECT nextval('tick')",
		"SELECT lo_from_bytea(99, 'content')")
	in := declare(t, servicetest.Env(t), server, "shop", nil)
	copied := backUp(t, in)
	sibling := scratch(t, in, copied)
	restore(t, sibling, copied, "")
	none(t, verify(t, sibling, copied))

	for name, fault := range map[string]struct{ plant, mend, slug, subject string }{
		"a row is gone":          {"DELETE FROM item WHERE id = 3", "INSERT INTO item VALUES (3, 'item 3', 3)", "table-differs", "shop.public.item"},
		"a value changed":        {"UPDATE item SET price = 9 WHERE id = 3", "UPDATE item SET price = 3 WHERE id = 3", "table-differs", "item"},
		"two values are swapped": {"UPDATE item SET name = CASE id WHEN 3 THEN 'item 4' ELSE 'item 3' END WHERE id IN (3, 4)", "UPDATE item SET name = 'item ' || id WHERE id IN (3, 4)", "table-differs", "item"},
		"null instead of empty":  {"UPDATE item SET name = NULL WHERE id = 3", "UPDATE item SET name = 'item 3' WHERE id = 3", "table-differs", "item"},
		"a table is gone":        {"ALTER TABLE item RENAME TO item2", "ALTER TABLE item2 RENAME TO item", "table-missing", "item"},
		"a table too much":       {"CREATE TABLE more ()", "DROP TABLE more", "table-extra", "more"},
		"a column is gone":       {"ALTER TABLE item RENAME name TO title", "ALTER TABLE item RENAME title TO name", "table-columns-differ", "item"},
		"a constraint is gone":   {"ALTER TABLE item DROP CONSTRAINT positive", "ALTER TABLE item ADD CONSTRAINT positive CHECK (price > 0)", "constraint-missing", "item"},
		"a constraint is open":   {"ALTER TABLE item DROP CONSTRAINT positive, ADD CONSTRAINT positive CHECK (price > 0) NOT VALID", "ALTER TABLE item VALIDATE CONSTRAINT positive", "constraint-not-valid", "item"},
		"an index is gone":       {"DROP INDEX item_name", "CREATE INDEX item_name ON item (name)", "index-missing", "item"},
		"a sequence stands back": {"SELECT setval('tick', 1, false)", "SELECT setval('tick', 1, true)", "sequence-differs", "tick"},
		"a sequence is gone":     {"ALTER SEQUENCE tick RENAME TO tock", "ALTER SEQUENCE tock RENAME TO tick", "sequence-missing", "tick"},
		"an extension is gone":   {"DROP EXTENSION pg_trgm", "CREATE EXTENSION pg_trgm", "extension-missing", "pg_trgm"},
		"a large object changed": {"SELECT lo_put(99, 0, 'C')", "SELECT lo_put(99, 0, 'c')", "large-objects-differ", "shop"},
		"a role gained power":    {"ALTER ROLE app SUPERUSER", "ALTER ROLE app NOSUPERUSER", "role-differs", "app"},
		"a membership is gone":   {"REVOKE team FROM app", "GRANT team TO app", "role-differs", "app"},
		"a role is gone":         {"ALTER ROLE team RENAME TO crew", "ALTER ROLE crew RENAME TO team", "role-missing", "team"},
		"a database setting":     {"ALTER DATABASE shop SET work_mem TO '9MB'", "ALTER DATABASE shop RESET work_mem", "database-differs", "shop"},
	} {
		t.Run(name, func(t *testing.T) {
			change(t, sibling, "shop", fault.plant)
			v := verify(t, sibling, copied)
			change(t, sibling, "shop", fault.mend)
			if !has(v, fault.slug, fault.subject) || service.Worst(v.Findings) != service.Critical {
				t.Errorf("found %v; want critical %s about %s", v.Findings, fault.slug, fault.subject)
			}
		})
	}
	none(t, verify(t, sibling, copied))
}

func TestADatabaseThatIsGoneIsFound(t *testing.T) {
	server := startServer(t, nil)
	sql(t, server.DSN("postgres"), "CREATE DATABASE shop")
	in := declare(t, servicetest.Env(t), server, "shop", nil)
	copied := backUp(t, in)
	sql(t, server.DSN("postgres"), "DROP DATABASE shop")
	if v := verify(t, in, copied); !has(v, "database-missing", "shop") {
		t.Errorf("found %v", v.Findings)
	}
}

func TestScratchIsPrivateAndLeavesNothing(t *testing.T) {
	server := startServer(t, nil)
	env := servicetest.Env(t)
	in := declare(t, env, server, "postgres", nil)
	copied := backUp(t, in)
	sibling, err := in.Scratch(t.Context(), copied, service.Report{})
	must(t, err)
	conn, err := postgres.Connect(t.Context(), sibling, "postgres")
	must(t, err)
	var listen, dir, data string
	must(t, conn.QueryRow(t.Context(), "SELECT current_setting('listen_addresses'), current_setting('unix_socket_directories'), current_setting('data_directory')").Scan(&listen, &dir, &data))
	_ = conn.Close(t.Context())
	if listen != "" {
		t.Errorf("it listens on %q", listen)
	}
	info, err := os.Stat(dir)
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("its socket stands in a directory of mode %v", info.Mode())
	}
	must(t, sibling.Close())
	if _, err := os.Stat(data); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it left %s: %v", data, err)
	}
	if running := processesIn(t, data); len(running) > 0 {
		t.Errorf("processes still run in it: %v", running)
	}
}

func processesIn(t *testing.T, dir string) (found []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cwd")
	must(t, err)
	for _, link := range all {
		if cwd, err := os.Readlink(link); err == nil && strings.HasPrefix(cwd, dir) {
			found = append(found, link)
		}
	}
	return found
}

func TestScratchNeedsTheVersionOfTheCopy(t *testing.T) {
	server := startServer(t, nil)
	in := declare(t, servicetest.Env(t), server, "postgres", nil)
	for version, id := range map[string]string{"14.9": "postgres.no-scratch-version", "99.1": "postgres.no-scratch-version"} {
		copied := &remade{Copy: backUp(t, in), change: func(m *service.Manifest) { m.Version = version }}
		_, err := in.Scratch(t.Context(), copied, service.Report{})
		wantFault(t, err, id, service.ErrNoScratch)
	}
	copied := &remade{Copy: backUp(t, in), change: func(m *service.Manifest) {
		m.Entries = append(m.Entries, service.Entry{Name: "postgres/extensions/postgis",
			Attrs: map[string]string{"is": "extension", "database": "postgres", "extension": "postgis", "version": "3"}})
	}}
	_, err := in.Scratch(t.Context(), copied, service.Report{})
	wantFault(t, err, "postgres.extension-unavailable", service.ErrNoScratch)
}

// remade is a copy with another manifest.
type remade struct {
	service.Copy
	change func(*service.Manifest)
}

func (r *remade) Manifest() service.Manifest {
	m := r.Copy.Manifest()
	r.change(&m)
	return m
}

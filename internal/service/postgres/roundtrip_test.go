package postgres_test

import (
	"strings"
	"testing"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

func TestEverythingComesBackEqualInAScratchServer(t *testing.T) {
	server := startServer(t, nil)
	seedEverything(t, server)
	in := declare(t, servicetest.Env(t), server, "cotdb", nil)

	copied := backUp(t, in)
	m := copied.Manifest()
	if m.Counts["rows"] < 100_000 || m.Counts["databases"] != 6 || m.Counts["large_objects"] != 3 {
		t.Errorf("counts are %v", m.Counts)
	}
	if files := entry(t, copied, "cotdb/tables/public.files"); files.Count != 100_000 {
		t.Errorf("files has %d rows in the manifest", files.Count)
	}

	sibling := scratch(t, in, copied)
	restore(t, sibling, copied, "")
	v := verify(t, sibling, copied)
	none(t, v)
	for _, name := range []string{"tables", "rows", "sequences", "databases", "roles", "large_objects"} {
		if v.Facts[name] != m.Counts[name] {
			t.Errorf("%s: %v compared, the manifest has %d", name, v.Facts[name], m.Counts[name])
		}
	}
	here, err := sibling.Identity(t.Context())
	if err != nil || here == m.Identity {
		t.Errorf("the scratch server is %q, %v; the source %q", here, err, m.Identity)
	}
}

func TestIdentityFollowsTheSchemaAndNotTheRows(t *testing.T) {
	server := startServer(t, nil)
	sql(t, server.DSN("postgres"), "CREATE TABLE a (n serial)", "CREATE DATABASE other")
	in := declare(t, servicetest.Env(t), server, "postgres", nil)
	identity := func() string {
		id, err := in.Identity(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	first := identity()
	sql(t, server.DSN("postgres"), "INSERT INTO a SELECT generate_series(1, 100)", "VACUUM a", "ANALYZE")
	if again := identity(); again != first {
		t.Errorf("rows changed %q to %q", first, again)
	}
	if m := backUp(t, in).Manifest(); m.Identity != first {
		t.Errorf("the manifest says %q, the server %q", m.Identity, first)
	}
	for _, change := range []string{"ALTER TABLE a ADD b text", "CREATE TYPE e AS ENUM ('x')", "CREATE INDEX ON a (b)", "CREATE DATABASE third"} {
		before := identity()
		if sql(t, server.DSN("postgres"), change); identity() == before {
			t.Errorf("%s changed nothing of %q", change, before)
		}
	}
}

func TestARoleWithoutRightsGetsAnErrorAndNoPartialCopy(t *testing.T) {
	server := startServer(t, nil)
	sql(t, server.DSN("postgres"), "CREATE ROLE reader LOGIN PASSWORD 'pw'", "CREATE TABLE hidden (a int)")
	in := declareURL(t, servicetest.Env(t), strings.Replace(server.URL("postgres"), "postgres@", "reader@", 1), literalRef("pw"), nil)
	_, err := in.Snapshot(t.Context(), service.NoPrevious, service.Report{})
	wantFault(t, err, "postgres.no-privilege", service.ErrDenied)
}

func TestARoleThatMayReadTheTablesIsEnoughForACopy(t *testing.T) {
	server := startServer(t, nil)
	sql(t, server.DSN("postgres"), "CREATE ROLE reader LOGIN PASSWORD 'pw'", "CREATE ROLE app LOGIN PASSWORD 'other'", "CREATE DATABASE shop OWNER app")
	sql(t, server.DSN("shop"), "CREATE SCHEMA s AUTHORIZATION app", "CREATE TABLE s.t AS SELECT generate_series(1, 100) n", "CREATE SEQUENCE s.q",
		"GRANT USAGE ON SCHEMA s TO reader", "GRANT SELECT ON ALL TABLES IN SCHEMA s TO reader", "GRANT SELECT ON ALL SEQUENCES IN SCHEMA s TO reader")
	in := declareURL(t, servicetest.Env(t), strings.Replace(server.URL("shop"), "postgres@", "reader@", 1), literalRef("pw"), nil)
	copied := backUp(t, in)
	if v := (service.Verdict{Findings: copied.Manifest().Findings}); !has(v, "roles-without-passwords", "") {
		t.Errorf("the manifest lacks the finding: %v", v.Findings)
	}
	sibling := scratch(t, in, copied)
	restore(t, sibling, copied, "")
	none(t, verify(t, sibling, copied))
}

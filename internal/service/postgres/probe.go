package postgres

import (
	"context"
	"fmt"

	"upkeep/internal/sandbox"
	"upkeep/internal/service"
)

// Probe looks for PostgreSQL's programs of the server's major version; while the
// server does not answer, for any version.
func (in *Instance) Probe(ctx context.Context) []service.Need {
	major := 0
	if conn, _, err := in.connectServer(ctx); err == nil {
		if s, err := describeServer(ctx, conn); err == nil {
			major = s.Major
		}
		_ = goodbye(ctx, conn)
	}
	needs := []service.Need{
		{Name: "pg_dump", Use: "backup"}, {Name: "pg_dumpall", Use: "backup"},
		{Name: "pg_restore", Use: "restore"},
		{Name: "initdb", Use: "drill"}, {Name: "postgres", Use: "drill"},
	}
	for i, n := range needs {
		needs[i] = in.need(ctx, n, major)
	}
	return needs
}

func (in *Instance) need(ctx context.Context, n service.Need, major int) service.Need {
	program := n.Name
	if major > 0 {
		n.Name = fmt.Sprintf("%s %d", program, major)
	}
	n.Install = packageOf(n.Use, major)
	// A scratch server is of exactly the source's version.
	exact := func(version string) bool { return n.Use != "drill" || major == 0 || majorOf(version) == major }
	return sandbox.Need(ctx, in.env, n, program, major, exact)
}

// packageOf installs what a capability needs.
func packageOf(use string, major int) string {
	name := "postgresql-client"
	if use == "drill" {
		name = "postgresql"
	}
	if major > 0 {
		name = fmt.Sprintf("%s-%d", name, major)
	}
	return "apt install " + name
}

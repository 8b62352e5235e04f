package postgres

import (
	"context"
	"fmt"

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
	for i := range needs {
		n := &needs[i]
		path, version, err := in.env.Find(ctx, n.Name, major)
		// A scratch server is of exactly the source's version.
		if err == nil && (n.Use != "drill" || major == 0 || majorOf(version) == major) {
			n.Found = fmt.Sprintf("%s (%s)", path, version)
		}
		if major > 0 {
			n.Name = fmt.Sprintf("%s %d", n.Name, major)
		}
	}
	return needs
}

package suite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"

	"upkeep/bench/corpus"
	"upkeep/bench/measure"
	"upkeep/bench/tool"
	"upkeep/lab"
)

// The works on a database, and the column of PostgreSQL's own programs.
const (
	Dump          = "PostgreSQL backup"
	DumpUnchanged = "PostgreSQL backup again"
	DrillOrLoad   = "PostgreSQL drill"
	PgTools       = "pg_dump, pg_restore -j2"
)

// Postgres measures the copying of one pgbench database.
type Postgres struct {
	Scale   int // 50 = 5 million rows
	Scratch string
	Bin     string // directory of pg_dump, pg_restore, pgbench
	Rounds  int
}

// Run fills r. The server has Debian's defaults: it flushes what it commits.
func (p Postgres) Run(ctx context.Context, subject *tool.Upkeep, r *Result) (err error) {
	dir, err := openDir()
	if err != nil {
		return err
	}
	server, err := lab.StartPostgres(ctx, dir, lab.Options{Settings: map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "shared_buffers": "128MB",
	}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop(), os.RemoveAll(dir)) }()
	if err := p.fill(ctx, server); err != nil {
		return err
	}
	for round := range p.Rounds {
		halves := []func(context.Context, *lab.Server, *Result) error{p.stock}
		if subject != nil {
			halves = append(halves, func(ctx context.Context, s *lab.Server, r *Result) error { return p.subject(ctx, s, subject, r) })
		}
		for _, half := range rotate(halves, round) {
			if err := half(ctx, server, r); ctx.Err() != nil {
				return ctx.Err()
			} else {
				r.Fail(err)
			}
		}
	}
	return nil
}

// sql runs one of PostgreSQL's programs on the server.
func (p Postgres) sql(ctx context.Context, s *lab.Server, argv ...string) (measure.Cost, error) {
	argv[0] = filepath.Join(p.Bin, argv[0])
	env := []string{"PGHOST=" + s.Host, "PGPORT=" + strconv.Itoa(s.Port), "PGUSER=" + s.User, "PGPASSWORD=" + s.Password, "PATH=" + os.Getenv("PATH")}
	cost, _, err := measure.Run(ctx, measure.Cmd{Argv: argv, Env: env})
	return cost, err
}

func (p Postgres) fill(ctx context.Context, s *lab.Server) error {
	if _, err := p.sql(ctx, s, "createdb", "bench"); err != nil {
		return err
	}
	cost, err := p.sql(ctx, s, "pgbench", "--initialize", "--quiet", "--scale", strconv.Itoa(p.Scale), "bench")
	slog.Info("filled", "scale", p.Scale, "wall", cost.Wall)
	return err
}

// stock lets pg_dump and pg_restore do the work: into a file, and from there into
// a second database of the same server.
func (p Postgres) stock(ctx context.Context, s *lab.Server, r *Result) error {
	file := filepath.Join(p.Scratch, "bench.dump")
	settle()
	cost, err := p.sql(ctx, s, "pg_dump", "-Fc", "-f", file, "bench")
	if err := r.cost(Dump, PgTools, cost, err); err != nil {
		return err
	}
	size, err := corpus.Size(file)
	if err != nil {
		return err
	}
	r.size(Dump, PgTools, size)
	if _, err := p.sql(ctx, s, "createdb", "copy"); err != nil {
		return err
	}
	settle()
	cost, err = p.sql(ctx, s, "pg_restore", "-j2", "-d", "copy", file)
	err = r.cost(DrillOrLoad, PgTools, cost, err)
	_, dropErr := p.sql(ctx, s, "dropdb", "copy")
	return errors.Join(err, dropErr, os.Remove(file))
}

func (p Postgres) subject(ctx context.Context, s *lab.Server, u *tool.Upkeep, r *Result) error {
	work := filepath.Join(p.Scratch, "upkeep-pg")
	if err := os.RemoveAll(work); err != nil {
		return fmt.Errorf("clear the place of upkeep: %w", err)
	}
	u.Services = []string{fmt.Sprintf("db: {kind: postgres, url: %q, password: %q}", s.URL("bench"), "file:"+s.PasswordFile)}
	if err := u.Init(ctx, work, ""); err != nil {
		return err
	}
	for _, name := range []string{Dump, DumpUnchanged} {
		before, err := sizeIfThere(u.Repository())
		if err != nil {
			return err
		}
		settle()
		cost, err := u.Backup(ctx)
		if err := r.cost(name, u.Name(), cost, err); err != nil {
			return err
		}
		after, err := corpus.Size(u.Repository())
		if err != nil {
			return err
		}
		r.size(name, u.Name(), after-before)
	}
	settle()
	cost, err := u.Drill(ctx)
	return errors.Join(r.cost(DrillOrLoad, u.Name(), cost, err), os.RemoveAll(work))
}

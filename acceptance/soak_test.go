package acceptance

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"upkeep/internal/service"
)

// fault is one sort of difference between a copy and what its manifest promises.
type fault struct {
	name, target string
	plant        func(p *planter) service.Snapshot
}

func faultsToPlant() []fault {
	return []fault{
		{"truncated part of a database", "db", func(p *planter) service.Snapshot { return p.cut("db") }},
		{"truncated part of a cache", "cache", func(p *planter) service.Snapshot { return p.cut("cache") }},
		{"truncated file", "uploads", func(p *planter) service.Snapshot { return p.cut("uploads") }},
		{"missing rows of a table", "db", (*planter).missingRows},
		{"missing table", "db", (*planter).missingTable},
		{"wrong row content", "db", (*planter).wrongRow},
		{"wrong role", "db", (*planter).wrongRole},
		{"missing key", "cache", (*planter).missingKey},
		{"wrong value of a key", "cache", (*planter).wrongValue},
		{"missing file", "uploads", (*planter).missingFile},
	}
}

func (p *planter) missingRows() service.Snapshot {
	return p.without("db", func(name string) bool { return strings.HasSuffix(name, ".copy") || strings.Count(name, "/") > 1 })
}

// missingTable drops a table of its own: with it goes what the schema says of it.
func (p *planter) missingTable() service.Snapshot {
	p.sql(p.table()...)
	return p.changed("db", func() { p.sql("DROP TABLE soak") })
}

// table makes a table of its own with rows drawn by chance.
func (p *planter) table() []string {
	return []string{"DROP TABLE IF EXISTS soak",
		"CREATE TABLE soak (id int PRIMARY KEY, said text, at timestamptz, n numeric)",
		fmt.Sprintf("INSERT INTO soak SELECT n, md5((n * %d)::text), now() - n * interval '1 hour', n / 7.0 FROM generate_series(1, 500) n", p.random.IntN(1000)+1)}
}

func (p *planter) wrongRow() service.Snapshot {
	p.sql(p.table()...)
	id := p.random.IntN(499) + 1
	return p.changed("db", func() {
		p.sql(p.oneOf(
			fmt.Sprintf("UPDATE soak SET said = overlay(said PLACING 'X' FROM %d) WHERE id = %d", p.random.IntN(32)+1, id),
			fmt.Sprintf("UPDATE soak SET at = at + interval '1 microsecond' WHERE id = %d", id),
			fmt.Sprintf("UPDATE soak SET said = NULL WHERE id = %d", id),
			fmt.Sprintf("UPDATE soak SET n = -n WHERE id = %d", id),
			fmt.Sprintf("UPDATE soak a SET said = b.said FROM soak b WHERE (a.id, b.id) IN ((%d, %d), (%d, %d))", id, id+1, id+1, id),
			fmt.Sprintf("UPDATE soak SET id = id + 1000 WHERE id = %d", id),
		))
	})
}

func (p *planter) wrongRole() service.Snapshot {
	p.sql("DROP ROLE IF EXISTS soaker", "CREATE ROLE soaker LOGIN PASSWORD 'before' CONNECTION LIMIT 5")
	return p.changed("db", func() {
		p.sql(p.oneOf(
			"ALTER ROLE soaker SUPERUSER",
			"ALTER ROLE soaker CREATEDB",
			"ALTER ROLE soaker NOLOGIN",
			"ALTER ROLE soaker CONNECTION LIMIT 6",
			"ALTER ROLE soaker PASSWORD 'after'",
			"ALTER ROLE soaker VALID UNTIL '2030-01-01'",
			"ALTER ROLE soaker SET work_mem TO '1MB'",
			"GRANT pg_monitor TO soaker",
			"DROP ROLE soaker",
		))
	})
}

func (p *planter) missingKey() service.Snapshot {
	return p.changed("cache", func() { p.redis("DEL", p.redis("RANDOMKEY")) })
}

func (p *planter) wrongValue() service.Snapshot {
	key := "soak"
	p.redis("DEL", key)
	p.redis("HSET", key, "field", "value", "other", "value")
	p.redis("PEXPIRE", key, 24*time.Hour/time.Millisecond*time.Duration(1))
	return p.changed("cache", func() {
		switch p.random.IntN(3) {
		case 0:
			p.redis("HSET", key, "field", "Value")
		case 1:
			p.redis("HDEL", key, "other")
		default:
			p.redis("PERSIST", key)
		}
	})
}

func (p *planter) missingFile() service.Snapshot {
	return p.without("uploads", func(string) bool { return true })
}

func (p *planter) oneOf(statements ...string) string {
	statement := statements[p.random.IntN(len(statements))]
	p.t.Logf("planted: %s", statement)
	return statement
}

// TestSoakPlantedFaults plants faults of every sort and wants the drill of the
// built program to find each of them, every time.
func TestSoakPlantedFaults(t *testing.T) {
	s := newSystem(t, "")
	s.must("backup")
	p := newPlanter(t, s)
	found, by := 0, map[string]int{}
	for _, f := range faultsToPlant() {
		for i := range tries() {
			id := p.store(f.target, f.plant(p))
			out, code := s.run("drill", id)
			target := out.Get(`targets.#(target=="` + f.target + `")`)
			if code != 1 || target.Get("verdict").String() != "critical" {
				t.Errorf("%s, try %d: the drill exited with %d\n%s", f.name, i, code, target.Raw)
				continue
			}
			found++
			by[f.name+": "+target.Get(`findings.#(severity=="critical").id`).String()]++
		}
	}
	for _, line := range slices.Sorted(maps.Keys(by)) {
		t.Logf("%3d × %s", by[line], line)
	}
	t.Logf("planted faults: %d of %d found", found, tries()*len(faultsToPlant()))
}

// TestSoakCleanDrills takes copies while others write and wants every drill to
// prove its point and to say nothing.
func TestSoakCleanDrills(t *testing.T) {
	s := newSystem(t, "")
	s.sql("CREATE TABLE soak (id serial PRIMARY KEY, said text)")
	clean := 0
	for range tries() {
		point := s.whileWriting(func() string { return s.must("backup").Get("point.id").String() })
		out, code := s.run("drill", point)
		if code != 0 || out.Get("verdict").String() != "ok" || out.Get("point.proven").String() == "" {
			t.Errorf("the drill exited with %d\n%s", code, out.Raw)
			continue
		}
		clean++
	}
	t.Logf("clean drills: %d of %d raised nothing", clean, tries())
}

// whileWriting does something while rows and keys are written, changed and removed.
func (s *system) whileWriting(do func() string) string {
	s.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var writing sync.WaitGroup
	writing.Go(func() {
		conn, err := pgx.Connect(context.Background(), s.db.DSN("cotdb"))
		if err != nil {
			s.t.Error(err)
			return
		}
		defer conn.Close(context.Background())
		for n := 0; ctx.Err() == nil; n++ {
			_, err := conn.Exec(context.Background(), "INSERT INTO soak (said) VALUES (repeat('x', 100)); UPDATE soak SET said = 'changed' WHERE id % 7 = 0; DELETE FROM soak WHERE id % 11 = 0")
			if err != nil {
				s.t.Error(err)
				return
			}
			s.redis("SET", fmt.Sprint("soak:", n%50), n)
			s.redis("EXPIRE", fmt.Sprint("soak:", (n+25)%50), 3600)
		}
	})
	defer writing.Wait()
	defer stop()
	return do()
}

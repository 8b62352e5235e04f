package suite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/neo4j/neo4j-go-driver/v5/neo4j"

	"upkeep/bench/measure"
	"upkeep/bench/tool"
	"upkeep/lab"
)

// The works on a graph, and the column of Neo4j's own programs.
const (
	CopyGraph    = "copy of a graph"
	PutBackGraph = "restore of a graph into an empty server"
	Neo4jAdmin   = "stop, neo4j-admin, start"
)

// graphMemory is what upkeep may take of a graph of any size, in bytes.
const graphMemory = 200 << 20

// Graph measures the copying of one graph.
type Graph struct {
	Nodes   int // each with two relationships
	Scratch string
	Rounds  int
}

// pageCache holds the graph. With that and a compiler that does all it can, the server
// is as fast as an installed one.
const pageCache = "512m"

// Run fills r. upkeep may be nil.
func (g Graph) Run(ctx context.Context, u *tool.Upkeep, r *Result) (err error) {
	dir, err := openDir()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	full, err := g.start(ctx, filepath.Join(dir, "full"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, full.Stop()) }()
	if err := g.fill(ctx, full); err != nil {
		return err
	}
	halves := []func(context.Context, *lab.Server, *lab.Server, *Result) error{g.stock}
	if u != nil {
		halves = append(halves, func(ctx context.Context, full, empty *lab.Server, r *Result) error {
			return g.subject(ctx, full, empty, u, r)
		})
	}
	for round := range g.Rounds {
		for _, half := range rotate(halves, round) {
			r.Fail(g.withEmpty(ctx, dir, func(empty *lab.Server) error { return half(ctx, full, empty, r) }))
		}
	}
	r.Note("graph", fmt.Sprintf("%d nodes and %d relationships with properties in Neo4j Community with a page cache of %s, whose processor time is not counted", g.Nodes, 2*g.Nodes, pageCache))
	r.Note("graph", "neo4j-admin dumps and loads the store of a server that is stopped, so its time is that of the stop, the program and the start; CPU time and memory are those of the program. upkeep copies and restores while the server runs")
	return ctx.Err()
}

func (g Graph) start(ctx context.Context, dir string) (*lab.Server, error) {
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, fmt.Errorf("make room for a server: %w", err)
	}
	return lab.StartNeo4j(ctx, dir, lab.Options{Java: []string{"-Xms1g", "-Xmx1g"}, Settings: map[string]string{"server.memory.pagecache.size": pageCache}})
}

// withEmpty lends a new server.
func (g Graph) withEmpty(ctx context.Context, dir string, use func(*lab.Server) error) error {
	dir = filepath.Join(dir, "empty")
	s, err := g.start(ctx, dir)
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	return errors.Join(use(s), s.Kill(), os.RemoveAll(dir))
}

// makeSome makes $n nodes from number $from on, and two relationships from each to
// others of them.
const makeSome = `UNWIND range($from, $from + $n - 1) AS i
CREATE (e:Entity {id: 'e' + i, name: '实体 ' + i, type: ['材料', '性能', '工艺', 'Method'][i % 4], description: 'entity number ' + i + ' of the benchmark', confidence: (i % 1000) / 1000.0, created_at: datetime('2026-01-01T00:00:00Z') + duration({seconds: i})})
WITH collect(e) AS made
UNWIND range(0, size(made) - 1) AS i
UNWIND [[i * 7 + 1, 'CONTAINS'], [i * 13 + 5, 'AFFECTS']] AS to
WITH made[i] AS a, made[to[0] % size(made)] AS b, to[1] AS type, i
CREATE (a)-[:RELATION {id: a.id + type, type: type, confidence: (i % 100) / 100.0}]->(b)`

// makeAtOnce bounds a transaction, which the server holds in its heap.
const makeAtOnce = 10_000

func (g Graph) fill(ctx context.Context, s *lab.Server) error {
	began := time.Now()
	if _, err := cypher(ctx, s, "CREATE CONSTRAINT entity_id FOR (e:Entity) REQUIRE e.id IS UNIQUE", nil); err != nil {
		return fmt.Errorf("fill the graph: %w", err)
	}
	for from := 0; from < g.Nodes; from += makeAtOnce {
		if _, err := cypher(ctx, s, makeSome, map[string]any{"from": from, "n": min(makeAtOnce, g.Nodes-from)}); err != nil {
			return fmt.Errorf("fill the graph: %w", err)
		}
	}
	slog.Info("filled", "nodes", g.Nodes, "wall", time.Since(began))
	return nil
}

// cypher runs one statement and returns the first value of its first record, if any.
func cypher(ctx context.Context, s *lab.Server, statement string, params map[string]any) (any, error) {
	driver, err := neo4j.NewDriverWithContext("bolt://"+s.Addr(), neo4j.BasicAuth(s.User, s.Password, ""))
	if err != nil {
		return nil, err
	}
	result, err := neo4j.ExecuteQuery(ctx, driver, statement, params, neo4j.EagerResultTransformer)
	if err = errors.Join(err, driver.Close(ctx)); err != nil || len(result.Records) == 0 {
		return nil, err
	}
	return result.Records[0].Values[0], nil
}

// whole wants everything to be there: a restore that skips something would look fast.
func (g Graph) whole(ctx context.Context, s *lab.Server) error {
	for statement, want := range map[string]int{"MATCH (n) RETURN count(n)": g.Nodes, "MATCH ()-[r]->() RETURN count(r)": 2 * g.Nodes} {
		n, err := cypher(ctx, s, statement, nil)
		if err == nil && n != int64(want) {
			err = fmt.Errorf("%v instead of %d came back", n, want)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// stock lets neo4j-admin dump one store and load it into the other.
func (g Graph) stock(ctx context.Context, full, empty *lab.Server, r *Result) (err error) {
	dumps := filepath.Join(filepath.Dir(full.Dir), "dumps")
	if err := errors.Join(os.MkdirAll(dumps, 0o777), os.Chmod(dumps, 0o777)); err != nil { // the server's user writes there
		return fmt.Errorf("make room for the dump: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dumps)) }()
	cost, err := stopped(ctx, full, "database", "dump", "neo4j", "--to-path="+dumps)
	if err := r.cost(CopyGraph, Neo4jAdmin, cost, err); err != nil {
		return err
	}
	cost, err = stopped(ctx, empty, "database", "load", "neo4j", "--from-path="+dumps, "--overwrite-destination=true")
	return errors.Join(r.cost(PutBackGraph, Neo4jAdmin, cost, err), g.whole(ctx, empty))
}

// stopped stops a server for one call of neo4j-admin. The time is that of all three.
func stopped(ctx context.Context, s *lab.Server, args ...string) (measure.Cost, error) {
	argv, err := s.Neo4jAdmin(args...)
	if err != nil {
		return measure.Cost{}, err
	}
	settle()
	began := time.Now()
	if err := s.Stop(); err != nil {
		return measure.Cost{}, err
	}
	cost, _, err := measure.Run(ctx, measure.Cmd{Argv: argv, Env: []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"}})
	between := cost.Wall
	err = errors.Join(err, s.Start(ctx))
	cost.Wall = time.Since(began)
	slog.Info("neo4j-admin", "args", args, "alone", between)
	return cost, err
}

func (g Graph) subject(ctx context.Context, full, empty *lab.Server, u *tool.Upkeep, r *Result) (err error) {
	work := filepath.Join(g.Scratch, "upkeep-graph")
	if err := os.RemoveAll(work); err != nil {
		return fmt.Errorf("clear the place of upkeep: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if err := declareGraph(ctx, u, work, full); err != nil {
		return err
	}
	settle()
	cost, err := u.Backup(ctx)
	if err := r.cost(CopyGraph, u.Name(), cost, err); err != nil {
		return err
	}
	if err := declareGraph(ctx, u, work, empty); err != nil {
		return err
	}
	settle()
	cost, err = u.Overwrite(ctx, "graph")
	return errors.Join(r.cost(PutBackGraph, u.Name(), cost, err), g.whole(ctx, empty))
}

// declareGraph says where the graph is: a copy outlives the server that it was taken of.
func declareGraph(ctx context.Context, u *tool.Upkeep, work string, s *lab.Server) error {
	u.Services = []string{fmt.Sprintf("graph: {kind: neo4j, url: %q, password: %q}", "bolt://"+s.Addr(), "file:"+s.PasswordFile)}
	return u.Init(ctx, work, "")
}

package neo4j

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"upkeep/internal/catalogue"
	"upkeep/internal/quantity"
	"upkeep/internal/service"
	"upkeep/lab"
)

func planned(t *testing.T, in *Instance) []service.Step {
	t.Helper()
	steps, err := in.Maintenance(t.Context())
	must(t, err)
	words, err := catalogue.New(catalogue.Source{Prefix: "neo4j", Text: text})
	must(t, err)
	for _, s := range steps {
		for _, lang := range catalogue.Languages() {
			if said := words.Words(lang).Message(s.Title.ID, s.Title.Args); said == "" || said[0] == '!' {
				t.Errorf("step %s in %s says %q", s.ID, lang, said)
			}
		}
	}
	return steps
}

func do(t *testing.T, in *Instance, s service.Step) service.Outcome {
	t.Helper()
	out, err := in.Do(t.Context(), s, service.Report{})
	must(t, err)
	slugs(t, out.Verdict)
	return out
}

func TestSchemaIsEnsuredOnce(t *testing.T) {
	s := sharedServer(t)
	cypher(t, s, "CREATE CONSTRAINT another_name FOR (n:Document) REQUIRE n.id IS UNIQUE", nil)
	cypher(t, s, "CREATE INDEX in_the_way FOR (n:Concept) ON (n.id)", nil)
	cypher(t, s, "CREATE (:Twice {id: 1}), (:Twice {id: 1})", nil)
	in := declare(t, s, func(c *Config, _ *service.Env) {
		for _, label := range []string{"Entity", "Document", "Concept", "Twice"} {
			c.Constraints = append(c.Constraints, Unique{Label: label, Properties: []string{"id"}, Name: "made " + label})
		}
		c.Indexes = []Range{{Label: "Entity", Properties: []string{"name", "odd `property"}}, {Label: "Document", Properties: []string{"id"}}}
	})
	steps := planned(t, in)
	if len(steps) != 3 {
		t.Fatalf("steps %v", steps)
	}
	results := map[string]service.Outcome{}
	for _, step := range steps {
		results[step.ID] = do(t, in, step)
	}
	if got := slugs(t, results["constraint (:Twice {id})"].Verdict); got["not-unique"] != service.Warning {
		t.Errorf("values stored twice give %v", got)
	}
	blocked := in.step(opConstraint, "(:Concept {id})", Unique{Label: "Concept", Properties: []string{"id"}})
	if got := slugs(t, do(t, in, blocked).Verdict); got["index-blocks-constraint"] != service.Warning {
		t.Errorf("an index in the way gives %v", got)
	}
	if left := planned(t, in); len(left) != 1 || left[0].ID != "constraint (:Twice {id})" {
		t.Errorf("left to do: %v", left)
	}
	undone(t, in, steps[0], results[steps[0].ID])
	if names := column(t, s, "SHOW CONSTRAINTS YIELD name WHERE name = 'made Entity' RETURN name"); len(names) != 0 {
		t.Errorf("after undo there are %v", names)
	}
	again := do(t, in, steps[0])
	if back, err := in.Undo(t.Context(), steps[0], do(t, in, steps[0]).Result); err != nil || len(back) != 0 {
		t.Errorf("what was there before would be taken back: %v, %v", back, err)
	}
	undone(t, in, steps[0], again)
}

func undone(t *testing.T, in *Instance, s service.Step, out service.Outcome) {
	t.Helper()
	back, err := in.Undo(t.Context(), s, out.Result)
	must(t, err)
	if len(back) != 1 {
		t.Fatalf("undo of %s has %d steps", s.ID, len(back))
	}
	for range 2 { // at least once
		do(t, in, back[0])
	}
}

// rows is a PostgreSQL server as another target.
type rows struct{ dsn string }

func (r rows) Close() error { return nil }

func (r rows) Query(ctx context.Context, statement string) iter.Seq2[service.Row, error] {
	return func(yield func(service.Row, error) bool) {
		conn, err := pgx.Connect(ctx, r.dsn)
		if err != nil {
			yield(service.Row{}, fmt.Errorf("%w: %w", err, service.ErrUnreachable))
			return
		}
		defer func() { _ = conn.Close(ctx) }()
		found, err := conn.Query(ctx, statement)
		if err != nil {
			yield(service.Row{}, err)
			return
		}
		defer found.Close()
		for found.Next() {
			values, err := found.Values()
			if !yield(service.Row{Values: values}, err) {
				return
			}
		}
		if err := found.Err(); err != nil {
			yield(service.Row{}, err)
		}
	}
}

func sql(t *testing.T, s *lab.Server, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.DSN("postgres"))
	must(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	_, err = conn.Exec(t.Context(), statement)
	must(t, err)
}

// tidy declares the rule of the tests. A peer is what keep_if asks; nil for a rule
// without.
func tidy(t *testing.T, s *lab.Server, peer service.Instance, most AtMost, change ...func(*Config, *service.Env)) *Instance {
	t.Helper()
	return declare(t, s, append([]func(*Config, *service.Env){func(c *Config, env *service.Env) {
		o := Orphan{Label: "Entity", OlderThan: quantity.Duration(30 * 24 * time.Hour), Since: "created_at", AtMost: most}
		if peer != nil {
			o.KeepIf = KeepIf{Target: "db", Query: "select neo4j_node_id from kg_entities", Property: "id"}
			env.Peer = func(string) (service.Instance, error) { return peer, nil }
		}
		c.Orphans = []Orphan{o}
	}}, change...)...)
}

func TestOrphansGoAndComeBack(t *testing.T) {
	s, db := sharedServer(t), lab.Postgres(t, lab.Options{})
	sql(t, db, "create table kg_entities (neo4j_node_id varchar(100)); insert into kg_entities select 'kept' || i from generate_series(1, 50) i; insert into kg_entities values (null)")
	old, young := time.Now().UTC().Add(-40*24*time.Hour), time.Now().UTC().Add(-10*24*time.Hour)
	seed := func(prefix string, n int, at any) {
		cypher(t, s, "UNWIND range(1, $n) AS i CREATE (:Entity:Draft {id: $prefix + i, created_at: $at, text: '<&> 实体', v: [0.5, 1.0]})", map[string]any{"prefix": prefix, "n": n, "at": at})
	}
	seed("gone", 1200, old.Format("2006-01-02T15:04:05.000000")) // as Python writes it
	seed("dated", 10, old)
	seed("kept", 50, old)
	seed("young", 20, young)
	seed("unreadable", 5, "last year")
	seed("ageless", 5, nil)
	cypher(t, s, "UNWIND range(1, 3) AS i CREATE (:Entity {created_at: '2020-01-01'})", nil) // nothing a row could name
	cypher(t, s, "UNWIND range(1, 3000) AS i CREATE (:Entity {id: 'connected' + i, created_at: '2020-01-01'})-[:RELATION]->(:Entity)", nil)

	in := tidy(t, s, rows{db.DSN("postgres")}, AtMost{Share: 0.5})
	whole := backup(t, in, nil)
	steps := planned(t, in)
	if len(steps) != 2 || steps[0].Title.Args["total"] != int64(1210) || steps[0].Title.Args["nodes"] != 1000 || steps[1].Title.Args["nodes"] != 210 || steps[0].Title.Args["of"] != int64(7293) {
		t.Fatalf("steps %v", titles(steps))
	}
	if n := count(t, s, "Entity"); n != 7293 {
		t.Fatalf("planning left %d nodes", n)
	}
	// Between plan and deed one gets a relationship and one a row.
	var a orphansOf
	must(t, json.Unmarshal(steps[0].Args, &a))
	cypher(t, s, "MATCH (n) WHERE elementId(n) = $id CREATE (n)-[:LATE]->(:Other)", map[string]any{"id": a.Nodes[0]})
	id := cypher(t, s, "MATCH (n) WHERE elementId(n) = $id RETURN n.id", map[string]any{"id": a.Nodes[1]})[0][0]
	sql(t, db, fmt.Sprintf("insert into kg_entities values ('%s')", id))
	outs := []service.Outcome{do(t, in, steps[0]), do(t, in, steps[1])}
	if outs[0].Verdict.Facts["deleted"] != 998 || outs[0].Verdict.Facts["spared"] != 2 || outs[1].Verdict.Facts["deleted"] != 210 {
		t.Errorf("facts %v, %v", outs[0].Verdict.Facts, outs[1].Verdict.Facts)
	}
	if n := count(t, s, "Entity"); n != 7293-1208 {
		t.Errorf("%d nodes are left", n)
	}
	if again := do(t, in, steps[1]); string(again.Result) != string(outs[1].Result) {
		t.Error("a step that is done again forgets what it deleted")
	}
	cypher(t, s, "MATCH (o:Other) DETACH DELETE o", nil)
	for i, step := range steps {
		undone(t, in, step, outs[i])
	}
	v, err := in.Verify(t.Context(), whole, service.Report{})
	must(t, err)
	if len(v.Findings) != 0 {
		t.Errorf("after undo the graph differs: %v", v.Findings)
	}
}

func titles(steps []service.Step) (all []string) {
	for _, s := range steps {
		all = append(all, fmt.Sprint(s.ID, " ", s.Title.Args))
	}
	return all
}

func count(t *testing.T, s *lab.Server, label string) int64 {
	t.Helper()
	return cypher(t, s, countLabel(label), nil)[0][0].(int64)
}

func TestOrphansStayWhenNobodyCanTell(t *testing.T) {
	s, db := sharedServer(t), lab.Postgres(t, lab.Options{})
	cypher(t, s, "UNWIND range(1, 10) AS i CREATE (:Entity {id: 'x' + i, created_at: '2020-01-01'})", nil)
	in := tidy(t, s, rows{db.DSN("postgres")}, AtMost{Nodes: 100})
	if _, err := in.Maintenance(t.Context()); err == nil {
		t.Error("a table that is not there gives no error")
	}
	sql(t, db, "create table kg_entities (neo4j_node_id varchar(100))")
	var fault *service.Fault
	if _, err := in.Maintenance(t.Context()); !errors.Is(err, service.ErrRefused) || !errors.As(err, &fault) {
		t.Errorf("a table without rows gives %v", err)
	}
	sql(t, db, "insert into kg_entities values ('x1')")
	steps := planned(t, in)
	must(t, db.Kill())
	if _, err := in.Maintenance(t.Context()); !errors.Is(err, service.ErrUnreachable) {
		t.Errorf("planning without the other store gives %v", err)
	}
	if _, err := in.Do(t.Context(), steps[0], service.Report{}); !errors.Is(err, service.ErrUnreachable) {
		t.Errorf("deleting without the other store gives %v", err)
	}
	if n := count(t, s, "Entity"); n != 10 {
		t.Errorf("%d nodes are left", n)
	}
}

func TestTheCapRefuses(t *testing.T) {
	s := sharedServer(t)
	cypher(t, s, "UNWIND range(1, 10) AS i CREATE (:Entity {id: i, created_at: '2020-01-01'})", nil)
	in := tidy(t, s, nil, AtMost{Share: 0.05})
	steps := planned(t, in)
	if len(steps) != 1 || steps[0].Title.ID != "neo4j.step-orphans-refused" {
		t.Fatalf("steps %v", titles(steps))
	}
	_, err := in.Do(t.Context(), steps[0], service.Report{})
	var fault *service.Fault
	if !errors.Is(err, service.ErrRefused) || !errors.As(err, &fault) || fault.Args["orphans"] != int64(10) {
		t.Errorf("over the cap: %v", err)
	}
	if n := count(t, s, "Entity"); n != 10 {
		t.Errorf("%d nodes are left", n)
	}
	changed := tidy(t, s, nil, AtMost{Nodes: 100})
	if _, err := changed.Do(t.Context(), steps[0], service.Report{}); !errors.Is(err, service.ErrStale) {
		t.Errorf("a plan of another rule gives %v", err)
	}
}

// cutOff is a State that fails behind its first write, as a process that is killed
// there.
type cutOff struct {
	service.State
	cut bool
}

func (c *cutOff) Set(ctx context.Context, key, value string) error {
	err := c.State.Set(ctx, key, value)
	if !c.cut {
		c.cut = true
		return errors.Join(err, errors.New("cut off"))
	}
	return err
}

func TestAStepThatWasCutOffDeletesOnce(t *testing.T) {
	s := sharedServer(t)
	cypher(t, s, "UNWIND range(1, 10) AS i CREATE (:Entity {id: i, created_at: '2020-01-01', text: '<b>'})", nil)
	in := tidy(t, s, nil, AtMost{Nodes: 100}, func(_ *Config, env *service.Env) { env.State = &cutOff{State: env.State} })
	step := planned(t, in)[0]
	if _, err := in.Do(t.Context(), step, service.Report{}); err == nil || count(t, s, "Entity") != 10 {
		t.Fatalf("before its commit: %v, %d nodes", err, count(t, s, "Entity"))
	}
	cypher(t, s, "MATCH (n:Entity {id: 3}) CREATE (n)-[:LATE]->(n)", nil)
	out := do(t, in, step)
	var d deleted
	must(t, json.Unmarshal(out.Result, &d))
	if len(d.Nodes) != 9 || count(t, s, "Entity") != 1 {
		t.Errorf("%d nodes are kept for undo, %d are left", len(d.Nodes), count(t, s, "Entity"))
	}
	undone(t, in, step, out)
	if n := count(t, s, "Entity"); n != 10 {
		t.Errorf("%d nodes after undo", n)
	}
}

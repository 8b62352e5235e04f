package neo4j

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	driver "github.com/neo4j/neo4j-go-driver/v5/neo4j"
	dto "github.com/prometheus/client_model/go"

	"upkeep/internal/secret"
	"upkeep/internal/service"
	"upkeep/lab"
)

func TestCheckCountsByLabelAndType(t *testing.T) {
	s := sharedServer(t)
	cypher(t, s, "UNWIND range(1, 30) AS i CREATE (:Entity {id: i})-[:RELATION]->(:Entity:`odd ``name`)", nil)
	v, err := declare(t, s).Check(t.Context())
	must(t, err)
	if len(v.Findings) != 0 {
		t.Errorf("findings in a healthy server: %v", v.Findings)
	}
	labels, types := v.Facts["labels"].(map[string]int64), v.Facts["types"].(map[string]int64)
	if v.Facts["nodes"] != int64(60) || v.Facts["relationships"] != int64(30) || labels["Entity"] != 60 || labels["odd `name"] != 30 || types["RELATION"] != 30 {
		t.Errorf("wrong counts: %v", v.Facts)
	}
	if v.Facts["edition"] != "community" || !strings.HasPrefix(v.Facts["version"].(string), "5.") || v.Facts["status"] != "online" || v.Facts["store"] == "" {
		t.Errorf("wrong facts: %v", v.Facts)
	}
}

// TestCountsComeFromTheCountStore asks the server for the plans of the very
// statements: none may read a node.
func TestCountsComeFromTheCountStore(t *testing.T) {
	s := sharedServer(t)
	cypher(t, s, "CREATE (:Entity)-[:RELATION]->(:Entity)", nil)
	in := declare(t, s)
	for _, statement := range []string{countNodes, countRelationships, countLabel("Entity"), countType("RELATION")} {
		must(t, in.with(t.Context(), func(l *link) error {
			session := l.session(t.Context(), l.name, driver.AccessModeRead)
			defer func() { _ = session.Close(t.Context()) }()
			result, err := session.Run(t.Context(), "EXPLAIN "+statement, nil)
			if err != nil {
				return err
			}
			summary, err := result.Consume(t.Context())
			if err != nil {
				return err
			}
			leaf := summary.Plan()
			for len(leaf.Children()) > 0 {
				leaf = leaf.Children()[0]
			}
			if !strings.HasSuffix(strings.Split(leaf.Operator(), "@")[0], "FromCountStore") {
				t.Errorf("%s is answered by %s", statement, leaf.Operator())
			}
			return nil
		}))
	}
}

func TestDeclaredSchemaIsMissed(t *testing.T) {
	s := sharedServer(t)
	cypher(t, s, "CREATE CONSTRAINT another_name FOR (n:Entity) REQUIRE n.id IS UNIQUE", nil)
	cypher(t, s, "CREATE INDEX in_the_way FOR (n:Document) ON (n.id)", nil)
	cypher(t, s, "CREATE INDEX also_another FOR (n:Entity) ON (n.type)", nil)
	cypher(t, s, "CALL db.awaitIndexes(60)", nil)
	v, err := declare(t, s, func(c *Config, _ *service.Env) {
		c.Constraints = []Unique{{Label: "Entity", Properties: []string{"id"}}, {Label: "Document", Properties: []string{"id"}}, {Label: "Concept", Properties: []string{"id"}}}
		c.Indexes = []Range{{Label: "Entity", Properties: []string{"type"}}, {Label: "Entity", Properties: []string{"id"}}, {Label: "Entity", Properties: []string{"name"}}}
	}).Check(t.Context())
	must(t, err)
	want := map[string]service.Severity{"index-missing": service.Warning, "constraint-missing": service.Warning, "index-blocks-constraint": service.Warning}
	if got := slugs(t, v); !maps.Equal(got, want) || len(v.Findings) != 3 {
		t.Errorf("found %v", v.Findings)
	}
}

func TestAFailedIndexIsCritical(t *testing.T) {
	var v service.Verdict
	judgeState(&v, rule{Name: "broken", state: "FAILED", failure: "java.io.IOException: gone\n\tat x"}) // the server offers no way to break one
	judgeState(&v, rule{Name: "slow", state: "POPULATING", percent: 40})
	want := map[string]service.Severity{"index-failed": service.Critical, "index-not-online": service.Warning}
	if got := slugs(t, v); !maps.Equal(got, want) {
		t.Errorf("found %v", got)
	}
}

func TestWrongPasswordsAndDeadServersAreErrors(t *testing.T) {
	s := sharedServer(t)
	wrong := func(c *Config, _ *service.Env) { c.Password = secret.Parse("wrong-secret-1") }
	_, err := declare(t, s, wrong).Check(t.Context())
	if !errors.Is(err, service.ErrDenied) || strings.Contains(err.Error(), "wrong-secret-1") {
		t.Errorf("a wrong password gives %v", err)
	}
	_, err = declare(t, s, func(c *Config, _ *service.Env) { c.Password = secret.Ref{} }).Check(t.Context())
	if !errors.Is(err, service.ErrDenied) {
		t.Errorf("no password gives %v", err)
	}
	_, err = declare(t, s, func(c *Config, _ *service.Env) { c.URL = "bolt://127.0.0.1:1" }).Check(t.Context())
	if !errors.Is(err, service.ErrUnreachable) {
		t.Errorf("a closed port gives %v", err)
	}
	v, err := declare(t, s, func(c *Config, _ *service.Env) { c.Database = "other" }).Check(t.Context())
	if err != nil || slugs(t, v)["database-missing"] != service.Critical {
		t.Errorf("a database that is not there gives %v, %v", v.Findings, err)
	}
}

// TestADatabaseThatCannotWriteIsCritical kills the server in the meantime.
func TestADatabaseThatCannotWriteIsCritical(t *testing.T) {
	s := lab.Neo4j(t, lab.Options{})
	in := declare(t, s)
	must(t, s.Kill())
	if _, err := in.Check(t.Context()); !errors.Is(err, service.ErrUnreachable) {
		t.Errorf("a killed server gives %v", err)
	}
	conf, err := os.OpenFile(filepath.Join(s.Data, "conf", "neo4j.conf"), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = conf.WriteString("server.databases.read_only=neo4j\n")
	must(t, errors.Join(err, conf.Close()))
	must(t, s.Start(t.Context()))
	v, err := in.Check(t.Context())
	must(t, err)
	if got := slugs(t, v); got["read-only"] != service.Critical {
		t.Errorf("a read-only database gives %v", got)
	}
}

func TestADatabaseThatDoesNotStartIsCritical(t *testing.T) {
	// A database cannot be made read-only from the beginning, so it stays down.
	s := lab.Neo4j(t, lab.Options{Settings: map[string]string{"server.databases.read_only": "neo4j"}})
	v, err := declare(t, s).Check(t.Context())
	must(t, err)
	if got := slugs(t, v); got["database-offline"] != service.Critical {
		t.Errorf("a database that did not start gives %v", got)
	}
}

func TestQueryOnlyReads(t *testing.T) {
	s := sharedServer(t)
	cypher(t, s, "CREATE (:Entity {id: 'a', at: datetime('2026-01-02T03:04:05Z')}), (:Entity {id: 'b'})", nil)
	in := declare(t, s)
	var got []any
	for row, err := range in.Query(t.Context(), "MATCH (e:Entity) RETURN e.id, e.at ORDER BY e.id") {
		must(t, err)
		got = append(got, row.Values[0])
	}
	if !slices.Equal(got, []any{"a", "b"}) {
		t.Errorf("rows %v", got)
	}
	for _, statement := range []string{"CREATE (:Intruder)", "MATCH (n) DETACH DELETE n", "RETURN 1; CREATE (:Intruder)", "CREATE INDEX x FOR (n:A) ON (n.b)", "CREATE USER eve SET PASSWORD 'evil-evil'"} {
		failed := false
		for _, err := range in.Query(t.Context(), statement) {
			failed = failed || err != nil
		}
		if !failed {
			t.Errorf("%s was not refused", statement)
		}
	}
	if n := cypher(t, s, "MATCH (n) RETURN count(n)", nil)[0][0]; n != int64(2) {
		t.Errorf("%d nodes after refused statements", n)
	}
}

func TestCollectsUnderStockNames(t *testing.T) {
	s := sharedServer(t)
	cypher(t, s, "UNWIND range(1, 7) AS i CREATE (:Entity)-[:RELATION]->(:Entity)", nil)
	got := map[string]float64{}
	must(t, declare(t, s).Collect(t.Context(), func(f *dto.MetricFamily) { got[f.GetName()] = f.Metric[0].Gauge.GetValue() }))
	if got["neo4j_up"] != 1 || got["neo4j_database_count_node"] != 14 || got["neo4j_database_count_relationship"] != 7 ||
		got["neo4j_database_label_nodes"] != 14 || got["neo4j_dbms_vm_heap_used"] <= 0 || got["neo4j_database_transaction_active"] < 1 {
		t.Errorf("samples %v", got)
	}
}
